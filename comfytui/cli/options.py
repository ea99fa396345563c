"""The options that many commands share, and what a shell completes for them."""

from __future__ import annotations

import click


def server_names(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """The names of `[servers]` that begin so. A settings file that is wrong completes nothing: a shell has no place for words."""
    from comfytui.settings import files, servers
    from comfytui.settings.schema import SettingsError

    try:
        return [name for name in servers.names(files.load()) if name.startswith(begun)]
    except SettingsError:
        return []


server_option = click.option(
    "--server", metavar="NAME|URL", shell_complete=server_names, help="Address or name of the server."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

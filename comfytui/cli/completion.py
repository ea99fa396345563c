"""`comfytui completion`: the few lines that make a shell ask us what can follow; click knows them for each shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from comfytui.cli import output
from comfytui.cli.diagnostics import Exit, Failed

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_COMFYTUI_COMPLETE"  # as click forms it from our name


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print what makes SHELL complete our commands, options and servers.

    \b
    bash:  eval "$(comfytui completion bash)"      in ~/.bashrc
    zsh:   eval "$(comfytui completion zsh)"       in ~/.zshrc, after compinit
    fish:  comfytui completion fish > ~/.config/fish/completions/comfytui.fish
    """
    from comfytui.cli.main import cli

    found = get_completion_class(shell)
    if found is None:
        raise Failed(Exit.USAGE, f"there is no completion for {shell}")
    output.line(found(cli, {}, "comfytui", VARIABLE).source().rstrip())

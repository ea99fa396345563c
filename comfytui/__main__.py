"""`comfytui` and `python -m comfytui`: a headless command if one is named, else the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from comfytui.cli.doctor.checks import Checks
    from comfytui.settings.schema import Settings


def main() -> None:
    """Run the command line, and leave with its exit code."""
    from comfytui.cli.main import CHECKS
    from comfytui.cli.main import main as command_line

    CHECKS.set(_checks)
    command_line(_dashboard)


def _checks() -> Checks:
    from comfytui.tui import selfcheck

    return selfcheck


def _dashboard(server: str | None, local: bool, settings: Settings, workflow: Path | None) -> int:
    import os
    import sys

    from comfytui.tui.terminal.capability import refusal

    if why := refusal(os.environ, sys.stdin.isatty(), sys.stdout.isatty()):
        import click

        raise click.ClickException(why)
    # Here and not in cli/, so that the headless commands never load a terminal toolkit.
    from comfytui.tui.app import run

    return run(server, local, settings, workflow)


if __name__ == "__main__":
    main()

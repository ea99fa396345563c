"""The command itself: collects the findings, prints them, and says by its exit code whether anything is wrong."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from comfytui.cli import output
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.doctor import findings, program, servers, terminal, tmux
from comfytui.cli.doctor.checks import Checks
from comfytui.cli.doctor.findings import Finding, State
from comfytui.client import sanitize
from comfytui.settings.schema import Settings


@click.command()
@click.option("--server", metavar="URL", help="Also look at this server: an address, or a name of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("--offline", is_flag=True, help="Ask no server.")
def command(server: str | None, as_json: bool, offline: bool) -> None:
    """Tell what this terminal, the settings and the servers are like, and what fixes what is wrong.

    Exit code 0: nothing is wrong; 1: something is.
    """
    found = [_clean(each) for each in collect(server, offline)]
    fine = findings.ok(found)
    if as_json:
        output.json({"ok": fine, "findings": found})
    else:
        for line in findings.lines(found):
            output.line(line)
    if not fine:
        raise Failed(Exit.JOB_FAILED)


def collect(server: str | None, offline: bool) -> list[Finding]:
    """All findings. Blocks for a few seconds at most."""
    from comfytui.cli.main import CHECKS

    make = CHECKS.get()
    checks = None if make is None else make()
    settings, about_file = program.settings()
    found = [*program.facts(), *terminal.facts(os.environ, _size()), *_pictures(settings, checks)]
    found += [*tmux.facts(os.environ), *about_file, *program.own(settings, checks)]
    if not offline:
        found += asyncio.run(servers.facts(settings, server))
    return found


def _size() -> tuple[int, int] | None:
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            if stream is not None and stream.isatty():
                size = os.get_terminal_size(stream.fileno())
                return size.columns, size.lines
        except (OSError, ValueError):
            continue
    return None


def _pictures(settings: Settings, checks: Checks | None) -> list[Finding]:
    if checks is None:
        return []
    said, good = checks.pictures(settings)
    return [Finding(terminal.SECTION, "pictures", said, State.OK if good else State.NOTE)]


def _clean(finding: Finding) -> Finding:
    """Values come from the environment, from files and from servers: none of them may steer the terminal."""
    return Finding(
        finding.section, sanitize.line(finding.name), sanitize.block(finding.value), finding.state, finding.where,
        tuple(sanitize.line(each) for each in finding.fix),
    )  # fmt: skip

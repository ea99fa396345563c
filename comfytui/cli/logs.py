"""`comfytui logs`: a server's last lines, and with -f those that come."""

from __future__ import annotations

import asyncio
import contextlib

import click

from comfytui.cli import diagnostics, following, output, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Logged
from comfytui.state.connection import Connection
from comfytui.state.log_levels import RANK, Level
from comfytui.state.logs import Line
from comfytui.state.server_log import Told

LEVELS = ("error", "warning", "info", "debug")
PATIENCE = 15.0  # seconds for the lines that were before


@click.command()
@click.option(
    "--follow", "-f", is_flag=True, help="Go on with each line that comes, also over a restart of the server."
)
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Only lines as bad as this, or worse.")
@click.option(
    "--count", "-n", type=click.IntRange(0), metavar="N", help="Only the last N lines of those that were before."
)
@server_option
@json_option
def command(follow: bool, level: str, count: int | None, server: str | None, as_json: bool) -> None:
    """Print the last lines of a server's log. A progress bar is one line; lines that name no level count as info."""
    session.run(_logs(server, follow, RANK[Level(level)], count, as_json))


async def _logs(server: str | None, follow: bool, rank: int, count: int | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        changed = asyncio.Event()
        log = connection.log
        stop = log.follow(changed.set)
        try:
            await _until_told(connection, changed)
            past = [each for each in log.log.since(0) if RANK[each.level] >= rank]
            shown = log.log.settled if follow else log.log.end
            past = [each for each in past if each.number < shown]
            for each in past[len(past) - min(count, len(past)) :] if count is not None else past:
                _print(each, as_json)
            if follow:
                await _follow(connection, changed, rank, shown, as_json)
        finally:
            stop()


async def _until_told(connection: Connection, changed: asyncio.Event) -> None:
    """Wait for the lines that were before. Raises Failed with the reason if there are none to be had."""
    log = connection.log
    try:
        async with asyncio.timeout(PATIENCE):
            while log.told in (Told.IDLE, Told.ASKING):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        raise Failed(Exit.UNREACHABLE, f"{connection.target.label} does not tell its log") from None
    if log.told is Told.NOTHING:
        raise Failed(Exit.SERVER, log.problem)


async def _follow(connection: Connection, changed: asyncio.Event, rank: int, at: int, as_json: bool) -> None:
    log = connection.log.log
    absence = following.Absence(connection, float("inf"))
    while True:
        changed.clear()
        if at < log.first:
            diagnostics.say(f"{log.first - at} lines came faster than they could be printed, and are missing here")
            at = log.first
        end = log.settled
        for each in log.since(at) if end > at else ():
            if each.number < end and RANK[each.level] >= rank:
                _print(each, as_json)
        at = max(at, end)
        away = absence.check("")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0 if away else None):
                await changed.wait()


def _print(line: Line, as_json: bool) -> None:
    if as_json:
        output.json(Logged(at=line.stamp or None, level=line.level or None, text=line.text))
    else:
        output.line(line.text)

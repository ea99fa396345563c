"""`comfytui interrupt` and `comfytui cancel`: stop what runs, take out what waits."""

from __future__ import annotations

import click

from comfytui.cli import session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.listings import server_option


@click.command()
@server_option
def interrupt(server: str | None) -> None:
    """Stop the job that runs; what waits goes on."""
    session.run(_interrupt(server))


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@server_option
def cancel(ids: tuple[str, ...], server: str | None) -> None:
    """Take jobs out of the queue, or stop them if they run. The beginning of an id is enough."""
    session.run(_cancel(ids, server))


async def _interrupt(server: str | None) -> None:
    async with session.connected(server) as connection:
        await connection.interrupt()


async def _cancel(ids: tuple[str, ...], server: str | None) -> None:
    async with session.connected(server) as connection:
        state = connection.state
        known = (*state.running, *state.waiting)
        wanted: list[str] = []
        for given in ids:
            found = [each for each in known if each == given] or [each for each in known if each.startswith(given)]
            if len(found) != 1:
                many = f"{len(found)} jobs begin with" if found else "no job runs or waits that begins with"
                raise Failed(Exit.USAGE, f"{many} {given!r}; comfytui queue lists them")
            wanted += found
        waiting = [each for each in wanted if each in state.waiting]
        if waiting:
            await connection.cancel(waiting)
        for each in wanted:
            if each in state.running:
                await connection.interrupt(each)

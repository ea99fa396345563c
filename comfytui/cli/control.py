"""`comfytui cancel`, `interrupt` and `free`: stop what runs, take out what waits, give memory back."""

from __future__ import annotations

import click

from comfytui.cli import diagnostics, following, output, session
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Freed, Stopped

QUEUED = ("runs or waits", "comfytui queue lists them")


@click.command()
@server_option
@json_option
def interrupt(server: str | None, as_json: bool) -> None:
    """Stop the job that runs; what waits goes on."""
    session.run(_interrupt(server, as_json))


@click.command()
@click.argument("ids", nargs=-1, metavar="ID…")
@click.option("--all", "every", is_flag=True, help="All that waits, other people's jobs too; what runs goes on.")
@server_option
@json_option
def cancel(ids: tuple[str, ...], every: bool, server: str | None, as_json: bool) -> None:
    """Take jobs out of the queue, or stop them if they run. The beginning of an id is enough."""
    if bool(ids) is every:
        raise click.UsageError("Name the jobs, or give --all.")
    session.run(_cancel(ids, server, as_json))


@click.command()
@click.option("--models-only", is_flag=True, help="Keep the results of nodes, which would be computed again.")
@server_option
@json_option
def free(models_only: bool, server: str | None, as_json: bool) -> None:
    """Unload the server's models, and forget its cached results; it does so before its next job, or when it is idle."""
    session.run(_free(models_only, server, as_json))


async def _interrupt(server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        running = connection.state.running
        await connection.interrupt()
    _told(Stopped(interrupted=running), as_json, "nothing runs")


async def _cancel(ids: tuple[str, ...], server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        state = connection.state
        known = (*state.running, *state.waiting)
        if ids:
            wanted = dict.fromkeys(following.one_of(known, given, *QUEUED) for given in ids)
            cancelled, interrupted = await following.stop(connection, wanted)
        else:
            await connection.clear_queue()
            cancelled, interrupted = state.waiting, ()
    _told(Stopped(cancelled=cancelled, interrupted=interrupted), as_json, "nothing waits")


async def _free(models_only: bool, server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        await connection.free(unload_models=True, free_memory=not models_only)
    if as_json:
        output.json(Freed(models=True, cache=not models_only))


def _told(stopped: Stopped, as_json: bool, nothing: str) -> None:
    """As JSON, else a word for whoever watches; scripts without --json need none."""
    if as_json:
        output.json(stopped)
        return
    for ids, what in ((stopped.interrupted, "interrupted"), (stopped.cancelled, "taken out of the queue")):
        for each in ids:
            diagnostics.say(f"{each}: {what}")
    if not (stopped.interrupted or stopped.cancelled):
        diagnostics.say(nothing)

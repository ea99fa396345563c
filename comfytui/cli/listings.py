"""`comfytui queue`, `history`, `nodes` and `stats`: what a server has, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from comfytui.cli import output, session, shapes
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.state.model import Job
from comfytui.workflow.inputs import near


@click.command()
@server_option
@json_option
def queue(server: str | None, as_json: bool) -> None:
    """List what runs and what waits, in the order in which it will run."""
    session.run(_queue(server, as_json))


@click.command()
@server_option
@json_option
@click.option("--count", type=click.IntRange(1, 10_000), default=20, help="How many jobs, the newest first.")
def history(server: str | None, as_json: bool, count: int) -> None:
    """List finished jobs, the newest first."""
    session.run(_history(server, as_json, count))


@click.command()
@click.argument("search", required=False, default="")
@server_option
@json_option
def nodes(search: str, server: str | None, as_json: bool) -> None:
    """List the node classes of a server whose class, title or category holds SEARCH.

    With --json, print what the server tells of them.
    """
    session.run(_nodes(search, server, as_json))


@click.command()
@server_option
@json_option
def stats(server: str | None, as_json: bool) -> None:
    """Show the versions, the devices and the memory of a server."""
    session.run(_stats(server, as_json))


async def _queue(server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        state = connection.state
        jobs = [state.jobs[each] for each in (*state.running, *state.waiting) if each in state.jobs]
    if as_json:
        output.json([_job(job) for job in jobs])
        return
    output.table(("ID", "STATE", "WORKFLOW", "SEED", "STEPS", "PROMPT"), [_row(job) for job in jobs])


async def _history(server: str | None, as_json: bool, count: int) -> None:
    async with session.connected(server) as connection:
        while len(connection.state.history) < count and not connection.state.history_complete:
            before = len(connection.state.history)
            await connection.load_history(count - before)
            if len(connection.state.history) == before:  # a server that always has one more page of nothing
                break
        state = connection.state
        jobs = [state.jobs[each] for each in state.history[:count] if each in state.jobs]
    if as_json:
        output.json([_job(job) for job in jobs])
        return
    header = ("ID", "STATE", "ENDED", "SECONDS", "FILES", "PROMPT")
    rows = []
    for job in jobs:
        ended = datetime.fromtimestamp(job.ended).strftime("%Y-%m-%d %H:%M:%S") if job.ended else ""
        seconds = f"{job.seconds:.1f}" if job.seconds is not None else ""
        names = ",".join(each.filename for each in job.outputs if each.filename)
        rows.append((job.id, str(job.state), ended, seconds, names, _cut(job.facts.positive)))
    output.table(header, rows)


async def _nodes(search: str, server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        catalogue = await connection.load_object_info()
    wanted = search.lower()
    found = {
        name: info for name, info in catalogue.items() if any(wanted in text.lower() for text in _told(name, info))
    }
    if not found:
        close = near(search, catalogue)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise Failed(Exit.USAGE, f"no node goes by {search!r} among the {len(catalogue)} of this server.{hint}")
    if as_json:
        output.json(found)
        return
    output.table(("CLASS", "TITLE", "CATEGORY"), [_told(name, info) for name, info in sorted(found.items())])


async def _stats(server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        await connection.refresh_stats()
        found = connection.state.stats
    if found is None:
        raise Failed(Exit.SERVER, "the server told nothing about itself")
    if as_json:
        output.json(found)
        return
    rows = [
        ("version", found.version),
        ("pytorch", found.pytorch),
        ("python", found.python.split(" ")[0]),
        ("system", found.os),
        ("ram", _memory(found.ram_free, found.ram_total)),
    ]
    rows += [(f"device {each.name}", _memory(each.vram_free, each.vram_total)) for each in found.devices]
    output.table(("WHAT", "VALUE"), rows)


def _row(job: Job) -> tuple[str, ...]:
    facts = job.facts
    numbers = ["" if each is None else str(each) for each in (facts.seed, facts.steps)]
    return (job.id, str(job.state), facts.name, *numbers, _cut(facts.positive))


def _job(job: Job) -> shapes.Job:
    """A job for scripts: without its graph, which `/queue` and `/history` tell at length."""
    files = tuple(
        shapes.File(  # field by field: an output may carry its raw name, which is for the server and never for a terminal
            node_id=each.node_id, kind=each.kind, filename=each.filename, subfolder=each.subfolder, type=each.type,
            text=each.text,
        )
        for each in job.outputs
    )  # fmt: skip
    return shapes.Job(
        prompt_id=job.id, state=job.state, number=job.number, facts=job.facts, created=job.created,
        started=job.started, ended=job.ended, outputs=files,
        error=job.failure.message if job.failure is not None else None,
    )  # fmt: skip


def _told(name: str, info: Any) -> tuple[str, str, str]:
    told = info if isinstance(info, Mapping) else {}
    title, category = told.get("display_name"), told.get("category")
    return name, title if isinstance(title, str) else "", category if isinstance(category, str) else ""


def _cut(text: str, width: int = 48) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def _memory(free: int, total: int) -> str:
    return f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free" if total else ""

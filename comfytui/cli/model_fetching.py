"""`comfytui check --fetch`: gets the missing models that a workflow tells of, for a server on this machine, if the user says so."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from comfytui.cli import diagnostics
from comfytui.cli.amounts import duration, gigabytes
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.fetching.download import Progress, fetch, size_of
from comfytui.fetching.errors import FetchError
from comfytui.fetching.place import path_of
from comfytui.state.connection import Connection
from comfytui.workflow.told_models import ToldModel

SIZES = 4  # that are asked for at a time
STEP = 0.1  # of a file, between two lines where none can be rewritten


class _Wanted(msgspec.Struct, frozen=True):
    model: ToldModel
    path: Path
    size: int | None


async def fetch_models(connection: Connection, models: Sequence[ToldModel], yes: bool) -> tuple[Path, ...]:
    """Fetch what can be fetched, one after the other; the paths of what came. What cannot be is told on stderr.

    Raises Failed if nobody can be asked and `yes` is False, or if the answer is no.
    """
    wanted = [found for found in await _wanted(connection, models) if found is not None]
    if not wanted:
        return ()
    known = [each.size for each in wanted if each.size is not None]
    total = gigabytes(sum(known)) if len(known) == len(wanted) else f"{gigabytes(sum(known))} and more"
    for each in wanted:
        checked = "SHA-256 is checked" if each.model.sha256 else "the workflow tells no hash"
        diagnostics.say(f"{gigabytes(each.size):>10}  {urlsplit(each.model.url).hostname}  →  {each.path}  ({checked})")
    await _ask(f"Fetch {len(wanted)} {'file' if len(wanted) == 1 else 'files'}, {total}?", yes)
    came: list[Path] = []
    for each in wanted:
        try:
            await _fetch(each)
        except FetchError as error:
            diagnostics.say(str(error))
        else:
            came.append(each.path)
            diagnostics.say(f"{each.path}: fetched")
    return tuple(came)


async def _wanted(connection: Connection, models: Sequence[ToldModel]) -> list[_Wanted | None]:
    gate = asyncio.Semaphore(SIZES)

    async def look(model: ToldModel) -> _Wanted | None:
        try:
            if not model.url:
                raise FetchError(
                    f"{model.name} is not fetched: {model.refused or 'the workflow does not tell from where'}"
                )
            path = await path_of(connection, model)
            async with gate:
                return _Wanted(model, path, await size_of(model.url))
        except FetchError as error:
            diagnostics.say(str(error))
            return None

    return list(await asyncio.gather(*map(look, models)))


async def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failed(Exit.USAGE, "nobody is here to be asked; --yes fetches without")
    if not await asyncio.to_thread(click.confirm, question, default=False, err=True):
        raise Failed(Exit.LACKING, "nothing was fetched")


async def _fetch(wanted: _Wanted) -> None:
    name, live = wanted.model.name, diagnostics.interactive()
    told = 0.0

    def tell(progress: Progress) -> None:
        nonlocal told
        share = progress.done / progress.total if progress.total else 0.0
        parts = [
            name,
            f"{gigabytes(progress.done)} of {gigabytes(progress.total)}",
            f"{share:.0%}" if progress.total else "",
        ]
        parts += [f"{gigabytes(round(progress.rate))}/s"] if progress.rate else []
        parts += [f"{duration(progress.left)} left"] if progress.left is not None else []
        text = "  ".join(filter(None, parts))
        if live:
            diagnostics.rewrite(text)
        elif share >= told + STEP:
            told = share
            diagnostics.say(text)

    try:
        await fetch(wanted.model.url, wanted.path, sha256=wanted.model.sha256, progress=tell)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            diagnostics.say(f"\n{name}: stopped; the same command goes on where it stopped")
        raise
    finally:
        if live:
            diagnostics.rewrite("")

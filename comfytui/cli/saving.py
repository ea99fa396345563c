"""Writes the files of a job to a folder of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from comfytui.cli.diagnostics import Exit, Failed
from comfytui.client import downloads
from comfytui.state.connection import Connection
from comfytui.state.model import Output


class Saved(msgspec.Struct, frozen=True):
    """A file that was written; `size` in bytes."""

    path: Path
    output: Output
    size: int


def made(folder: Path) -> Path:
    """The folder, which exists afterwards. That it can be made is found out before anything is computed, and not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(Exit.FILES, f"{folder} cannot be made: {error.strerror or error}") from error
    return folder


def chosen(outputs: Sequence[Output]) -> list[Output]:
    """The files to fetch: what was saved; if nothing was, the previews."""
    named = [each for each in outputs if each.filename]
    return [each for each in named if each.type == "output"] or named


async def save(connection: Connection, prompt_id: str, outputs: Iterable[Output], folder: Path) -> list[Saved]:
    """Fetch and write them under names of their own. Raises ClientError, and Failed for what the disk does not take."""
    found: list[Saved] = []
    for each in outputs:
        data = await connection.fetch(each)
        try:
            path = await asyncio.to_thread(downloads.save, folder, each.filename, data)
        except OSError as error:
            where = error.filename or folder
            text = f"{where} cannot be written: {error.strerror or error}\nThe results are still on the server: {prompt_id}"
            raise Failed(Exit.FILES, text) from error
        found.append(Saved(path, each, len(data)))
    return found

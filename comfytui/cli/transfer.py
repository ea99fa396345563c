"""`comfytui fetch` and `upload`: files from the server, and files to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from comfytui.cli import diagnostics, following, output, saving, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Fetched, Uploaded
from comfytui.client import sanitize
from comfytui.client.errors import Missing
from comfytui.settings import files
from comfytui.state.connection import Connection
from comfytui.state.model import Job, Output

SEARCHED = 1000  # newest jobs of the history, among which the beginning of an id is looked for
MAX_UPLOAD = 1 << 30  # bytes; they are held in memory


@click.command()
@click.argument("prompt_id", metavar="ID|last")
@click.option(
    "--output", "-o", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where they are written."
)
@click.option("--node", metavar="ID", help="Only what this node made.")
@click.option("--all", "every", is_flag=True, help="Previews and other temporary files, too.")
@server_option
@json_option
def fetch(
    prompt_id: str, folder: Path | None, node: str | None, every: bool, server: str | None, as_json: bool
) -> None:
    """Save the files that a finished job made, and print their paths. The beginning of an id is enough; last is the newest.

    Nothing is overwritten: a file whose name is taken gets a number. If a job saved nothing, its previews are fetched.
    """
    where = saving.made(folder or Path(files.load().output_dir).expanduser())
    session.run(_fetch(prompt_id, where, node, every, server, as_json))


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files of the same name; else the server gives others.")
@server_option
@json_option
def upload(paths: tuple[Path, ...], overwrite: bool, server: str | None, as_json: bool) -> None:
    """Put pictures (or other files) into the server's input folder, and print their names there: the values for LoadImage."""
    for path in paths:  # all of them before the first: half of an upload helps nobody
        _readable(path)
    session.run(_upload(paths, overwrite, server, as_json))


async def _fetch(given: str, folder: Path, node: str | None, every: bool, server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        job = await _job(connection, given)
        saved = await saving.save(connection, job.id, _wanted(job, node, every), folder)
    if as_json:
        output.json([
            Fetched(
                path=str(each.path), prompt_id=job.id, node_id=each.output.node_id, filename=each.output.filename,
                bytes=each.size,
            )
            for each in saved
        ])  # fmt: skip
    else:
        for each in saved:
            output.line(str(each.path))
    if not saved:
        diagnostics.say(f"{job.id}: it made no files")


async def _job(connection: Connection, given: str) -> Job:
    """The finished job that is meant. Raises Failed."""
    state = connection.state
    if given in (*state.running, *state.waiting):
        raise Failed(Exit.USAGE, f"{given} has not ended yet; comfytui watch {given} waits for it")
    try:
        if given == "last":
            raise Missing(given)
        await connection.load_job(given)
        prompt_id = given
    except Missing:
        await _load_history(connection, 1 if given == "last" else SEARCHED)
        history = connection.state.history
        if given == "last" and not history:
            raise Failed(Exit.USAGE, "no job has ended on this server yet") from None
        prompt_id = history[0] if given == "last" else following.one_of(history, given, *ENDED)
    job = connection.state.jobs[prompt_id]
    return await following.complete(connection, job)


ENDED = ("has ended", "comfytui history lists them")


async def _load_history(connection: Connection, count: int) -> None:
    while len(connection.state.history) < count and not connection.state.history_complete:
        before = len(connection.state.history)
        await connection.load_history(count - before)
        if len(connection.state.history) == before:  # a server that always has one more page of nothing
            break


def _wanted(job: Job, node: str | None, every: bool) -> list[Output]:
    named = [each for each in job.outputs if each.filename]
    if node is not None:
        nodes = dict.fromkeys(each.node_id for each in named)
        if node not in nodes:
            raise Failed(Exit.USAGE, f"node {node} made no files; these did: {', '.join(nodes) or 'none'}")
        named = [each for each in named if each.node_id == node]
    return named if every else saving.chosen(named)


async def _upload(paths: tuple[Path, ...], overwrite: bool, server: str | None, as_json: bool) -> None:
    done: list[Uploaded] = []
    async with session.connected(server) as connection:
        for path in paths:
            data = await asyncio.to_thread(path.read_bytes)
            told = Sending(path.name, len(data))
            try:
                name = await connection.upload(data, path.name, overwrite=overwrite, sent=told)
            finally:
                told.clear()
            shown = sanitize.line(name)
            done.append(Uploaded(file=str(path), name=shown, bytes=len(data)))
            if not as_json:
                output.line(shown)
    if as_json:
        output.json(done)


class Sending:
    """How far an upload is, on a terminal."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._shown = -1
        self._interactive = diagnostics.interactive()

    def __call__(self, sent: int) -> None:
        percent = 100 * sent // max(1, self._size)
        if self._interactive and percent != self._shown:
            self._shown = percent
            diagnostics.rewrite(f"{self._name}: {percent} % of {self._size / 1e6:.1f} MB")

    def clear(self) -> None:
        """Take the line away."""
        if self._shown >= 0:
            diagnostics.rewrite("")


def _readable(path: Path) -> None:
    """Raises Failed for what cannot be sent."""
    try:
        if not path.is_file():
            why = "is a folder" if path.is_dir() else "there is no such file"
            raise Failed(Exit.USAGE, f"{path}: {why}")
        if path.stat().st_size > MAX_UPLOAD:
            raise Failed(
                Exit.USAGE, f"{path} is larger than {MAX_UPLOAD >> 20} MiB: copy it into the server's input folder"
            )
        with path.open("rb"):
            pass
    except OSError as error:
        raise Failed(Exit.USAGE, f"{path} cannot be read: {error.strerror or error}") from error

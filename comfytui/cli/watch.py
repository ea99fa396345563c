"""`comfytui watch`: says what happens to some jobs until they end, or to all of a server's for ever."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import deque
from datetime import datetime

import click
import msgspec

from comfytui.cli import events, following, output, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import server_option
from comfytui.cli.shapes import Event
from comfytui.client.errors import Missing
from comfytui.state.connection import Connection
from comfytui.state.model import JobState, ServerState

OFTEN = 0.1  # seconds between two lines of progress: a fast sampler tells a hundred steps a second
PATIENCE = 60.0
FOREVER = float("inf")
RECENT = 100  # newest jobs of the history, in which the beginning of an id is looked for
ENDED = {NAME: STATE for STATE, NAME in events.NAMES.items() if STATE in following.ENDS}


class Options(msgspec.Struct, frozen=True):
    """The command line of `watch`."""

    ids: tuple[str, ...]
    server: str | None
    as_json: bool
    idle: bool
    cancel_on_exit: bool
    patience: float | None


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID…]")
@server_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON on a terminal, too.")
@click.option("--idle", is_flag=True, help="End when nothing runs and nothing waits.")
@click.option("--cancel-on-exit", is_flag=True, help="Ctrl-C cancels the jobs instead of leaving them to the server.")
@click.option(
    "--patience", type=click.FloatRange(0), metavar="SECONDS",
    help="How long the server may be away: 60 for jobs, for ever without.",
)  # fmt: skip
def command(**options: object) -> None:
    """Say what happens, a JSON object a line; on a terminal in words.

    With IDs (or beginnings of them, or last) until these jobs have ended, and with the exit code of the first that did not
    succeed. Without, for all jobs of the server, for ever.
    """
    given = msgspec.convert(options, Options)
    if given.cancel_on_exit and not given.ids:
        raise click.UsageError("--cancel-on-exit needs the IDs of jobs.")
    if given.idle and given.ids:
        raise click.UsageError("--idle is for all jobs: without IDs.")
    session.run(_watch(given))


async def _watch(options: Options) -> None:
    # Our own jobs are told to our own client alone: `remember` gives us the id that `run` had.
    async with session.connected(options.server, remember=True) as connection:
        ids = [await _found(connection, each) for each in options.ids]
        if not ids:  # from then on a job that came and went between two looks at the queue is looked up there
            await connection.load_history(1)
        watcher = Watcher(connection, tuple(dict.fromkeys(ids)), options)
        try:
            code = await watcher.run()
        except (asyncio.CancelledError, Failed) as end:
            if isinstance(end, asyncio.CancelledError) or options.cancel_on_exit:
                await following.leave(connection, watcher.ids, options.server, cancel=options.cancel_on_exit)
            raise
        finally:
            watcher.close()
    if code is not Exit.OK:
        raise Failed(code)


async def _found(connection: Connection, given: str) -> str:
    """The job that is meant. Raises Failed if there is none."""
    state = connection.state
    queued = (*state.running, *state.waiting, *state.held)
    if given in queued:
        return given
    if given != "last":
        with contextlib.suppress(Missing):
            await connection.load_job(given)
            return given
    await connection.load_history(RECENT)
    state = connection.state
    known = (*reversed(state.waiting), *state.running, *state.history)  # the newest first
    if given == "last":
        if not known:
            raise Failed(Exit.USAGE, "the server has had no job yet")
        return known[0]
    return following.one_of(dict.fromkeys((*queued, *known)), given, "is known", "comfytui queue and history list them")


class Watcher:
    """Collects what happens as it happens, and prints it in order."""

    def __init__(self, connection: Connection, ids: tuple[str, ...], options: Options) -> None:
        self.ids = ids
        self._connection = connection
        self._options = options
        self._followed = frozenset(ids) if ids else None
        self._json = options.as_json or not sys.stdout.isatty()
        self._began = time.time()
        self._before = connection.state
        self._waiting: deque[Event] = deque(events.snapshot(self._before, self._began, ids or None))
        self._progressed = 0.0
        self._ended: dict[str, Exit] = {}
        self._news = asyncio.Event()
        self._unsubscribe = connection.subscribe(self._heard)

    def close(self) -> None:
        """Hear no more."""
        self._unsubscribe()

    async def run(self) -> Exit:
        """Print until there is nothing to come; the code for it. Raises Failed if the server stays away."""
        default = PATIENCE if self.ids else FOREVER
        patience = default if self._options.patience is None else self._options.patience
        absence = following.Absence(self._connection, patience)
        while True:
            self._news.clear()
            while self._waiting:
                await self._print(self._waiting.popleft())
            state = self._connection.state
            if self.ids and all(each in self._ended for each in self.ids):
                return next((code for each in self.ids if (code := self._ended[each]) is not Exit.OK), Exit.OK)
            away = absence.check("The jobs may go on there" if self.ids else "")
            if self._options.idle and not (away or state.running or state.waiting or self._waiting):
                return Exit.OK
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0 if away else None):
                    await self._news.wait()

    def _heard(self, state: ServerState) -> None:
        before, self._before = self._before, state
        for event in events.between(before, state, time.time(), self._followed, self._began):
            if event.event == "progress" and event.value != event.maximum:
                if event.at - self._progressed < OFTEN:
                    continue
                self._progressed = event.at
            self._waiting.append(event)
        self._news.set()

    async def _print(self, event: Event) -> None:
        prompt_id = event.prompt_id or ""
        if event.event in ENDED or event.event == "removed":
            if event.event == "done":
                await self._outputs(prompt_id)
            code = following.ENDS[ENDED[event.event]] if event.event in ENDED else Exit.LOST
            self._ended.setdefault(prompt_id, code)
        if self._json:
            output.json(event)
        else:
            output.line(in_words(event))

    async def _outputs(self, prompt_id: str) -> None:
        """Print a done job's outputs before its end: the history tells them a moment after the event."""
        job = self._connection.state.jobs.get(prompt_id)
        if job is None or job.state is not JobState.DONE:
            return
        await following.complete(self._connection, job)
        late = [each for each in self._waiting if each.event == "output" and each.prompt_id == prompt_id]
        for each in late:
            self._waiting.remove(each)
            await self._print(each)


def in_words(event: Event) -> str:
    """A line for a person."""
    when = datetime.fromtimestamp(event.at).strftime("%H:%M:%S")
    parts = [when, (event.prompt_id or "")[:8].ljust(8), event.event.ljust(12)]
    match event.event:
        case "node":
            parts.append(f"{event.node}: {event.state}")
        case "progress":
            rate = f"  {event.rate:.1f} it/s" if event.rate else ""
            left = f"  {event.left:.0f} s left" if event.left is not None else ""
            parts.append(f"{event.value:g}/{event.maximum:g}{rate}{left}")
        case "output":
            parts.append(" ".join(each for each in (event.type, event.subfolder, event.filename, event.text) if each))
        case "queue":
            parts.append(f"{event.running} running, {event.waiting} waiting")
        case "gap":
            parts.append(f"no news for {event.seconds:.0f} s")
        case _:
            seconds = f"{event.seconds:.1f} s" if event.seconds is not None else None
            parts += [each for each in (event.workflow, seconds, event.error, event.server) if each]
    return "  ".join(parts).rstrip().replace("\n", " ")

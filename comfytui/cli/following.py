"""Waits for jobs: which exit code their ends have, when a server has been away for too long, and how to come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from comfytui.cli import diagnostics
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.client.errors import ClientError, Missing
from comfytui.settings import files, servers
from comfytui.state.connection import Connection
from comfytui.state.model import Job, JobState, Phase

ENDS = {
    JobState.DONE: Exit.OK,
    JobState.FAILED: Exit.JOB_FAILED,
    JobState.INTERRUPTED: Exit.INTERRUPTED,
    JobState.LOST: Exit.LOST,
}
ATTEMPTS = 20  # to read a finished job: a server says that it is done before its history has it
PAUSE = 0.1
GOODBYE = 5.0  # seconds to cancel what is left when we are asked to leave


async def wait(connection: Connection, prompt_id: str, patience: float) -> Job:
    """The job, once it has ended. Raises Failed if the server stays away for longer than `patience` seconds."""
    changed = asyncio.Event()
    unsubscribe = connection.subscribe(lambda _: changed.set())
    absence = Absence(connection, patience)
    seen = False
    try:
        while True:
            job = connection.state.jobs.get(prompt_id)
            if job is not None and job.state in ENDS:
                return job
            if job is None and seen:  # somebody deleted it, its history entry included
                raise Failed(Exit.LOST, f"{prompt_id}: {Exit.LOST.meaning}")
            seen = job is not None
            away = absence.check(f"The job may go on there: its id is {prompt_id}")
            changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0 if away else None):
                    await changed.wait()
    finally:
        unsubscribe()


class Absence:
    """How long a server has been away."""

    def __init__(self, connection: Connection, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._since: float | None = None

    def check(self, more: str) -> bool:
        """Whether it is away. Raises Failed, with `more` to say, if it has been for too long."""
        link = self._connection.state.link
        if link.phase is Phase.LIVE:
            self._since = None
            return False
        now = asyncio.get_running_loop().time()
        self._since = self._since if self._since is not None else now
        if now - self._since >= self._patience:
            raise Failed(Exit.UNREACHABLE, f"{link.error or f'{link.url} does not answer'}\n{more}")
        return True


async def complete(connection: Connection, job: Job) -> Job:
    """The job with its outputs. The history may have it a moment later than the event that it is done."""
    for attempt in range(ATTEMPTS):
        if job.outputs or job.state is not JobState.DONE:
            break
        with contextlib.suppress(Missing):
            await connection.load_job(job.id)
            job = connection.state.jobs.get(job.id, job)
            if attempt:  # it is in the history and has no outputs: then there are none
                break
        await asyncio.sleep(PAUSE)
    return job


def error_of(job: Job) -> str:
    """Why a job did not succeed, naming the node; empty if it did, or has not ended."""
    failure = job.failure
    if failure is not None:
        where = f"node {failure.node_id} ({failure.node_type}): " if failure.node_id else ""
        kind = f"{failure.exception_type}: " if failure.exception_type else ""
        return f"{where}{kind}{failure.message.strip()}"
    return ENDS[job.state].meaning if job.state in ENDS and job.state is not JobState.DONE else ""


def one_of(known: Iterable[str], given: str, there: str, where: str) -> str:
    """The id that begins with what was given; `there` and `where` complete the sentence of the Failed that is raised
    if there is not exactly one.
    """
    listed = list(known)
    found = [each for each in listed if each == given] or [each for each in listed if each.startswith(given)]
    if len(found) != 1 or not given:
        many = f"{len(found)} jobs begin with" if found else f"no job {there} that begins with"
        raise Failed(Exit.USAGE, f"{many} {given!r}; {where}")
    return found[0]


def left_of(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those that have not ended, as far as we know."""
    jobs = connection.state.jobs
    return [each for each in ids if each not in jobs or jobs[each].state not in ENDS]


async def stop(connection: Connection, ids: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take these out of the queue, and interrupt what runs of them; which were which. Raises ClientError."""
    state = connection.state
    wanted = list(ids)
    running = tuple(each for each in wanted if each in state.running)
    waiting = tuple(each for each in wanted if each not in running)
    if waiting:
        await connection.cancel(waiting)
    for each in running:
        await connection.interrupt(each)
    # What waited may have begun meanwhile: it is not in the queue any more, and was not deleted from it.
    begun = tuple(each for each in waiting if each in connection.state.running)
    for each in begun:
        await connection.interrupt(each)
    return tuple(each for each in waiting if each not in begun), running + begun


async def leave(connection: Connection, ids: Sequence[str], server: str | None, *, cancel: bool) -> None:
    """We are asked to stop watching: cancel what is left of these jobs, or say that they go on, and how to come back."""
    left = left_of(connection, ids)
    if not left:
        return
    url, _ = servers.meant(files.load(), server)  # as it was named: its credentials are found by that
    if cancel:
        try:
            async with asyncio.timeout(GOODBYE):
                cancelled, interrupted = await stop(connection, left)
        except (ClientError, TimeoutError) as error:
            why = str(error) or "the server does not answer"
            diagnostics.say(f"\nnot cancelled: {why}")
        else:
            diagnostics.say(f"\nstopped: {len(interrupted)} interrupted, {len(cancelled)} taken out of the queue")
            return
    shown = " ".join(left) if len(left) <= 3 else ""  # a line of a thousand ids helps nobody
    diagnostics.say(
        f"\nstopped watching; {len(left)} {'job goes' if len(left) == 1 else 'jobs go'} on at {url}:\n"
        + "".join(f"  {each}\n" for each in left[:20])
        + (f"  … and {len(left) - 20} more\n" if len(left) > 20 else "")
        + f"come back:    comfytui watch {shown}{' ' if shown else ''}--server {url}\n"
        + f"the results:  comfytui fetch {left[0]} --server {url}\n"
        + f"see them:     comfytui queue --server {url}, comfytui history --server {url}\n"
        + f"stop one:     comfytui cancel {left[0]} --server {url}"
    )

"""Tells somebody who looks elsewhere that a job has ended: by the terminal's bell, a message of it, and a command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfytui.client import sanitize
from comfytui.state.model import Job, JobState, Origin, ServerState
from comfytui.tui.terminal import notices
from comfytui.tui.wording import clock, cut, one_line, plural

if TYPE_CHECKING:
    from comfytui.settings.schema import Notify
    from comfytui.tui.app import Dashboard

ENDED: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.INTERRUPTED, JobState.LOST})
BAD: Final = frozenset({JobState.FAILED, JobState.LOST})
COMMAND_SECONDS: Final = 20.0  # that a user's command may take
MOST_COMMANDS: Final = 20  # of one change: after a long gap hundreds of jobs may have ended
_PLACE: Final = re.compile(r"\{(server|id|name|state|seconds|error)\}")


@dataclass(frozen=True)
class Ended:
    """A job that has ended. All text is clean, on one line, and begins with no dash: no command takes it for an option."""

    server: str
    id: str
    name: str
    state: str
    seconds: int
    error: str = ""

    @property
    def bad(self) -> bool:
        return self.state in BAD

    @property
    def sentence(self) -> str:
        took = f" after {clock(self.seconds)}" if self.seconds else ""
        return f"{self.name} {self.state}{took} on {self.server}" + (f": {self.error}" if self.error else "")


def ended(name: str, old: ServerState, new: ServerState) -> Iterator[Job]:
    """The jobs that ran or waited, and do no more: between two states that follow each other."""
    if old.jobs is new.jobs:
        return
    # Thousands may wait: only where the queue has changed are they looked at.
    waited = old.waiting if old.waiting is not new.waiting else ()
    for prompt_id in (*old.running, *waited):
        job = new.jobs.get(prompt_id)
        if job is not None and job.state in ENDED:
            yield job


def told_of(name: str, job: Job) -> Ended:
    """A job as it is told."""
    seconds = max(0.0, job.ended - job.started) if job.started is not None and job.ended is not None else 0.0
    error = job.failure.message if job.failure is not None else ""
    called = job.facts.name or job.facts.positive or job.id[:8]
    return Ended(_plain(name), _plain(job.id), _plain(called, 60), str(job.state), round(seconds), _plain(error))


def wanted(job: Job, told: Ended, settings: Notify) -> bool:
    """Whether the settings ask for this one. A failure is worth it however short it was."""
    if settings.jobs == "none" or (settings.jobs == "ours" and job.origin is not Origin.OURS):
        return False
    return told.bad or (not settings.failures_only and told.seconds >= settings.seconds)


def filled(arguments: tuple[str, ...], told: Ended) -> list[str]:
    """A command's arguments with `{name}` and the like filled in; other braces stay as they are."""
    values = _values(told)
    return [_PLACE.sub(lambda match: values[match[1]], each) for each in arguments]


def _values(told: Ended) -> dict[str, str]:
    return {
        "server": told.server, "id": told.id, "name": told.name, "state": told.state, "seconds": str(told.seconds),
        "error": told.error,
    }  # fmt: skip


def _plain(text: str, width: int = 200) -> str:
    return cut(one_line(sanitize.line(text)), width).lstrip("-–— ") or "?" if text else ""


class Notifier:
    """Hears of every connected server; `heard` is for `Session.watch`."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self.focused: bool | None = None  # whether the terminal is looked at; None: it has not told yet
        self._complained: tuple[str, ...] | None = None  # of which command it was told that it fails
        self._waiting: list[Ended] = []
        self._one = asyncio.Lock()  # one command after the other

    @property
    def _settings(self) -> Notify:
        return self._dashboard.settings.notify

    def heard(self, name: str, old: ServerState, new: ServerState) -> None:
        """A server's state has changed."""
        if self._settings.jobs == "none" or old.jobs is new.jobs:
            return
        if self.focused and not self._settings.focused:
            return
        all_told = [(job, told_of(name, job)) for job in ended(name, old, new)]
        if news := [told for job, told in all_told if wanted(job, told, self._settings)]:
            self._tell(news)

    def _tell(self, news: list[Ended]) -> None:
        settings, link = self._settings, self._dashboard.link
        body = news[0].sentence if len(news) == 1 else _several(news)
        if sequence := notices.message("comfytui", body, settings.terminal, os.environ):
            link.write(sequence)
        if settings.bell:
            link.write(notices.BELL)
        if settings.command:
            self._dashboard.run_worker(self._run(news[:MOST_COMMANDS]), name="notify", group="notify")

    async def _run(self, news: list[Ended]) -> None:
        for told in news:
            command = self._settings.command
            async with self._one:
                problem = await run_command(command, told)
            if problem and self._complained != command:
                self._complained = command  # once: it will fail for every job
                self._dashboard.report(f"notify.command: {problem}")


def _several(news: list[Ended]) -> str:
    bad = sum(told.bad for told in news)
    servers = ", ".join(dict.fromkeys(told.server for told in news))
    return f"{plural(len(news), 'job')} ended on {servers}" + (f", {bad} failed" if bad else "")


async def run_command(command: tuple[str, ...], told: Ended) -> str:
    """Run a user's command for a job, without a shell, within a time; what was wrong, "" if nothing."""
    arguments = filled(command, told)
    environment: Mapping[str, str] = {
        **os.environ, **{f"COMFYTUI_JOB_{key.upper()}": value for key, value in _values(told).items()}
    }  # fmt: skip
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a ctrl-c, and the end of the terminal, are not for it
        )
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        return f"{sanitize.line(arguments[0])}: {getattr(error, 'strerror', None) or error}"
    try:
        code = await asyncio.wait_for(process.wait(), COMMAND_SECONDS)
    except TimeoutError:
        return f"{sanitize.line(arguments[0])} was stopped: it took more than {COMMAND_SECONDS:g} s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return "" if code == 0 else f"{sanitize.line(arguments[0])} ended with code {code}"

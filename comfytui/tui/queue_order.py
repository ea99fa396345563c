"""What Queue lists, in which order, whose it is, and when it should begin. Plain functions on a frozen state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from comfytui.state.model import Job, JobState, Origin, ServerState
from comfytui.state.times import Start, progress
from comfytui.tui.lost_jobs import lost_ids
from comfytui.tui.wording import clock, cut_middle, one_line, plural, roughly, time_of_day


class Listed(NamedTuple):
    """The jobs of the screen, from the top: what needs somebody first, then in the order in which it runs."""

    lost: tuple[Job, ...]
    running: tuple[Job, ...]
    waiting: tuple[Job, ...]
    held: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        return (*self.lost, *self.running, *self.waiting, *self.held)


def listed(state: ServerState) -> Listed:
    """The lost, running, waiting and held jobs."""
    parts = (lost_ids(state), state.running, state.waiting, state.held)
    lost, running, waiting, held = (
        tuple(job for key in part if (job := state.jobs.get(key)) is not None) for part in parts
    )
    return Listed(lost, running, waiting, held)


def count(state: ServerState) -> str:
    """How many of each: 1 running · 4 waiting · 2 held · 1 lost."""
    found = [(len(state.running), "running"), (len(state.waiting), "waiting"), (len(state.held), "held")]
    found.append((len(lost_ids(state)), "lost"))
    return " · ".join(f"{number} {word}" for number, word in found if number or word in ("running", "waiting"))


def end(state: ServerState, starts: Mapping[str, Start], now: float) -> float | None:
    """In how many seconds all that runs and waits should be done; None if that cannot be told, or nothing is there."""
    if state.waiting:
        last = starts.get(state.waiting[-1])
        return None if last is None or last.at is None or last.seconds is None else last.at + last.seconds - now
    lefts = [progress(state, job, now).left for key in state.running if (job := state.jobs.get(key))]
    known = [left for left in lefts if left is not None]
    return max(known) if known and len(known) == len(lefts) else None


def place(state: ServerState, job: Job) -> str:
    """Its place in what waits, "" if it does not wait."""
    return str(state.waiting.index(job.id) + 1) if job.id in state.waiting else ""


def sender(job: Job) -> str:
    """Who sent it, in at most seven cells."""
    if job.origin is Origin.OTHER:
        return cut_middle(one_line(job.client_id or ""), 7)
    return {Origin.OURS: "me", Origin.BROADCAST: "no id"}.get(job.origin, "–")


def sender_told(job: Job) -> str:
    """Who sent it, as a sentence of its details."""
    if job.origin is Origin.OTHER:
        return f"another client, {one_line(job.client_id or '')}: the server tells its progress to that one only"
    return {
        Origin.OURS: "this program",
        Origin.BROADCAST: "somebody who gave no client id: the server tells its progress to everybody",
    }.get(job.origin, "not told by the server")


def start_told(state: ServerState, job: Job, starts: Mapping[str, Start], now: float) -> str:
    """When a waiting job should begin and by what that is known, or why it is not."""
    start = starts.get(job.id)
    if start is None or start.at is None:
        return f"start unknown: {_why_unknown(state, job, starts, now)}"
    told = f"starts in {roughly(start.at - now)}, about {time_of_day(start.at)[:5]}"
    if start.seconds is None:
        return told
    by = {"learned": "as before", "similar": "as similar jobs"}.get(start.source, "")
    return f"{told} · should take {clock(start.seconds)}" + (f", {by}" if by else "")


def _why_unknown(state: ServerState, job: Job, starts: Mapping[str, Start], now: float) -> str:
    for key in state.running:
        runs = state.jobs.get(key)
        if runs is not None and progress(state, runs, now).left is None:
            told = state.run is None or state.run.prompt_id != key or state.run.told
            if not told:
                return "what runs is another client's, and how long such a job takes has not been seen yet"
            return "how long the running job takes has not been seen yet"
    before = state.waiting[: state.waiting.index(job.id)] if job.id in state.waiting else ()
    for number, key in enumerate(before, 1):
        if key in starts and starts[key].seconds is None:
            return f"how long number {number} takes has not been seen yet"
    return "the server has not told enough yet"


def behind(state: ServerState, job: Job) -> float | None:
    """A number that puts a copy right behind a running or waiting job; None: at the end, as any other."""
    if job.id in state.running and state.waiting:
        return state.jobs[state.waiting[0]].number - 1.0
    if job.id not in state.waiting or job.id == state.waiting[-1]:
        return None
    following = state.jobs[state.waiting[state.waiting.index(job.id) + 1]]
    return (job.number + following.number) / 2


def summary(jobs: tuple[Job, ...]) -> str:
    """What several jobs are that is worth knowing before they are taken away, "" if they are all ours and wait."""
    parts = (
        (sum(job.state is JobState.RUNNING for job in jobs), "runs and will be interrupted", "run"),
        (sum(job.state is JobState.HELD for job in jobs), "is held here", "are held here"),
        (sum(job.state is JobState.LOST for job in jobs), "is lost and will be forgotten", "are lost"),
        (others(jobs), "is not ours", "are not ours"),
    )
    return ", ".join(f"{number} {one if number == 1 else many}" for number, one, many in parts if number)


def others(jobs: tuple[Job, ...]) -> int:
    """How many of them somebody else sent. Lost and held ones count as well: we may hold what is not ours."""
    return sum(not job.mine for job in jobs)


def taken(state: ServerState | None) -> str:
    """What becomes of a job that is submitted now."""
    return "held here, for the queue is paused" if state is not None and state.paused else "queued"


def some(jobs: tuple[Job, ...]) -> str:
    """Two jobs, or the name of the only one."""
    if len(jobs) == 1:
        return one_line(jobs[0].facts.name) or "1 job"
    return plural(len(jobs), "job")

"""Which job Live shows: what runs, unless the user has gone to another one. Plain functions on the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState


def line_up(state: ServerState) -> tuple[str, ...]:
    """The jobs that `n` walks through: the one that ended last, what runs, and what waits in its order."""
    ended = last_ended(state)
    ids = (*(() if ended is None else (ended.id,)), *state.running, *state.waiting)
    return tuple(dict.fromkeys(each for each in ids if each in state.jobs))


def followed(state: ServerState) -> Job | None:
    """What is shown while nobody chooses: the running job, else the one that ended last."""
    running = next((state.jobs[each] for each in state.running if each in state.jobs), None)
    return running or last_ended(state)


def last_ended(state: ServerState) -> Job | None:
    """The newest entry of the history; while that is not loaded, the last job that we saw end."""
    newest = next((state.jobs[each] for each in state.history if each in state.jobs), None)
    if newest is not None:
        return newest
    ended = [job for job in state.jobs.values() if job.ended is not None]
    return max(ended, key=lambda job: job.ended or 0.0, default=None)


def step(state: ServerState, shown: str | None, by: int) -> str | None:
    """The job after (`by` = 1) or before (-1) the one that is shown, round and round; None if there is no other."""
    ids = line_up(state)
    if shown not in ids:  # it has left the queue while it was looked at: go on with what runs now
        now = followed(state)
        return None if now is None or now.id == shown else now.id
    other = ids[(ids.index(shown) + by) % len(ids)]
    return None if other == shown else other


def place(state: ServerState, job: Job) -> str:
    """Where a job stands, in words for a border: `waiting, 2 of 5`; nothing for what runs."""
    if job.id in state.waiting:
        return f"waiting, {state.waiting.index(job.id) + 1} of {len(state.waiting)}"
    return "" if job.id in state.running else "last job" if job == last_ended(state) else "ended"

"""Jobs that this side keeps: held back, or sent and perhaps forgotten by the server. Pure functions."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.state import changes as c
from comfytui.state import runs
from comfytui.state.about import about
from comfytui.state.model import Failure, Job, JobState, ServerState, TimelineEntry
from comfytui.state.timeline import noted

LOST = "The server no longer knows this job: it was restarted, or somebody took the job back."


def on_recalled(state: ServerState, event: c.Recalled, at: float) -> ServerState:
    """What was kept, put among the jobs. What we sent waits until the server has been asked; it may have ended."""
    del at
    found: dict[str, Job] = {}  # an id stands once, whatever was kept of it
    for where, items in ((JobState.HELD, event.held), (JobState.WAITING, event.sent), (JobState.LOST, event.lost)):
        for item in items:
            if item.prompt_id not in state.jobs and item.prompt_id not in found:
                failure = Failure(message=LOST) if where is JobState.LOST else None
                found[item.prompt_id] = replace(_job(state, item), state=where, failure=failure)
    fresh = list(found.values())
    if fresh:
        state = runs.store(state, *fresh)
    lost = tuple(job.id for job in fresh if job.state is JobState.LOST)
    held = tuple(job.id for job in fresh if job.state is JobState.HELD)
    if not fresh and state.paused == event.paused:
        return state
    state = replace(state, paused=event.paused, history=(*lost, *state.history))
    return in_order(state, (*state.held, *held))


def on_held(state: ServerState, event: c.Held, at: float) -> ServerState:
    """Out of the server's queue, onto this side; or another number for what is held already."""
    changed: list[Job] = []
    for item in event.jobs:
        job = state.jobs.get(item.prompt_id)
        if job is not None and (job.state in runs.ENDED or job.state is JobState.RUNNING):
            continue  # it was faster
        if job is not None and job.state is JobState.HELD:
            changed.append(replace(job, number=item.number))
            continue
        job = job or _job(state, item)
        job = replace(job, state=JobState.HELD, number=item.number, touched=state.version + 1, failure=None)
        changed.append(noted(job, TimelineEntry(at, "held", "", job.id)))
    if not changed:
        return state
    ids = {job.id for job in changed}
    state = runs.store(state, *changed)
    state = replace(
        state,
        running=tuple(item for item in state.running if item not in ids),
        waiting=tuple(item for item in state.waiting if item not in ids),
        history=tuple(item for item in state.history if item not in ids),
    )
    return in_order(state, (*state.held, *(item for item in ids if item not in state.held)))


def on_paused(state: ServerState, event: c.Paused, at: float) -> ServerState:
    del at
    return state if state.paused == event.paused else replace(state, paused=event.paused)


def on_read_only(state: ServerState, event: c.ReadOnlySet, at: float) -> ServerState:
    del at
    return state if state.read_only == event.read_only else replace(state, read_only=event.read_only)


def in_order(state: ServerState, ids: tuple[str, ...]) -> ServerState:
    """`held` made of those that are, by number and then by id."""
    held = [item for item in ids if (job := state.jobs.get(item)) is not None and job.state is JobState.HELD]
    order = tuple(sorted(held, key=lambda item: (state.jobs[item].number, item)))
    return state if order == state.held else replace(state, held=order)


def _job(state: ServerState, item: c.Kept) -> Job:
    known = about(item.graph, item.name)
    return Job(
        id=item.prompt_id,
        state=JobState.HELD,
        number=item.number,
        mine=item.mine,
        graph=item.graph,
        extra_data=item.extra_data,
        facts=known.facts,
        shape=known.shape,
        created=item.at or None,
        client_id=state.client_id if item.mine else str(item.extra_data.get("client_id") or ""),
        touched=state.version + 1,
    )

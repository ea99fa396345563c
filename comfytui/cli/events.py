"""What happened between two states of a server, as the lines that `comfytui watch` prints. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from comfytui.cli.following import ENDS, error_of
from comfytui.cli.shapes import Event, EventName
from comfytui.state.model import Job, JobState, NodeState, Output, Phase, ServerState

NAMES: dict[JobState, EventName] = {
    JobState.WAITING: "waiting",
    JobState.RUNNING: "running",
    JobState.HELD: "held",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.INTERRUPTED: "interrupted",
    JobState.LOST: "lost",
}


def snapshot(state: ServerState, at: float, followed: Collection[str] | None) -> list[Event]:
    """How things stand when watching begins: the connection, the queue, and the jobs in it (or those followed, ended or not)."""
    found = [Event(at=at, event="connected", server=state.link.url)]
    if followed is None:
        found.append(_queue(state, at))
        followed = (*state.running, *state.waiting)
    for prompt_id in followed:
        if (job := state.jobs.get(prompt_id)) is not None:
            found += _job(None, job, at)
    return found


def between(
    before: ServerState, after: ServerState, at: float, followed: Collection[str] | None, since: float
) -> list[Event]:
    """What happened, oldest first. `followed` None: all jobs but those that had ended before `since`."""
    found = list(_link(before, after, at))
    for prompt_id, job in after.jobs.items():
        old = before.jobs.get(prompt_id)
        if old is job or (followed is not None and prompt_id not in followed):
            continue
        # One that is seen for the first time when it has ended is news only if it ended while we watched.
        if old is None and followed is None and job.state in ENDS and (job.ended or 0.0) < since:
            continue
        found += _job(old, job, at)
    for prompt_id in before.jobs if before.jobs is not after.jobs else ():
        if prompt_id not in after.jobs and (followed is None or prompt_id in followed):
            found.append(Event(at=at, event="removed", prompt_id=prompt_id))
    found += _progress(before, after, at, followed)
    if followed is None and _lengths(before) != _lengths(after):
        found.append(_queue(after, at))
    return found


def _link(before: ServerState, after: ServerState, at: float) -> Iterator[Event]:
    was, now = before.link.phase is Phase.LIVE, after.link.phase is Phase.LIVE
    if was and not now:
        yield Event(at=at, event="disconnected", server=after.link.url, error=after.link.error)
    if before.gap is not None and after.gap is None:
        yield Event(at=at, event="gap", since=before.gap.since, seconds=round(max(0.0, at - before.gap.since), 3))
    if now and not was:
        yield Event(at=at, event="connected", server=after.link.url)


def _job(old: Job | None, job: Job, at: float) -> Iterator[Event]:
    """The nodes and the outputs come before the end that they lead to, and after the beginning."""
    changed = old is None or old.state is not job.state
    if changed and job.state not in ENDS:
        yield Event(at=at, event=NAMES[job.state], prompt_id=job.id, workflow=job.facts.name or None)
    if old is None or old.nodes is not job.nodes:
        yield from _nodes(old, job, at)
    if old is None or old.outputs is not job.outputs:
        known = {_key(each) for each in old.outputs} if old is not None else set()
        for each in job.outputs:
            if _key(each) not in known:
                yield _output(job.id, each, at)
    if changed and job.state in ENDS:
        error = error_of(job) or None
        seconds = round(job.seconds, 3) if job.seconds is not None else None
        yield Event(at=at, event=NAMES[job.state], prompt_id=job.id, seconds=seconds, error=error)


def _nodes(old: Job | None, job: Job, at: float) -> Iterator[Event]:
    states = {node.id: node.state for node in old.nodes} if old is not None else {}
    for node in job.nodes:
        if node.state is not states.get(node.id, NodeState.WAITING):
            yield Event(
                at=at, event="node", prompt_id=job.id, node_id=node.id, node=node.title, class_type=node.class_type,
                state=node.state,
            )  # fmt: skip


def _key(output: Output) -> tuple[str, ...]:
    return output.node_id, output.kind, output.filename, output.subfolder, output.type, output.text or ""


def _output(prompt_id: str, output: Output, at: float) -> Event:
    return Event(
        at=at, event="output", prompt_id=prompt_id, node_id=output.node_id, kind=output.kind,
        filename=output.filename or None, subfolder=output.subfolder or None,
        type=output.type if output.filename else None, text=output.text,
    )  # fmt: skip


def _progress(before: ServerState, after: ServerState, at: float, followed: Collection[str] | None) -> Iterator[Event]:
    run, was = after.run, before.run
    if run is None or not run.maximum or (followed is not None and run.prompt_id not in followed):
        return
    if was is not None and (was.prompt_id, was.node_id, was.value, was.maximum) == (
        run.prompt_id, run.node_id, run.value, run.maximum,
    ):  # fmt: skip
        return
    yield Event(
        at=at, event="progress", prompt_id=run.prompt_id, node_id=run.node_id, value=run.value, maximum=run.maximum,
        rate=None if run.rate is None else round(run.rate, 3), left=None if run.left is None else round(run.left, 3),
    )  # fmt: skip


def _queue(state: ServerState, at: float) -> Event:
    running, waiting = _lengths(state)
    return Event(at=at, event="queue", running=running, waiting=waiting)


def _lengths(state: ServerState) -> tuple[int, int]:
    return len(state.running), len(state.waiting)

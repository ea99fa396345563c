"""State and what happened → the next state. Pure; the same state comes back if nothing changed.

The one question that runs through it is which of two stories is newer. Events are told in order; an answer is as old as
its request. So an answer carries the state's version at its request (`asked`), a job the version of its last change
(`touched`), and an answer changes no job that was touched after it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import asdict, replace

from comfytui.client import messages as m
from comfytui.client import sanitize
from comfytui.state import changes as c
from comfytui.state import keeping, runs, times
from comfytui.state.about import about
from comfytui.state.ageing import aged
from comfytui.state.jobs import Jobs
from comfytui.state.model import (
    EMPTY,
    Device,
    Failure,
    Job,
    JobState,
    NodeState,
    Phase,
    Run,
    ServerState,
    Stats,
    TimelineEntry,
)
from comfytui.state.timeline import gap_begins, gap_ends, note, noted

STATS = 240  # samples kept: twenty minutes at one in five seconds
_OUTCOMES = {"done": JobState.DONE, "failed": JobState.FAILED, "interrupted": JobState.INTERRUPTED}


def reduce(state: ServerState, happening: c.Happening, at: float) -> ServerState:
    """The state after `happening`, seen at `at` (seconds, our clock). Never raises for what a server says."""
    handler = _HANDLERS.get(type(happening))
    if handler is None:
        return state  # events we have no use for
    new = handler(state, happening, at)
    return state if new is state else replace(new, version=state.version + 1)


def unlisted(state: ServerState, seen: c.QueueSeen) -> tuple[str, ...]:
    """The jobs that were in the queue and that this answer, which is newer, no longer lists: ask the history."""
    listed = {item.prompt_id for item in (*seen.queue.running, *seen.queue.waiting)} | seen.held
    return tuple(
        job.id
        for job in (state.jobs[item] for item in (*state.running, *state.waiting))
        if job.id not in listed and job.touched <= seen.asked
    )


# The link ------------------------------------------------------------------------------------------------------------


def _connecting(state: ServerState, _: c.Connecting, at: float) -> ServerState:
    if state.link.phase is Phase.REFUSED or state.link.phase is Phase.CLOSED:
        return replace(state, link=replace(state.link, phase=Phase.CONNECTING, since=at, retry_at=None))
    return replace(state, link=replace(state.link, retry_at=None)) if state.link.retry_at is not None else state


def _connected(state: ServerState, _: c.Connected, at: float) -> ServerState:
    link = replace(state.link, phase=Phase.LIVE, since=at, error=None, retry_at=None, attempts=0)
    first = state.gap is None
    state, jobs = gap_ends(replace(state, link=link), at)
    if jobs:
        state = runs.store(state, *jobs)
    return note(state, at, "connected", f"connected to {sanitize.line(link.url)}") if first else state


def _dropped(state: ServerState, event: c.Dropped, at: float) -> ServerState:
    link = state.link
    first = link.phase is Phase.LIVE
    phase = Phase.RECONNECTING if first or link.phase is Phase.RECONNECTING else Phase.CONNECTING
    link = replace(
        link,
        phase=phase,
        since=at if phase is not link.phase else link.since,
        error=event.error,
        retry_at=event.retry_at,
        attempts=link.attempts + 1,
        latency=None,
    )
    state = replace(state, link=link)
    if not first:
        return state
    state = gap_begins(state, at if event.heard is None else min(at, event.heard))
    return note(state, at, "dropped", event.error)


def _rejected(state: ServerState, event: c.Rejected, at: float) -> ServerState:
    link = replace(state.link, phase=Phase.REFUSED, since=at, error=event.error, retry_at=None, latency=None)
    return replace(state, link=link)


def _closed(state: ServerState, _: c.Closed, at: float) -> ServerState:
    return replace(state, link=replace(state.link, phase=Phase.CLOSED, since=at, retry_at=None))


def _measured(state: ServerState, event: c.Measured, at: float) -> ServerState:
    del at
    return replace(state, link=replace(state.link, latency=event.latency))


def _failed(state: ServerState, event: c.ActionFailed, at: float) -> ServerState:
    return note(replace(state, last_error=event.error), at, "error", event.error)


# The queue -----------------------------------------------------------------------------------------------------------


def _status(state: ServerState, event: m.Status, at: float) -> ServerState:
    del at
    if event.queue_remaining is None or event.queue_remaining == state.queue_remaining:
        return state
    return replace(state, queue_remaining=event.queue_remaining)


def _accepted(state: ServerState, event: c.Accepted, at: float) -> ServerState:
    """Its first events may have come before this answer."""
    job = state.jobs.get(event.prompt_id) or Job(id=event.prompt_id, state=JobState.WAITING)
    again = job.state in (JobState.LOST, JobState.HELD) or (not event.mine and job.state is JobState.WAITING)
    known = about(event.graph, event.name or job.facts.name)
    if event.note:
        job = noted(job, TimelineEntry(at, event.note, "", job.id))
    job = replace(
        job,
        state=JobState.WAITING if again else job.state,
        number=event.number,
        mine=job.mine or event.mine,
        graph=event.graph,
        extra_data=event.extra_data,
        facts=known.facts,
        shape=known.shape,
        client_id=str(event.extra_data.get("client_id") or ""),
        failure=None if again else job.failure,
        ended=None if again else job.ended,
        nodes=runs.plan(event.graph, job.targets, job.nodes) if job.nodes or job.state is JobState.RUNNING else (),
        created=at if job.created is None else job.created,
        touched=state.version + 1,
    )
    state = runs.store(state, job)
    if job.state is not JobState.WAITING:
        return times.learned(state, job)  # it ended before we were told that it was accepted
    if again:
        history = tuple(item for item in state.history if item != job.id)
        state = keeping.in_order(replace(state, history=history), state.held)
    return replace(state, waiting=_in_order(state.jobs, {*state.waiting, job.id}))


def _in_order(jobs: Mapping[str, Job], ids: set[str]) -> tuple[str, ...]:
    """As the server takes them: by number, then by id."""
    return tuple(sorted(ids, key=lambda item: (jobs[item].number, item)))


def _queue_seen(state: ServerState, seen: c.QueueSeen, at: float) -> ServerState:
    old = state
    changed: list[Job] = []
    running: list[str] = []
    waiting: set[str] = set()
    for listed, items in ((JobState.RUNNING, seen.queue.running), (JobState.WAITING, seen.queue.waiting)):
        for item in items:
            job = state.jobs.get(item.prompt_id)
            new = _listed(state, job, item, listed, at, seen)
            if new is not job:
                changed.append(new)
            if new.state is JobState.RUNNING:
                running.append(new.id)
            elif new.state is JobState.WAITING:
                waiting.add(new.id)
    if changed:
        state = runs.store(state, *changed)
    # what events told after the request stays where they put it
    running += [i for i in old.running if i not in running and _newer(state, i, seen, JobState.RUNNING)]
    waiting |= {i for i in old.waiting if _newer(state, i, seen, JobState.WAITING)}
    order = _in_order(state.jobs, waiting)
    if (tuple(running), order) != (old.running, old.waiting):
        listed_ids = {*running, *waiting}
        history = tuple(i for i in state.history if i not in listed_ids)
        state = replace(state, running=tuple(running), waiting=order, history=history)
    if state.queue_remaining != len(running) + len(order):
        state = replace(state, queue_remaining=len(running) + len(order))
    return _follow(keeping.in_order(state, state.held))


def _newer(state: ServerState, prompt_id: str, seen: c.QueueSeen, where: JobState) -> bool:
    job = state.jobs[prompt_id]
    return job.state is where and (job.touched > seen.asked or prompt_id in seen.held)


def _listed(state: ServerState, job: Job | None, item: m.Prompt, where: JobState, at: float, seen: c.QueueSeen) -> Job:
    """A job of the queue: new, or with what the answer adds to it."""
    if job is None:
        job = Job(id=item.prompt_id, state=where, touched=state.version + 1)
    elif job.touched > seen.asked:
        return _told_of(state, job, item, seen) if not job.graph and item.graph else job
    if job.state is not where:
        ended = job.state in runs.ENDED or job.state is JobState.LOST
        job = replace(
            job,
            state=where,
            touched=state.version + 1,
            started=None if ended else job.started,
            ended=None,
            failure=None,
            nodes=() if ended else job.nodes,
            outputs=() if ended else job.outputs,
        )
    if where is JobState.RUNNING and job.started is None:
        job = replace(job, started=at)
    return _told_of(state, job, item, seen)


def _told_of(state: ServerState, job: Job, item: m.Prompt, seen: c.QueueSeen | c.HistorySeen) -> Job:
    """What a prompt in the queue or the history says, put into its job."""
    if item.graph is not None and (not job.graph or item.extra_data != job.extra_data):
        graph = item.graph if item.graph else job.graph
        targets = item.outputs or job.targets
        known = seen.facts.get(item.prompt_id) or about(graph, item.name)
        found = known.facts
        created = item.created + seen.skew if item.created is not None else None
        job = replace(
            job,
            graph=graph,
            extra_data=item.extra_data,
            mine=job.mine or (item.client_id != "" and item.client_id == state.client_id),
            facts=found if found.name else replace(found, name=job.facts.name),
            shape=known.shape,
            client_id=item.client_id,
            targets=targets,
            nodes=runs.plan(graph, targets, job.nodes) if job.nodes or job.state is JobState.RUNNING else (),
            created=created if job.created is None else job.created,
        )
    elif item.outputs and item.outputs != job.targets:
        job = replace(job, targets=item.outputs)
    if item.number != job.number:
        job = replace(job, number=item.number)
    return job


def _follow(state: ServerState) -> ServerState:
    """`run` is about something that runs. Of jobs that nobody told us about we know only that they do."""
    if state.run is not None and state.run.prompt_id in state.running:
        return state
    if not state.running:
        return state if state.run is None else replace(state, run=None)
    job = state.jobs[state.running[0]]
    if not job.nodes and job.graph:
        state = runs.store(state, replace(job, nodes=runs.plan(job.graph, job.targets)))
    return replace(state, run=Run(prompt_id=job.id, told=False))


def _vanished(state: ServerState, event: c.Vanished, at: float) -> ServerState:
    """Ours, or seen running: lost. Somebody else's that waited: taken back by them, or gone with a restart."""
    forgotten: list[str] = []
    for prompt_id in event.ids:
        job = state.jobs.get(prompt_id)
        if job is None or job.state not in (JobState.WAITING, JobState.RUNNING) or job.touched > event.asked:
            continue
        if job.mine or job.state is JobState.RUNNING:
            nodes = runs.close_nodes(job.nodes, NodeState.INTERRUPTED, at)
            job = replace(job, state=JobState.LOST, ended=at, nodes=nodes, failure=Failure(message=keeping.LOST))
            state = runs.finish(state, job, at)
        else:
            forgotten.append(prompt_id)
    return _removed(state, c.Removed(tuple(forgotten)), at) if forgotten else state


def _lost(state: ServerState, event: c.Lost, at: float) -> ServerState:
    for prompt_id in event.ids:
        job = state.jobs.get(prompt_id)
        if job is not None and job.state in (JobState.WAITING, JobState.HELD):
            job = replace(job, state=JobState.LOST, ended=at, failure=Failure(message=keeping.LOST))
            state = runs.finish(state, job, at)
    return state


def _removed(state: ServerState, event: c.Removed, at: float) -> ServerState:
    del at
    gone = {item for item in event.ids if item in state.jobs}
    if not gone:
        return state

    def kept(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(item for item in ids if item not in gone)

    state = replace(
        state,
        jobs=Jobs.of(state.jobs).without(gone),
        running=kept(state.running),
        waiting=kept(state.waiting),
        history=kept(state.history),
        held=kept(state.held),
    )
    return _follow(state)


# The history ---------------------------------------------------------------------------------------------------------


def _history_seen(state: ServerState, seen: c.HistorySeen, at: float) -> ServerState:
    del at
    finished: list[Job] = []
    for entry in seen.entries:
        job = state.jobs.get(entry.prompt.prompt_id)
        if job is not None and job.touched > seen.asked and job.state not in runs.ENDED:
            continue  # it runs again under the same id
        if seen.light and job is not None and job.state in runs.ENDED:
            finished.append(job)
            continue
        finished.append(_finished(state, job, entry, seen))
    ids = list(dict.fromkeys(job.id for job in reversed(finished)))
    fresh = set(ids)
    known = [item for item in state.history if item not in fresh]
    if seen.page is c.Page.OLDER:
        order = [*state.history, *(item for item in ids if item not in set(state.history))]
    elif seen.page is c.Page.SINGLE:
        order = [*(item for item in ids if item not in state.history), *state.history]
    elif ids and len(known) == len(state.history) and known and not seen.complete:
        # no overlap: what lies between is unknown, so what is older is loaded anew when asked for
        order = ids + [item for item in known if state.jobs[item].state is JobState.LOST]
    else:
        order = ids + known
    running = tuple(item for item in state.running if item not in fresh)
    waiting = tuple(item for item in state.waiting if item not in fresh)
    state = replace(
        runs.store(state, *finished) if finished else state,
        running=running,
        waiting=waiting,
        history=tuple(order),
        history_loaded=state.history_loaded or seen.page is not c.Page.SINGLE,
        history_complete=seen.complete if seen.page is not c.Page.SINGLE else state.history_complete,
    )
    if seen.page is not c.Page.SINGLE:  # that one is wanted whole
        state = aged(state, len(finished))
    return _follow(keeping.in_order(state, state.held))


def _finished(state: ServerState, job: Job | None, entry: m.HistoryEntry, seen: c.HistorySeen) -> Job:
    """A finished job as the history has it; what events told of its nodes stays."""
    outcome = _OUTCOMES.get(entry.outcome, JobState.DONE)
    if job is None:
        job = Job(id=entry.prompt.prompt_id, state=outcome, touched=state.version + 1)
    job = _told_of(state, job, entry.prompt, seen)
    known = entry.started is not None and entry.ended is not None
    nodes = runs.mark_cached(job.nodes, entry.cached)
    return replace(
        job,
        state=outcome,
        touched=job.touched if job.state is outcome else state.version + 1,
        outputs=tuple(runs.output_of(item) for item in entry.outputs),
        failure=runs.failure_of(entry.error) if entry.error is not None else None,
        started=entry.started + seen.skew if known and entry.started is not None else job.started,
        ended=entry.ended + seen.skew if known and entry.ended is not None else job.ended,
        nodes=runs.close_nodes(nodes, _NODE_OUTCOMES[outcome], job.ended or 0.0),
    )


_NODE_OUTCOMES = {
    JobState.DONE: NodeState.DONE,
    JobState.FAILED: NodeState.FAILED,
    JobState.INTERRUPTED: NodeState.INTERRUPTED,
}


# The rest ------------------------------------------------------------------------------------------------------------


def _features(state: ServerState, event: m.FeatureFlags, at: float) -> ServerState:
    del at
    return replace(state, features=event.features)


def _stats(state: ServerState, event: c.StatsSeen, at: float) -> ServerState:
    said = event.stats
    stats = Stats(
        version=said.version,
        pytorch=said.pytorch,
        python=said.python,
        os=said.os,
        argv=said.argv,
        ram_total=said.ram_total,
        ram_free=said.ram_free,
        devices=tuple(Device(**asdict(device)) for device in said.devices),
        taken=at,
    )
    before = state.stats
    state = replace(state, stats=stats, stats_history=(*state.stats_history[-STATS + 1 :], stats))
    if before is None or before.version == stats.version:
        return state
    # another server, or another version of it, at the same address: its nodes are others
    text = f"the server is now {stats.version or 'of an unknown version'} (was {before.version or 'unknown'})"
    return note(replace(state, object_info=None, features=EMPTY), at, "version", text)


def _learned(state: ServerState, event: c.Learned, at: float) -> ServerState:
    del at
    return replace(state, timings={**event.timings, **state.timings})


def _marked(state: ServerState, event: c.Marked, at: float) -> ServerState:
    del at
    return state if event.marks == state.marks else replace(state, marks=event.marks)


def _local(state: ServerState, event: c.LocalSeen, at: float) -> ServerState:
    del at
    return replace(state, local=(*state.local[-STATS + 1 :], event.sample))


def _catalogue(state: ServerState, event: c.CatalogueSeen, at: float) -> ServerState:
    del at
    return replace(state, object_info=event.object_info)


_HANDLERS: Mapping[type, Callable[[ServerState, Any, float], ServerState]] = {
    **runs.HANDLERS,
    m.Status: _status,
    m.FeatureFlags: _features,
    c.Connecting: _connecting,
    c.Connected: _connected,
    c.Dropped: _dropped,
    c.Rejected: _rejected,
    c.Closed: _closed,
    c.Measured: _measured,
    c.ActionFailed: _failed,
    c.Accepted: _accepted,
    c.QueueSeen: _queue_seen,
    c.Vanished: _vanished,
    c.Lost: _lost,
    c.Removed: _removed,
    c.HistorySeen: _history_seen,
    c.StatsSeen: _stats,
    c.CatalogueSeen: _catalogue,
    c.Recalled: keeping.on_recalled,
    c.Held: keeping.on_held,
    c.Paused: keeping.on_paused,
    c.ReadOnlySet: keeping.on_read_only,
    c.Learned: _learned,
    c.Marked: _marked,
    c.LocalSeen: _local,
}

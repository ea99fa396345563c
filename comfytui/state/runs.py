"""The server's events while prompts run: which node is at what, how fast, and how each job ends. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from comfytui.client import messages as m
from comfytui.state import times
from comfytui.state.ageing import aged
from comfytui.state.jobs import Jobs
from comfytui.state.model import (
    Failure,
    Job,
    JobState,
    NodeRun,
    NodeState,
    Output,
    Preview,
    Run,
    ServerState,
    TimelineEntry,
)
from comfytui.state.samples import sampled
from comfytui.state.timeline import note, noted
from comfytui.workflow.order import expected, titles

MAX_NODES = 5000  # of one job; a server that names more is not describing a graph
SMOOTHING = 4.0  # seconds over which the rate is smoothed; slower steps count nearly alone
ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.INTERRUPTED})
NODE_ENDED = frozenset({NodeState.CACHED, NodeState.DONE, NodeState.FAILED, NodeState.INTERRUPTED})


# Helpers shared with `reduce` ----------------------------------------------------------------------------------------


def store(state: ServerState, *jobs: Job) -> ServerState:
    """The state with these jobs replaced."""
    return replace(state, jobs=Jobs.of(state.jobs).with_(*jobs))


def plan(
    graph: Mapping[str, Any], targets: Iterable[str] = (), before: tuple[NodeRun, ...] = ()
) -> tuple[NodeRun, ...]:
    """The nodes of a graph in the order in which they should run; what is known of them from `before` is kept."""
    known = {node.id: node for node in before}
    names = titles(graph)
    result: list[NodeRun] = []
    for node_id in expected(graph, tuple(targets) or None):
        content = graph.get(node_id)
        class_type = str(content.get("class_type", "")) if isinstance(content, Mapping) else ""
        fresh = NodeRun(id=node_id, class_type=class_type, title=names.get(node_id) or class_type or node_id)
        old = known.pop(node_id, None)
        result.append(fresh if old is None else replace(old, class_type=fresh.class_type, title=fresh.title))
    return (*result, *known.values())


def label(job: Job) -> str:
    """What a job is called in a line of text."""
    return job.facts.name or job.id[:8]


def output_of(media: m.Media) -> Output:
    return Output(media.node_id, media.kind, media.filename, media.subfolder, media.type, media.text, media.raw)


def failure_of(event: m.ExecutionError) -> Failure:
    return Failure(
        message=event.message,
        exception_type=event.exception_type,
        node_id=event.node_id,
        node_type=event.node_type,
        traceback=event.traceback,
        inputs=event.inputs,
    )


def close_nodes(nodes: tuple[NodeRun, ...], outcome: NodeState, at: float) -> tuple[NodeRun, ...]:
    """What still runs has ended so. Waiting nodes stay waiting: they were never needed, or never reached."""
    return tuple(replace(node, state=outcome, ended=at) if node.state is NodeState.RUNNING else node for node in nodes)


def mark_cached(nodes: tuple[NodeRun, ...], ids: Iterable[str]) -> tuple[NodeRun, ...]:
    """These nodes' results were there already. Ids that are not among the nodes are left out."""
    cached = set(ids)
    return tuple(
        replace(node, state=NodeState.CACHED) if node.id in cached and node.state is NodeState.WAITING else node
        for node in nodes
    )


def finish(state: ServerState, job: Job, at: float) -> ServerState:
    """`job`, in its final form, out of the queue and on top of the history."""
    job = replace(job, touched=state.version + 1)
    history = state.history if job.id in state.history[:1] else (job.id, *(i for i in state.history if i != job.id))
    state = replace(
        store(state, job),
        running=_drop(state.running, job.id),
        waiting=_drop(state.waiting, job.id),
        history=history,
        held=_drop(state.held, job.id),
        run=None if state.run is not None and state.run.prompt_id == job.id else state.run,
    )
    state = aged(times.learned(state, job), 1)
    return note(state, at, job.state.value, label(job), job.id)


def _drop(ids: tuple[str, ...], gone: str) -> tuple[str, ...]:
    return tuple(item for item in ids if item != gone) if gone in ids else ids


# Events --------------------------------------------------------------------------------------------------------------


def on_start(state: ServerState, event: m.ExecutionStart, at: float) -> ServerState:
    """Only the client that submitted a prompt is told of its start: so it is ours."""
    job = state.jobs.get(event.prompt_id)
    if job is not None and (job.state in ENDED or (job.state is JobState.RUNNING and _told(state, job.id))):
        return state  # late, or said twice
    return _begin(state, job or Job(id=event.prompt_id, state=JobState.WAITING), at, mine=True)


def _told(state: ServerState, prompt_id: str) -> bool:
    return state.run is not None and state.run.prompt_id == prompt_id and state.run.told


def _begin(state: ServerState, job: Job, at: float, *, mine: bool) -> ServerState:
    job = replace(
        job,
        state=JobState.RUNNING,
        mine=job.mine or mine,
        nodes=plan(job.graph, job.targets, job.nodes),
        started=at if job.started is None else job.started,
        touched=state.version + 1,
    )
    running = state.running if job.id in state.running else (*state.running, job.id)
    other = state.preview is not None and state.preview.prompt_id not in (None, job.id)
    state = replace(
        store(state, job),
        running=running,
        waiting=_drop(state.waiting, job.id),
        history=_drop(state.history, job.id),
        held=_drop(state.held, job.id),
        run=Run(prompt_id=job.id),
        preview=None if other else state.preview,
    )
    return note(state, at, "started", label(job), job.id)


def _running(state: ServerState, prompt_id: str | None, at: float, *, mine: bool) -> tuple[ServerState, Job] | None:
    """The job that an event is about, running and with a told `run`; None if the event is too late to matter.

    Events may come before we know that the prompt exists (the answer to the submission is still on its way), and after a
    reconnect in the middle of a run.
    """
    if prompt_id is None:
        prompt_id = next((item for item in state.running if state.jobs[item].mine), None)
        if prompt_id is None:
            return None
    job = state.jobs.get(prompt_id)
    if job is not None and job.state in ENDED:
        return None
    if job is None or job.state is not JobState.RUNNING or prompt_id not in state.running:
        state = _begin(state, job or Job(id=prompt_id, state=JobState.WAITING), at, mine=mine)
    elif not _told(state, prompt_id):
        if not job.nodes:
            state = store(state, replace(job, nodes=plan(job.graph, job.targets)))
        state = replace(state, run=Run(prompt_id=prompt_id))
    return state, state.jobs[prompt_id]


def on_cached(state: ServerState, event: m.ExecutionCached, at: float) -> ServerState:
    found = _running(state, event.prompt_id, at, mine=True)
    if found is None:
        return state
    state, job = found
    nodes = job.nodes
    if not job.graph:  # told before we know the graph: remembered, and put in order when it comes
        for node_id in event.nodes:
            nodes, _ = _locate(nodes, node_id, None)
    nodes = mark_cached(nodes, event.nodes)
    return state if nodes == job.nodes else store(state, replace(job, nodes=nodes))


def on_executing(state: ServerState, event: m.Executing, at: float) -> ServerState:
    if event.node is None:
        return _on_end(state, event, at)
    found = _running(state, event.prompt_id, at, mine=True)
    if found is None:
        return state
    state, job = found
    run = state.run or Run(prompt_id=job.id)
    nodes, index = _locate(job.nodes, event.node, event.display_node)
    if not run.detailed:  # the old dialect says only what begins
        nodes = tuple(
            replace(node, state=NodeState.DONE, ended=at)
            if node.state is NodeState.RUNNING and position != index
            else node
            for position, node in enumerate(nodes)
        )
    node = nodes[index]
    if node.state not in NODE_ENDED and node.state is not NodeState.RUNNING:
        nodes = _put(nodes, index, replace(node, state=NodeState.RUNNING, started=at))
    last = state.timeline[-1] if state.timeline else None
    if last is None or (last.kind, last.text, last.prompt_id) != ("node", node.title, job.id):
        state = note(state, at, "node", node.title, job.id)
    if run.node_id != node.id:
        run = replace(run, node_id=node.id, value=node.value, maximum=node.maximum, rate=None, left=None, mark=None)
    return replace(store(state, replace(job, nodes=nodes)), run=run)


def _on_end(state: ServerState, event: m.Executing, at: float) -> ServerState:
    """The prompt has ended. If nothing said how, it went well: old servers say no more, and the history corrects us."""
    prompt_id = event.prompt_id or (state.run.prompt_id if state.run is not None and state.run.told else None)
    job = state.jobs.get(prompt_id or "")
    if job is None or job.state is not JobState.RUNNING:
        return state
    done = replace(job, state=JobState.DONE, ended=at, nodes=close_nodes(job.nodes, NodeState.DONE, at))
    return finish(state, done, at)


def on_progress(state: ServerState, event: m.Progress, at: float) -> ServerState:
    """The old dialect; new servers send it too, after `progress_state`."""
    found = _running(state, event.prompt_id, at, mine=False)
    if found is None:
        return state
    state, job = found
    run = state.run or Run(prompt_id=job.id)
    node_id = event.node or run.node_id
    if node_id is None:
        return state
    nodes, index = _locate(job.nodes, node_id, None)
    node = nodes[index]
    if node.state in NODE_ENDED and run.node_id != node.id:
        return state  # out of order
    started = at if node.started is None else node.started
    running = node.state if node.state in NODE_ENDED else NodeState.RUNNING
    node = replace(node, state=running, started=started, value=event.value, maximum=event.maximum)
    state = store(state, replace(job, nodes=_put(nodes, index, node)))
    return sampled(replace(state, run=advance(run, node.id, event.value, event.maximum, at)), at)


def on_progress_state(state: ServerState, event: m.ProgressState, at: float) -> ServerState:
    """All nodes that began. A node that was expanded into others shows the progress of what runs inside it."""
    found = _running(state, event.prompt_id, at, mine=False)
    if found is None:
        return state
    state, job = found
    run = state.run or Run(prompt_id=job.id)
    run = run if run.detailed else replace(run, detailed=True)
    nodes = job.nodes
    active: NodeRun | None = None
    for entry in event.nodes:
        nodes, index = _locate(nodes, entry.node_id, entry.display_node)
        node = _progressed(nodes[index], entry, at)
        if node is not nodes[index]:
            nodes = _put(nodes, index, node)
        if node.state is NodeState.RUNNING and (active is None or active.id != run.node_id):
            active = node
    if nodes is not job.nodes:
        state = store(state, replace(job, nodes=nodes))
    if active is not None:
        run = advance(run, active.id, active.value, active.maximum, at)
    return sampled(replace(state, run=run), at)


def _progressed(node: NodeRun, entry: m.NodeProgress, at: float) -> NodeRun:
    inside = entry.node_id != node.id
    if entry.state == "running":
        if node.state in NODE_ENDED and not inside:
            return node
        # 0 of 1 is how a node begins that tells no progress: no bar for it
        value, maximum = (entry.value, entry.maximum) if entry.maximum > 1 else (node.value, node.maximum)
        if node.state is NodeState.RUNNING and (value, maximum) == (node.value, node.maximum):
            return node
        started = at if node.started is None else node.started
        return replace(node, state=NodeState.RUNNING, started=started, ended=None, value=value, maximum=maximum)
    if entry.state in ("finished", "error") and not inside and node.state not in NODE_ENDED:
        outcome = NodeState.DONE if entry.state == "finished" else NodeState.FAILED
        value = node.maximum if outcome is NodeState.DONE else node.value
        return replace(node, state=outcome, started=at if node.started is None else node.started, ended=at, value=value)
    return node


def on_executed(state: ServerState, event: m.Executed, at: float) -> ServerState:
    """A node's results; also sent for cached nodes, and (without results) for the twin of a node that ran."""
    job = state.jobs.get(event.prompt_id)
    if job is None or job.state not in ENDED:
        found = _running(state, event.prompt_id, at, mine=True)
        if found is None:
            return state
        state, job = found
    nodes = job.nodes
    if job.state not in ENDED:
        nodes, index = _locate(nodes, event.node, event.display_node)
        if nodes[index].state not in NODE_ENDED and nodes[index].id == event.node:
            nodes = _put(nodes, index, replace(nodes[index], state=NodeState.DONE, ended=at))
    new = tuple(output_of(item) for item in event.outputs)
    outputs = (*job.outputs, *(item for item in new if item not in job.outputs))
    if nodes is job.nodes and len(outputs) == len(job.outputs):
        return state
    return store(state, replace(job, nodes=nodes, outputs=outputs))


def on_success(state: ServerState, event: m.ExecutionSuccess, at: float) -> ServerState:
    job = _ending(state, event.prompt_id)
    if job is None:
        return state
    return finish(
        state, replace(job, state=JobState.DONE, ended=at, nodes=close_nodes(job.nodes, NodeState.DONE, at)), at
    )


def on_error(state: ServerState, event: m.ExecutionError, at: float) -> ServerState:
    if event.blocked:  # one branch stopped on purpose; the run goes on, and its end is told separately
        blocked = state.jobs.get(event.prompt_id)
        if blocked is not None:
            entry = TimelineEntry(at, "blocked", event.message, event.prompt_id, None, event.node_id)
            state = store(state, noted(blocked, entry))
        return note(state, at, "blocked", event.message, event.prompt_id)
    job = _ending(state, event.prompt_id)
    if job is None:
        return state
    nodes = _with_state(job.nodes, event.node_id, NodeState.FAILED, at)
    nodes = close_nodes(nodes, NodeState.INTERRUPTED, at)
    return finish(state, replace(job, state=JobState.FAILED, ended=at, nodes=nodes, failure=failure_of(event)), at)


def on_interrupted(state: ServerState, event: m.ExecutionInterrupted, at: float) -> ServerState:
    job = _ending(state, event.prompt_id, mine=False)  # told to everybody if nobody submitted it
    if job is None:
        return state
    nodes = _with_state(job.nodes, event.node_id, NodeState.INTERRUPTED, at)
    nodes = close_nodes(nodes, NodeState.INTERRUPTED, at)
    return finish(state, replace(job, state=JobState.INTERRUPTED, ended=at, nodes=nodes), at)


def _ending(state: ServerState, prompt_id: str, *, mine: bool = True) -> Job | None:
    """The job that an end is told of, also when we never saw it begin; None if it has ended for us already."""
    job = state.jobs.get(prompt_id) or Job(id=prompt_id, state=JobState.RUNNING, mine=mine)
    return None if job.state in ENDED else job


def _with_state(nodes: tuple[NodeRun, ...], node_id: str | None, outcome: NodeState, at: float) -> tuple[NodeRun, ...]:
    if node_id is None:
        return nodes
    nodes, index = _locate(nodes, node_id, None)
    return _put(nodes, index, replace(nodes[index], state=outcome, ended=at))


def on_preview(state: ServerState, event: m.PreviewImage, at: float) -> ServerState:
    """Previews without ids belong to what runs."""
    del at
    run = state.run
    serial = state.preview.serial + 1 if state.preview is not None else 1
    preview = Preview(
        prompt_id=event.prompt_id or (run.prompt_id if run is not None else None),
        node_id=event.node_id or (run.node_id if run is not None else None),
        image_type=event.image_type,
        image=event.image,
        serial=serial,
    )
    return replace(state, preview=preview)


def on_garbage(state: ServerState, event: m.Garbage, at: float) -> ServerState:
    """Said once in a row: a server that sends nothing else must not fill the timeline."""
    if state.timeline and state.timeline[-1].kind == "garbage":
        return state
    return note(state, at, "garbage", f"unreadable: {event.reason}")


def advance(run: Run, node_id: str, value: float, maximum: float, at: float) -> Run:
    """The run with new progress: steps a second, exponentially smoothed over `SMOOTHING` seconds, and what is left.

    Measuring begins with the first step's end: what comes before is mostly loading a model.
    """
    if node_id != run.node_id or value < run.value or maximum != run.maximum:
        mark = (at, value) if value > 0 else None
        return replace(run, node_id=node_id, value=value, maximum=maximum, rate=None, left=None, mark=mark)
    if value == run.value:
        return run
    if run.mark is None:
        return replace(run, value=value, mark=(at, value))
    passed = at - run.mark[0]
    if passed < 1e-3:  # several steps in one packet: measured with the next
        return replace(run, value=value)
    now = (value - run.mark[1]) / passed
    rate = now if run.rate is None else run.rate + (1 - math.exp(-passed / SMOOTHING)) * (now - run.rate)
    left = max(0.0, maximum - value) / rate if rate > 0 else None
    return replace(run, value=value, rate=rate, left=left, mark=(at, value))


def _locate(nodes: tuple[NodeRun, ...], node_id: str, display: str | None) -> tuple[tuple[NodeRun, ...], int]:
    """Where a node is. Nodes made by expansion (`12.0.0.3`) are shown as the one they came from; unknown ones are added."""
    wanted = (node_id, display, node_id.partition(".")[0])
    for name in wanted:
        for index, node in enumerate(nodes):
            if node.id == name:
                return nodes, index
    if len(nodes) >= MAX_NODES:
        return nodes, len(nodes) - 1
    name = display or node_id
    return (*nodes, NodeRun(id=name, class_type="", title=name)), len(nodes)


def _put(nodes: tuple[NodeRun, ...], index: int, node: NodeRun) -> tuple[NodeRun, ...]:
    return (*nodes[:index], node, *nodes[index + 1 :])


HANDLERS: Mapping[type, Callable[[ServerState, Any, float], ServerState]] = {
    m.ExecutionStart: on_start,
    m.ExecutionCached: on_cached,
    m.Executing: on_executing,
    m.Progress: on_progress,
    m.ProgressState: on_progress_state,
    m.Executed: on_executed,
    m.ExecutionSuccess: on_success,
    m.ExecutionError: on_error,
    m.ExecutionInterrupted: on_interrupted,
    m.PreviewImage: on_preview,
    m.Garbage: on_garbage,
}

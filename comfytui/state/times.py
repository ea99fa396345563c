"""How long things take: learned from each run, by workflow and node, and used to say how far a job is and when it ends.

What is not known stays unknown (None): an invented time is worse than none. Seconds throughout. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec.structs import replace

from comfytui.state.model import Frozen, Job, JobState, NodeRun, NodeState, ServerState, Timing
from comfytui.workflow import summary
from comfytui.workflow.graph import Graph
from comfytui.workflow.identity import shape
from comfytui.workflow.summary import Facts

LEARNED = 500  # workflows kept
NODES = 500  # of one workflow
NEW = 0.5  # how much the last run counts against those before
RUNS = 3  # past runs of a workflow that count
ALIKE = 50  # finished jobs of the history that are looked at for an average
HEAVY = 20.0  # the weight of a node that tells progress where no time is known: sampling is most of nearly every job


class Estimate(Frozen, frozen=True):
    """How long a job should take. `source`: learned (this workflow ran before), similar (same model, by size), "".

    learned: from the times of its nodes, kept by this program, or from the server's history.
    """

    seconds: float | None = None
    source: str = ""


class Progress(Frozen, frozen=True):
    """How far a job is. `fraction` is between 0 and 1; `left` None means unknown."""

    fraction: float = 0.0
    elapsed: float | None = None
    left: float | None = None
    source: str = ""  # as in Estimate; "rate" where only the running node's speed tells


class Start(Frozen, frozen=True):
    """When a waiting job should begin (our clock), and how long it should take; None is unknown."""

    at: float | None = None
    seconds: float | None = None
    source: str = ""


def learned(state: ServerState, job: Job) -> ServerState:
    """The state that also knows what this job took. Jobs with a gap in them, or that did not succeed, teach nothing."""
    if job.state is not JobState.DONE or not job.shape or any(entry.kind == "gap" for entry in job.notes):
        return state
    now = {
        node.id: node.ended - node.started
        for node in job.nodes[:NODES]
        if node.state is NodeState.DONE
        and node.started is not None
        and node.ended is not None
        and 0 <= node.ended - node.started < math.inf
    }
    if not now:
        return state
    before = state.timings.get(job.shape)
    old = before.nodes if before is not None else {}
    nodes = {**old, **{key: NEW * took + (1 - NEW) * old.get(key, took) for key, took in now.items()}}
    present = {node.id for node in job.nodes}
    nodes = {key: took for key, took in nodes.items() if key in present}
    timing = Timing(nodes, sum(nodes.values()), work(job.facts), job.facts.model, job.ended or 0.0)
    others = [(key, value) for key, value in state.timings.items() if key != job.shape]
    return replace(state, timings=dict([*others[-LEARNED + 1 :], (job.shape, timing)]))


def work(facts: Facts) -> float | None:
    """Steps × pixels × batch, what sampling time grows with; None if the workflow does not say."""
    if not facts.steps or not facts.width or not facts.height:
        return None
    try:
        found = float(facts.steps) * facts.width * facts.height * (facts.batch or 1) * (facts.denoise or 1.0)
    except OverflowError:
        return None
    return found if 0 < found < math.inf else None


def estimate(state: ServerState, job: Job) -> Estimate:
    """How long the whole of a job should take."""
    timing = state.timings.get(job.shape)
    if timing is not None and timing.total:
        return Estimate(sum(_scaled(timing, job.facts).values()), "learned")
    before = _before(state, job)
    return before if before.seconds is not None else _similar(state, job)


def expected(state: ServerState, graph: Graph) -> Estimate:
    """How long a workflow should take that was not sent yet."""
    return estimate(state, Job("", JobState.WAITING, graph=graph, facts=summary.facts(graph), shape=shape(graph)))


def progress(state: ServerState, job: Job, at: float) -> Progress:
    """How far a job is at `at`: nodes weighted by what they took last time, cached ones not counted."""
    if job.state is JobState.DONE:
        return Progress(1.0, job.seconds, 0.0)
    if job.state is not JobState.RUNNING:
        return Progress(0.0, job.seconds)
    elapsed = None if job.started is None else max(0.0, at - job.started)
    timing = state.timings.get(job.shape)
    known = _scaled(timing, job.facts) if timing is not None else {}
    nodes = [node for node in job.nodes if node.state is not NodeState.CACHED]
    weights = [_weight(node, known) for node in nodes]
    total = sum(weights)
    done = sum(weight * node_fraction(node) for node, weight in zip(nodes, weights, strict=True))
    fraction = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
    left = _left(state, job, nodes, known, at)
    if left is not None:
        return Progress(fraction, elapsed, left, "learned")
    similar = _similar(state, job)
    if similar.seconds is not None and elapsed is not None:
        return Progress(fraction, elapsed, max(0.0, similar.seconds - elapsed), "similar")
    return Progress(fraction, elapsed)


def starts(state: ServerState, at: float) -> dict[str, Start]:
    """When each waiting job should begin, in order. After the first whose time is unknown, all later begins are."""
    begin: float | None = at
    running = [job for item in state.running if (job := state.jobs.get(item)) is not None]
    if running:
        lefts = [progress(state, job, at).left for job in running]
        begin = None if None in lefts else at + min(left for left in lefts if left is not None)
    found: dict[str, Start] = {}
    for item in state.waiting:
        expected = estimate(state, state.jobs[item])
        found[item] = Start(begin, expected.seconds, expected.source)
        begin = None if begin is None or expected.seconds is None else begin + expected.seconds
    return found


def node_fraction(node: NodeRun) -> float:
    """How far one node is, between 0 and 1."""
    if node.state in (NodeState.DONE, NodeState.CACHED):
        return 1.0
    if node.state is NodeState.WAITING or not node.maximum > 0:
        return 0.0
    found = node.value / node.maximum
    return min(1.0, max(0.0, found)) if math.isfinite(found) else 0.0


def _weight(node: NodeRun, known: Mapping[str, float]) -> float:
    if known:
        return known.get(node.id, sum(known.values()) / len(known))
    return HEAVY if node.maximum > 1 or "Sampler" in node.class_type else 1.0


def _left(state: ServerState, job: Job, nodes: list[NodeRun], known: Mapping[str, float], at: float) -> float | None:
    """What the nodes that have not ended should still take; None if that of one of them is not known."""
    run = state.run if state.run is not None and state.run.prompt_id == job.id else None
    left = 0.0
    for node in nodes:
        if node.state is NodeState.RUNNING and run is not None and run.node_id == node.id and run.left is not None:
            left += run.left
        elif node.state in (NodeState.RUNNING, NodeState.WAITING):
            took = known.get(node.id)
            if took is None:
                return None
            if node.state is NodeState.RUNNING and node.maximum > 1:
                took *= 1 - node_fraction(node)
            elif node.state is NodeState.RUNNING and node.started is not None:
                took = max(0.0, took - max(0.0, at - node.started))
            left += took
    if run is not None and not run.told:  # somebody else's: no node tells how far it is
        total = sum(known.get(node.id, 0.0) for node in nodes)
        return None if job.started is None or not total else max(0.0, total - max(0.0, at - job.started))
    return left


def _scaled(timing: Timing, facts: Facts) -> Mapping[str, float]:
    """What the nodes took, the heaviest (it samples) scaled to the work of this job."""
    wanted = work(facts)
    if not timing.nodes or not timing.work or wanted is None:
        return timing.nodes
    heaviest = max(timing.nodes, key=lambda key: timing.nodes[key])
    return {**timing.nodes, heaviest: timing.nodes[heaviest] * wanted / timing.work}


def _before(state: ServerState, job: Job) -> Estimate:
    """By what the same workflow took in the history, newest first; scaled by size where both tell it."""
    wanted = work(job.facts)
    found: list[float] = []
    for item in state.history[:ALIKE]:
        past = state.jobs[item]
        if past.state is JobState.DONE and past.shape and past.shape == job.shape and _whole(past):
            size = work(past.facts)
            found.append((past.seconds or 0.0) * (wanted / size if wanted and size else 1.0))
    return Estimate(sum(found[:RUNS]) / len(found[:RUNS]), "learned") if found else Estimate()


def _whole(job: Job) -> bool:
    """Whether its time is that of all its nodes: what was cached took none."""
    cached = any(node.state is NodeState.CACHED for node in job.nodes)
    return job.seconds is not None and job.seconds > 0 and not cached


def _similar(state: ServerState, job: Job) -> Estimate:
    """By what jobs with the same model took for their size, newest first."""
    wanted = work(job.facts)
    if wanted is None or not job.facts.model:
        return Estimate()
    speeds: list[float] = []
    for item in state.history[:ALIKE]:
        past = state.jobs[item]
        if past.state is JobState.DONE and past.facts.model == job.facts.model:
            size = work(past.facts)
            if size and _whole(past):
                speeds.append((past.seconds or 0.0) / size)
    if not speeds:
        speeds = [t.total / t.work for t in state.timings.values() if t.model == job.facts.model and t.total and t.work]
    return Estimate(wanted * sum(speeds) / len(speeds), "similar") if speeds else Estimate()

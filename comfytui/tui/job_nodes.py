"""The nodes of a job as they are shown, also of one that ended before anybody watched it."""

from __future__ import annotations

import math

from msgspec.structs import replace

from comfytui.state.model import Job, JobState, NodeRun, NodeState
from comfytui.state.runs import plan

_OPEN = (JobState.WAITING, JobState.RUNNING, JobState.HELD)
_STOPPED = (NodeState.FAILED, NodeState.INTERRUPTED)


def with_nodes(job: Job) -> Job:
    """The job with its nodes in the order in which they ran.

    A job of the history has a graph, and nobody told of its nodes one by one: all of a job that is done were
    executed or cached, and of one that failed it is known where.
    """
    if job.nodes or not job.graph:
        return job
    failed = job.failure.node_id if job.failure is not None else None
    ended = NodeState.DONE if job.state is JobState.DONE else NodeState.WAITING
    nodes = plan(job.graph, job.targets)
    return replace(job, nodes=tuple(replace(n, state=NodeState.FAILED if n.id == failed else ended) for n in nodes))


def left_out(job: Job) -> dict[str, str]:
    """Nodes of an ended job that have no end as far as we know, by id: `not reached`, `not needed` or `not told`.

    `not reached`: the job stopped before them. `not needed`: the job succeeded without them. `not told`: they may have
    run while nobody listened, which is another thing; before the node that stopped a job that was not watched, say.
    """
    if job.state in _OPEN:
        return {}
    watched = any(node.started is not None for node in job.nodes) and not any(n.kind == "gap" for n in job.notes)
    stopped = next((i for i, node in enumerate(job.nodes) if node.state in _STOPPED), math.inf)
    found: dict[str, str] = {}
    for index, node in enumerate(job.nodes):
        if node.state is NodeState.RUNNING:  # it was lost with its server: how that node ended nobody knows
            found[node.id] = "not told"
        if node.state is not NodeState.WAITING:
            continue
        if job.state is JobState.DONE:
            found[node.id] = "not needed" if watched else "not told"
        else:
            found[node.id] = "not reached" if watched or index > stopped else "not told"
    return found


def in_a_gap(job: Job, node: NodeRun) -> bool:
    """Whether we were not connected during a part of a node's run: its times are when we heard of it."""
    if node.started is None:
        return False
    begun, ended = node.started, math.inf if node.ended is None else node.ended
    return any(
        entry.kind == "gap" and entry.at <= ended and (math.inf if entry.until is None else entry.until) >= begun
        for entry in job.notes
    )

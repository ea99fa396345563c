"""The nodes of a job as they are shown, also of one that ended before anybody watched it."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.state.model import Job, JobState, NodeState
from comfytui.state.runs import plan


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

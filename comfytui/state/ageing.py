"""Old jobs take less room: of ten thousand finished ones the newest have their graphs, and the rest what a list shows."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.state.jobs import Jobs
from comfytui.state.model import EMPTY, Job, JobState, ServerState

WHOLE = 200  # newest entries of the history that keep everything
MOST = 10_000  # entries of the history
SLACK = 500  # beyond it before the oldest go: dropping copies the whole


def aged(state: ServerState, fresh: int) -> ServerState:
    """The state after `fresh` entries came to the history: those that became old made small, and the oldest dropped."""
    if len(state.history) > MOST + SLACK:
        gone = state.history[MOST:]
        state = replace(
            state, history=state.history[:MOST], history_complete=False, jobs=Jobs.of(state.jobs).without(gone)
        )
    old = {*state.history[WHOLE : WHOLE + fresh], *state.history[max(WHOLE, len(state.history) - fresh) :]}
    small = [compact(job) for item in old if (job := state.jobs[item]).graph or job.nodes]
    small = [job for job in small if job is not state.jobs[job.id]]
    return replace(state, jobs=Jobs.of(state.jobs).with_(*small)) if small else state


def compact(job: Job) -> Job:
    """Without graph, nodes and traceback; loading the job again brings them back. Lost ones exist nowhere else."""
    if job.state is JobState.LOST:
        return job
    failure = job.failure and replace(job.failure, traceback=(), inputs=EMPTY)
    return replace(job, graph=EMPTY, extra_data=EMPTY, nodes=(), notes=(), failure=failure)

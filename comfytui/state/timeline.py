"""What happened, told in order: the lines of a server, and those of one job. Pure functions."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.client import sanitize
from comfytui.state.model import Gap, Job, JobState, NodeState, ServerState, TimelineEntry

TIMELINE = 300  # entries kept of a server
NOTES = 50  # kept of a job, beside what its nodes tell
SHOWN = 500  # of one job's timeline
_ENDS = {
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.INTERRUPTED: "interrupted",
    JobState.LOST: "lost",
}
_BEGUN = (NodeState.RUNNING, NodeState.DONE, NodeState.FAILED, NodeState.INTERRUPTED)


def note(
    state: ServerState, at: float, kind: str, text: str, prompt_id: str | None = None, until: float | None = None
) -> ServerState:
    """The state with one more line in the server's timeline."""
    entry = TimelineEntry(at=at, kind=kind, text=text, prompt_id=prompt_id, until=until)
    return replace(state, timeline=(*state.timeline[-TIMELINE + 1 :], entry))


def noted(job: Job, entry: TimelineEntry) -> Job:
    """The job with one more note."""
    return replace(job, notes=(*job.notes[-NOTES + 1 :], entry))


def gap_begins(state: ServerState, since: float) -> ServerState:
    """From `since` on we know nothing."""
    return replace(state, gap=Gap(since, state.running)) if state.gap is None else state


def gap_ends(state: ServerState, at: float) -> tuple[ServerState, tuple[Job, ...]]:
    """We know again: the gap is a line in the timeline, and a note in what ran meanwhile (to be stored)."""
    gap = state.gap
    if gap is None:
        return state, ()
    since = min(gap.since, at)
    text = f"no news for {round(at - since)} s"
    state = note(replace(state, gap=None), since, "gap", text, until=at)
    entry = TimelineEntry(at=since, kind="gap", text=text, until=at)
    return state, tuple(
        noted(job, replace(entry, prompt_id=job.id)) for item in gap.jobs if (job := state.jobs.get(item)) is not None
    )


def of_job(job: Job) -> tuple[TimelineEntry, ...]:
    """A job's own timeline: queued, started, cached nodes, each node's run, gaps, its end. The newest `SHOWN`, in order.

    A node that runs has no `until`. Nodes whose times nobody told are left out, rather than given invented ones.
    """
    entries = [*job.notes]
    if job.created is not None:
        entries.append(TimelineEntry(job.created, "queued", "", job.id))
    if job.started is not None:
        entries.append(TimelineEntry(job.started, "started", "", job.id))
        cached = [node.title for node in job.nodes if node.state is NodeState.CACHED]
        if cached:
            names = sanitize.line(", ".join(cached), 200)
            count = f"{len(cached)} {'node' if len(cached) == 1 else 'nodes'}"
            entries.append(TimelineEntry(job.started, "cached", f"{count}: {names}", job.id))
    for node in job.nodes:
        if node.state in _BEGUN and node.started is not None:
            kind = "node" if node.state is not NodeState.FAILED else "error"
            entries.append(TimelineEntry(node.started, kind, node.title, job.id, node.ended, node.id))
    if job.ended is not None and job.state in _ENDS:
        text = job.failure.message if job.failure is not None else ""
        entries.append(TimelineEntry(job.ended, _ENDS[job.state], sanitize.line(text, 200), job.id))
    # of two at the same moment the order above: queued, started and cached come before the nodes
    order = {"queued": 0, "started": 1, "cached": 2, "done": 9, "failed": 9, "interrupted": 9, "lost": 9}
    entries.sort(key=lambda entry: (entry.at, order.get(entry.kind, 5)))
    return tuple(entries[-SHOWN:])

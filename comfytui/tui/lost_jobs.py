"""Which jobs the server forgot, found without looking through a long history with each event."""

from __future__ import annotations

from comfytui.state.model import JobState, ServerState

_seen: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    ((), ())
]  # the last history looked through, and what was lost in it


def lost_ids(state: ServerState) -> tuple[str, ...]:
    """The lost jobs, newest first.

    Ten thousand entries cost 6 ms, and several places ask with each event. A job that gets lost comes on top of a new
    history, or is on top of the same one already; so the same history is not looked through again, but for its top.
    """
    history, jobs = state.history, state.jobs

    def lost(key: str) -> bool:
        job = jobs.get(key)
        return job is not None and job.state is JobState.LOST

    if _seen[0][0] is not history:
        _seen[0] = (history, tuple(filter(lost, history)))
    top = history[:1]
    return tuple(key for key in (*top, *(k for k in _seen[0][1] if k not in top)) if lost(key))

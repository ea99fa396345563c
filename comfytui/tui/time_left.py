"""How long the running job should still take, in the words of every line that says so: one source for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfytui.state import times
from comfytui.tui.wording import clock

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState

SOURCES = {"learned": "learned", "similar": "from similar"}


def time_left(state: ServerState, job: Job, now: float) -> tuple[str, str]:
    """`0:06 left` and where that comes from: `learned`, `from similar`; both empty where nothing tells.

    Of a workflow that runs for the first time only the node that runs is known: `0:06 this node`, and no source.
    """
    progress = times.progress(state, job, now)
    if progress.left is not None:
        return f"{clock(progress.left)} left", SOURCES.get(progress.source, "")
    run = state.run
    if run is not None and run.prompt_id == job.id and run.left is not None:
        return f"{clock(run.left)} this node", ""
    return "", ""

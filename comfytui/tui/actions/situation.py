"""When an action makes sense: predicates on what the program shows now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comfytui.state.model import Job, JobState, Phase, ServerState


@dataclass(frozen=True)
class Situation:
    """What decides whether an action is allowed now."""

    state: ServerState | None = None
    job: Job | None = None  # the selected one
    engine_stopped: bool = False  # our own engine has crashed or was stopped
    selected: bool = False  # anything is selected on a screen that does not show jobs
    editing: bool = False  # a workflow is being edited before it runs
    paused: bool = False  # Live is held still

    @property
    def live(self) -> bool:
        return self.state is not None and self.state.link.phase is Phase.LIVE


Allowed = Callable[[Situation], bool]


def always(_: Situation) -> bool:
    return True


def connected(now: Situation) -> bool:
    return now.live


def on_selection(now: Situation) -> bool:
    """Something is selected, job or not."""
    return now.selected or now.job is not None


def on_job(now: Situation) -> bool:
    return now.live and now.job is not None


def on_waiting(now: Situation) -> bool:
    return now.live and now.job is not None and now.job.state is JobState.WAITING


def on_active(now: Situation) -> bool:
    return now.live and now.job is not None and now.job.state in (JobState.WAITING, JobState.RUNNING)


def on_picture(now: Situation) -> bool:
    return now.live and now.job is not None and any(o.kind == "images" for o in now.job.outputs)


def on_failed(now: Situation) -> bool:
    return now.job is not None and now.job.failure is not None


def running(now: Situation) -> bool:
    return now.live and now.state is not None and bool(now.state.running)


def queued(now: Situation) -> bool:
    """Something runs or waits."""
    return running(now) or waiting(now)


def can_pause(now: Situation) -> bool:
    """Something moves, or is held still already."""
    return running(now) or now.paused


def waiting(now: Situation) -> bool:
    return now.live and now.state is not None and bool(now.state.waiting)


def can_retry(now: Situation) -> bool:
    """`r` on Live: restart our engine, connect again, or run the last job again."""
    if now.engine_stopped:
        return True
    return now.state is not None and (not now.live or now.job is not None)


def editing(now: Situation) -> bool:
    return now.editing


def choosing(now: Situation) -> bool:
    """A list is shown, and not the editor."""
    return not now.editing


def chosen(now: Situation) -> bool:
    return now.selected and not now.editing

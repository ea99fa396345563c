"""When an action makes sense: predicates on what the program shows now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from msgspec.structs import replace as with_fields

from comfytui.state.model import Job, JobState, Phase, ServerState
from comfytui.tui.lost_jobs import lost_ids

READ_ONLY = "Read only: nothing is sent that would change the server."


@dataclass(frozen=True)
class Situation:
    """What decides whether an action is allowed now."""

    state: ServerState | None = None
    job: Job | None = None  # the selected one
    marked: tuple[Job, ...] = ()  # what an action on several is about, where jobs can be marked
    engine_stopped: bool = False  # our own engine has crashed or was stopped
    selected: bool = False  # anything is selected on a screen that does not show jobs
    editing: bool = False  # a workflow is being edited before it runs
    listed: bool = False  # a workflow file is selected, usable or not
    on_server: bool = False  # it is one of the server's own
    paused: bool = False  # Live is held still

    @property
    def live(self) -> bool:
        return self.state is not None and self.state.link.phase is Phase.LIVE

    @property
    def read_only(self) -> bool:
        return self.state is not None and self.state.read_only

    @property
    def may_change(self) -> bool:
        """Whether the server answers, and may be changed."""
        return self.live and not self.read_only

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What an action on one or several is about: the marked jobs, else the selected one."""
        return self.marked or (() if self.job is None else (self.job,))


Allowed = Callable[[Situation], bool]


def why_not(allowed: Allowed, now: Situation) -> str:
    """Why an action is not allowed that would be, were it not for read-only; "" where that is not what is in its way."""
    if now.state is None or not now.read_only or allowed(now):
        return ""
    writable = replace(now, state=with_fields(now.state, read_only=False))
    return READ_ONLY if allowed(writable) else ""


def always(_: Situation) -> bool:
    return True


def connected(now: Situation) -> bool:
    return now.live


def disconnected(now: Situation) -> bool:
    """There is no server, or it does not answer."""
    return not now.live


def on_selection(now: Situation) -> bool:
    """Something is selected, job or not."""
    return now.selected or now.job is not None


def on_job(now: Situation) -> bool:
    return now.live and now.job is not None


def on_active(now: Situation) -> bool:
    """The selected job can be stopped."""
    return now.may_change and now.job is not None and now.job.state in (JobState.WAITING, JobState.RUNNING)


def can_submit(now: Situation) -> bool:
    """The selected job can be queued once more."""
    return now.may_change and now.job is not None


def can_delete(now: Situation) -> bool:
    """The selected job can be deleted from the server's history."""
    return can_submit(now)


def on_picture(now: Situation) -> bool:
    return now.live and now.job is not None and any(o.kind == "images" for o in now.job.outputs)


def on_output(now: Situation) -> bool:
    """The selected job made something: a picture, another file, or text."""
    return now.live and now.job is not None and bool(now.job.outputs)


def on_files(now: Situation) -> bool:
    """Any of the jobs that are meant made a file."""
    return now.live and any(output.filename for job in now.jobs for output in job.outputs)


def on_failed(now: Situation) -> bool:
    return now.job is not None and now.job.failure is not None


def running(now: Situation) -> bool:
    return now.live and now.state is not None and bool(now.state.running)


def can_interrupt(now: Situation) -> bool:
    return now.may_change and running(now)


def can_change(now: Situation) -> bool:
    """The server answers, and may be changed."""
    return now.may_change


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
    return now.state is not None and (not now.live or can_submit(now))


def editing(now: Situation) -> bool:
    return now.editing


def can_run(now: Situation) -> bool:
    """What is edited can be queued."""
    return now.editing and not now.read_only


def can_run_chosen(now: Situation) -> bool:
    """The selected file can be queued as it is."""
    return chosen(now) and not now.read_only


def choosing(now: Situation) -> bool:
    """A list is shown, and not the editor."""
    return not now.editing


def can_look_at(now: Situation) -> bool:
    """A file is selected, and not the editor shown."""
    return now.listed and not now.editing


def can_store(now: Situation) -> bool:
    """The selected file can be copied to the server's own."""
    return can_look_at(now) and now.may_change


def can_change_stored(now: Situation) -> bool:
    """The selected file is the server's own, and may be changed."""
    return can_store(now) and now.on_server


def chosen(now: Situation) -> bool:
    return now.selected and not now.editing


# Jobs of the queue, of which several can be marked


def _any(now: Situation, *states: JobState) -> bool:
    return any(job.state in states for job in now.jobs)


def can_clear(now: Situation) -> bool:
    return now.may_change and waiting(now)


def can_move(now: Situation) -> bool:
    """The selected job has a place that can be changed: in the server's queue, or among those that are held."""
    return now.may_change and now.job is not None and now.job.state in (JobState.WAITING, JobState.HELD)


def can_go_first(now: Situation) -> bool:
    return now.may_change and _any(now, JobState.WAITING, JobState.HELD)


can_hold = can_go_first


def can_cancel(now: Situation) -> bool:
    """Any of them is running, waiting or held (all of them the server's business), or lost (ours alone)."""
    lost = bool(now.jobs) and all(job.state is JobState.LOST for job in now.jobs)
    return lost or (now.may_change and bool(now.jobs))


def can_copy(now: Situation) -> bool:
    return now.may_change and bool(now.jobs)


def can_pause_queue(now: Situation) -> bool:
    return now.may_change


def can_send_again(now: Situation) -> bool:
    """Anything is lost."""
    return now.may_change and now.state is not None and bool(lost_ids(now.state))

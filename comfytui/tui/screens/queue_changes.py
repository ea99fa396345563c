"""What Queue does to jobs: one or several of them, asked about first where much or somebody else's would be taken away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from comfytui.state.model import JobState
from comfytui.tui import queue_order
from comfytui.tui.actions import key_of
from comfytui.tui.wording import plural

if TYPE_CHECKING:
    from comfytui.state.model import Job
    from comfytui.tui.screens.job_view import JobView

Change = Callable[["JobView", tuple["Job", ...]], Awaitable[bool]]  # whether it was done; raises ClientError


def all_held(jobs: tuple[Job, ...]) -> bool:
    """Whether all of them that could be held are: then the same key releases them."""
    movable = [job for job in jobs if job.state in (JobState.WAITING, JobState.HELD)]
    return bool(movable) and all(job.state is JobState.HELD for job in movable)


def _ids(jobs: tuple[Job, ...], *states: JobState) -> list[str]:
    return [job.id for job in jobs if job.state in states]


def _key(view: JobView, action_id: str) -> str:
    return key_of(action_id, view.dashboard.keymap)


async def cancel(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Take jobs out of the queue, stop what runs, drop what is held, forget what is lost."""
    connection, confirm = view.connection, view.dashboard.settings.confirm
    waiting, running = _ids(jobs, JobState.WAITING, JobState.HELD), _ids(jobs, JobState.RUNNING)
    lost = _ids(jobs, JobState.LOST)
    only_lost = len(lost) == len(jobs)
    if len(jobs) > 1 or confirm.cancel:
        what = queue_order.some(jobs)
        question = f"Forget {what} that {view.where} lost?" if only_lost else f"Cancel {what} of {view.where}?"
        detail = "" if only_lost else queue_order.summary(jobs)
        yes, no = ("forget", "keep") if only_lost else ("cancel", "keep")
        them = "it" if len(jobs) == 1 else "them"
        if not await view.dashboard.confirm(question, f"{yes} {them}", f"{no} {them}", detail):
            return False
    if waiting:
        await connection.cancel(waiting)
    for prompt_id in running:
        await connection.interrupt(prompt_id)
    if lost:
        await connection.forget(lost)
    view.dashboard.say(f"{queue_order.some(jobs)} {'forgotten' if only_lost else 'cancelled'}")
    return True


async def duplicate(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Queue a copy of each right behind it; of what is held, a copy that is held."""
    state = view.session.state
    if state is None:
        return False
    for job in jobs:
        held = True if job.state is JobState.HELD else None
        await view.submit_copy(job, number=queue_order.behind(state, job), hold=held)
    copies = f"a copy of {queue_order.some(jobs)}" if len(jobs) == 1 else f"copies of {len(jobs)} jobs"
    view.dashboard.say(f"{copies} {'held here' if all_held(jobs) else queue_order.taken(state)}")
    return True


async def to_front(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Let jobs run next, in their order; held ones are released for it."""
    connection = view.connection
    if held := _ids(jobs, JobState.HELD):
        await connection.release(held, front=True)
    for place, prompt_id in enumerate(_ids(jobs, JobState.WAITING)):
        await connection.move(prompt_id, place)
    return True


async def hold_or_release(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Hold what waits; if all of it is held, put it back where it was."""
    connection = view.connection
    if all_held(jobs):
        held = _ids(jobs, JobState.HELD)
        await connection.release(held)
        view.dashboard.say(f"{plural(len(held), 'job')} back in the queue of {view.where}")
        return True
    wanted = tuple(job for job in jobs if job.state is JobState.WAITING)
    if not wanted:
        return False
    if (foreign := queue_order.others(wanted)) and not await view.dashboard.confirm(
        f"Take {queue_order.some(wanted)} out of the queue of {view.where}, and hold it here?",
        "hold",
        "leave as it is",
        f"{foreign} of {len(wanted)} not ours: whoever sent it waits until this program releases it.",
    ):
        return False
    await connection.hold([job.id for job in wanted])
    view.dashboard.say(
        f"{plural(len(wanted), 'job')} held here, also when this program ends; "
        f"{_key(view, 'queue.hold')} puts {'it' if len(wanted) == 1 else 'them'} back"
    )
    return True


async def pause_or_go_on(view: JobView) -> None:
    """Hold all of ours that waits, and what is submitted; or release all."""
    connection, state = view.connection, view.session.state
    if state is None:
        return
    if state.paused:
        count = len(state.held)
        await connection.resume()
        view.dashboard.say(f"the queue goes on: {plural(count, 'job')} released" if count else "the queue goes on")
        return
    foreign = sum(not job.mine for job in queue_order.listed(state).waiting)
    await connection.pause()
    rest = f" {plural(foreign, 'job')} of others go on." if foreign else ""
    view.dashboard.say(
        f"Queue paused: our jobs and what we submit are held here, also when this program ends.{rest} "
        f"{_key(view, 'queue.pause')} lets all go on."
    )


async def again(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Queue jobs once more; what is lost is sent as it was, under its id."""
    lost = tuple(job for job in jobs if job.state is JobState.LOST)
    others = tuple(job for job in jobs if job.state is not JobState.LOST)
    done = not others or await view.run_again(others)
    return done and (not lost or await send_again(view, lost))


async def other_seed(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Queue jobs once more, each with a seed of its own."""
    return await view.run_again(jobs, other_seed=True)


async def save(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Write the workflows of jobs to files."""
    return await view.save_workflows(jobs)


async def send_again(view: JobView, jobs: tuple[Job, ...]) -> bool:
    """Submit lost jobs once more, under their ids."""
    if len(jobs) > 1 and not await view.dashboard.confirm(
        f"Send {queue_order.some(jobs)} to {view.where} again?",
        "send them",
        "not now",
        "They were lost: the server was restarted, or somebody took them back. They go to the end of its queue.",
    ):
        return False
    await view.connection.send_again([job.id for job in jobs])
    view.dashboard.say(f"{queue_order.some(jobs)} sent again")
    return True


async def clear(view: JobView) -> None:
    """Take every waiting job out of the server's queue; held ones stay."""
    state = view.session.state
    if state is None or not state.waiting:
        return
    count, others = len(state.waiting), queue_order.others(queue_order.listed(state).waiting)
    details = [f"{others} of them are other people's."] if others else []
    if state.held:
        details.append(f"The {len(state.held)} held here stay.")
    if view.dashboard.settings.confirm.clear_queue and not await view.dashboard.confirm(
        f"Take all {count} waiting jobs out of the queue of {view.where}?", "clear it", "keep them", " ".join(details)
    ):
        return
    await view.connection.clear_queue()
    view.dashboard.say(f"{count} jobs taken out of the queue")

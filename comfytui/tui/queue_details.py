"""The details of a job in the queue: its place, its start, who sent it, and what is done about it from this side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rich.text import Text

from comfytui.state.model import Job, JobState, ServerState
from comfytui.state.times import Start
from comfytui.tui import job_details
from comfytui.tui.queue_order import sender_told, start_told
from comfytui.tui.theme import Palette
from comfytui.tui.time_left import time_left
from comfytui.tui.wording import time_of_day

NOTES = 3  # of what became of it, the newest
Key = Callable[[str], str]  # an action's id → the key that the user has for it


def lines(
    palette: Palette, state: ServerState, job: Job, starts: Mapping[str, Start], now: float, key: Key
) -> list[Text]:
    """What matters in a queue first, then all that it was asked."""
    return [
        *_place(palette, state, job, starts, now, key),
        *job_details.lines(palette, job),
        *_by_us(palette, job, key),
    ]


def _place(
    palette: Palette, state: ServerState, job: Job, starts: Mapping[str, Start], now: float, key: Key
) -> Iterator[Text]:
    row = job_details.row
    if job.id in state.waiting:
        where = f"{state.waiting.index(job.id) + 1} of {len(state.waiting)}"
        yield row(palette, "queue", f"{where} · {start_told(state, job, starts, now)}")
    elif job.id in state.held:
        where = f"{state.held.index(job.id) + 1} of {len(state.held)}"
        told = "not in the server's queue; it stays here when this program ends"
        how = f"{key('queue.pause')} lets all go on" if state.paused else f"{key('queue.hold')} releases it"
        yield row(palette, "held here", f"{where} · {told}. {how}", "warning")
    elif job.state is JobState.LOST:
        every, this, away = key("queue.send_again"), key("queue.again"), key("queue.cancel")
        yield row(palette, "lost", f"{every} sends all lost jobs again, {this} this one; {away} forgets it", "warning")
    elif job.state is JobState.RUNNING:
        left, source = time_left(state, job, now)
        untold = state.run is None or state.run.prompt_id != job.id or not state.run.told
        parts = (left or "time left unknown", source, "the server tells no progress of it" if untold else "")
        yield row(palette, "runs", " · ".join(part for part in parts if part))
    yield row(palette, "from", sender_told(job))


def _by_us(palette: Palette, job: Job, key: Key) -> Iterator[Text]:
    """What became of it, and that the queue is changed from this side."""
    for note in job.notes[-NOTES:]:
        yield job_details.row(palette, time_of_day(note.at), note.text, "dim")
    if job.state in (JobState.WAITING, JobState.HELD):
        yield job_details.row(
            palette,
            "how",
            "ComfyUI has no call for moving, holding or pausing: we take the job out of its queue, keep it on our disk, and "
            "submit it again under its id.",
            "dim",
        )

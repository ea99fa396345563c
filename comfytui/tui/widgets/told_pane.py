"""What is known of a job without progress, in place of its picture: of one that waits, and of somebody else's that runs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from comfytui.state import times
from comfytui.state.model import Job, JobState, Origin, ServerState
from comfytui.tui import job_details, live_choice
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.hanging import Hanging
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import at, duration

WHOSE = {
    Origin.OURS: "ours",
    Origin.OTHER: "another client's",
    Origin.BROADCAST: "broadcast",
    Origin.UNKNOWN: "",
}
WHY = {
    Origin.OTHER: (
        "This job is another client's. The server tells progress and previews only to the client that submitted; "
        "this is what the queue tells of it. Its picture shows here when it is done."
    ),
    Origin.BROADCAST: (
        "This job was submitted without a client id, so the server tells everybody of it; no event has come yet."
    ),
    Origin.OURS: "This job is ours. No event of it has come since we connected; the next one shows here.",
    Origin.UNKNOWN: "The server has not told whose job this is, and no progress of it; this is what the queue tells.",
}
LABEL = 10  # cells, as in the details of a job


class ToldPane(TextLines):
    """Why there is no progress, where the job stands, and what it will make."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown_job = ""

    def update(self, state: ServerState, job: Job, now: float) -> None:
        """Show a job."""
        entitle(self, "What the queue tells", WHOSE[job.origin])
        self.show(list(lines(self.palette, state, job, now)))
        if job.id != self._shown_job:
            self._shown_job = job.id
            self.scroll_home(animate=False)

    def forget(self) -> None:
        """Draw all of it anew: the colours changed."""
        self.show([])


def needed(state: ServerState, job: Job) -> bool:
    """Whether a job has nothing that moves to show."""
    if job.state in (JobState.WAITING, JobState.HELD):
        return True
    run = state.run
    told = run is not None and run.prompt_id == job.id and run.told
    seen = state.preview is not None and state.preview.prompt_id == job.id
    return job.state is JobState.RUNNING and not told and not seen


def lines(palette: Palette, state: ServerState, job: Job, now: float) -> Iterator[Text]:
    """The paragraphs."""
    if job.state is JobState.RUNNING:
        yield Text(WHY[job.origin], palette.text)
    elif job.state is JobState.HELD:
        yield Text(
            "It is held back on this side: the server does not have it. Release it in the queue (2).", palette.text
        )
    else:
        yield Text("it waits for its turn", palette.text)
    yield Text("")
    yield from _where(palette, state, job, now)
    yield Text("")
    yield from job_details.lines(palette, job)


def _where(palette: Palette, state: ServerState, job: Job, now: float) -> Iterator[Text]:
    def row(label: str, value: str, more: str = "") -> Text:
        parts = (f"{label:<{LABEL}} ", palette.dim), (value, palette.text), (f"  {more}" if more else "", palette.dim)
        return Hanging.of(Text.assemble(*parts), LABEL + 1)

    if WHOSE[job.origin]:
        yield row("whose", WHOSE[job.origin])
    if job.state is JobState.RUNNING:
        behind = len(state.waiting)
        yield row("position", "it runs", f"{behind} wait behind it" if behind else "")
        if job.started is not None:
            yield row("since", at(job.started), "as far as we know")
        return  # how long it should still take stands beside it, where it is counted down
    yield row("position", live_choice.place(state, job) or "held")
    start = times.starts(state, now).get(job.id)
    if start is not None and start.at is not None:
        yield row("starts in", f"~{duration(max(0.0, start.at - now))}", _by(start.source))
    if start is not None and start.seconds is not None:
        yield row("takes", f"~{duration(start.seconds)}", _by(start.source))


def _by(source: str) -> str:
    return {"learned": "as this workflow took last time", "similar": "as similar jobs took"}.get(source, "")

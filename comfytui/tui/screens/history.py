"""History: what has been made, as thumbnails or lines, and beside it the picture with what made it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from comfytui.state.model import JobState, Phase
from comfytui.tui import actions, job_details
from comfytui.tui.screens.job_view import JobView, pictures_of
from comfytui.tui.widgets.gallery import Gallery
from comfytui.tui.widgets.job_table import HISTORY, JobTable
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import GLYPHS, clock, cut, one_line

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState

NOTHING = "Nothing has been made on this server yet.\na  choose a workflow and run it"
NEAR_END = 30  # jobs below the cursor; then the next page is loaded


class HistoryView(JobView):
    """A gallery or a table over the same jobs; a filter; the picture and its parameters."""

    screen_id = "history"
    BINDINGS = [*actions.bindings("history")]
    DEFAULT_CSS = """
    HistoryView #history-list { width: 3fr; }
    HistoryView #history-side { width: 2fr; min-width: 44; }
    HistoryView #history-details { height: 40%; min-height: 6; }
    HistoryView #history-filter { display: none; }
    HistoryView.-filter #history-filter { display: block; }
    HistoryView #history-table { display: none; }
    HistoryView.-lines #history-table { display: block; }
    HistoryView.-lines #history-gallery { display: none; }
    .-one HistoryView #history-side, .-small-w HistoryView #history-side { display: none; }
    .-one HistoryView #history-list, .-small-w HistoryView #history-list { width: 1fr; }
    /* The list stays there without room, so that its keys go on moving from picture to picture. */
    HistoryView.-full #history-list { width: 0; min-width: 0; height: 0; }
    HistoryView.-full #history-list .pane { border: none; }
    HistoryView.-full #history-side { display: block; width: 1fr; height: 1fr; }
    HistoryView.-full #history-details { height: 7; }
    .-short HistoryView.-full #history-details { height: 5; min-height: 3; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._which = 0  # of the job's pictures
        self._traceback = False
        self._loading = False

    def compose(self) -> ComposeResult:
        with Vertical(id="history-list"):
            wanted = Input(placeholder="prompt, workflow, model, seed …", id="history-filter", select_on_focus=False)
            wanted.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield wanted
            yield Gallery(self._wanted, id="history-gallery", classes="pane", empty="loading …")
            yield JobTable(HISTORY, id="history-table", classes="pane")
        with Vertical(id="history-side"):
            yield Picture("no picture", id="history-picture", classes="pane")
            yield TextLines(id="history-details", classes="pane")

    # The list

    @property
    def lines(self) -> LineList:
        """The gallery or the table, whichever is shown."""
        return self.query_one("#history-table" if self.has_class("-lines") else "#history-gallery", LineList)

    @property
    def job(self) -> Job | None:
        state = self.session.state
        key = self.lines.key if self.is_mounted else None
        return state.jobs.get(key) if state is not None and key is not None else None

    def on_shown(self) -> None:
        if not self.lines.has_focus and not self.has_focus_within:
            self.lines.focus(scroll_visible=False)
        state = self.session.state
        if state is not None and not state.history_loaded:
            self._load_more(state)

    @property
    def marked(self) -> tuple[Job, ...]:
        state, lines = self.session.state, self.lines
        found = [job for key in lines.keys if key in lines.marked and state and (job := state.jobs.get(key))]
        return tuple(found) or super().marked

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if not new.history_loaded and new.link.phase is Phase.LIVE:
            self._load_more(new)
        if (
            old is not None
            and (old.history, old.jobs) == (new.history, new.jobs)
            and old.history_loaded == new.history_loaded
        ):
            return
        self._show(new)

    def _show(self, state: ServerState) -> None:
        every = [job for key in state.history if (job := state.jobs.get(key)) is not None]
        jobs = [job for job in every if matches(job, self._filter)]
        self.query_one(JobTable).update(jobs, state, self.dashboard.clock())
        by_id = {job.id: job for job in jobs}
        self.query_one(Gallery).show(list(by_id), lambda key, width: self._caption(by_id[key], width))
        more = "" if state.history_complete else "+"
        count = f"{len(jobs):,} of {len(every):,}{more}" if self._filter else f"{len(every):,}{more}"
        told = f"{count} · filter: {cut(self._filter, 20)}" if self._filter else count
        for lines in (self.query_one(Gallery), self.query_one(JobTable)):
            entitle(lines, "History", f"{told} · newest first")
            lines.say_empty(self._nothing(state, bool(every)))
        self._details()

    def _nothing(self, state: ServerState, any_at_all: bool) -> str:
        if any_at_all:
            return f"Nothing matches {self._filter!r}.\nesc  clears the filter"
        if state.history_loaded:
            return NOTHING
        return "loading …" if state.link.phase is Phase.LIVE else (state.link.error or "not connected")

    def _caption(self, job: Job, width: int) -> Text:
        palette = self.dashboard.palette
        glyph, role = GLYPHS[job.state]
        text = Text(f"{glyph} ", palette.style(role), no_wrap=True)
        if job.failure is not None:
            return text.append(cut(one_line(job.failure.message), width - 2), palette.failed)
        time = clock(job.seconds)
        seed = "" if job.facts.seed is None else str(job.facts.seed)
        room = width - 2 - len(time) - 1
        text.append(cut(seed or one_line(job.facts.positive or job.facts.name), room).ljust(room), palette.text)
        return text.append(f" {time}", palette.dim)

    def _wanted(self, key: str) -> tuple[Hashable, bytes | str | None]:
        state = self.session.state
        job = state.jobs.get(key) if state is not None else None
        pictures = pictures_of(job)
        if job is None or not pictures:
            return None, "" if job is None else "no picture" if job.state is JobState.DONE else str(job.state)
        return pictures[0], self.dashboard.pictures.want(
            self.connection, pictures[0], self.query_one(Gallery).picture_came
        )

    def _load_more(self, state: ServerState) -> None:
        if not self._loading and not state.history_complete and state.link.phase is Phase.LIVE:
            self._loading = True
            self.dashboard.ask("load history", self._load(), group="load history")

    async def _load(self) -> None:
        try:
            await self.connection.load_history()
        finally:
            self._loading = False

    @on(LineList.Moved)
    def _moved(self, message: LineList.Moved) -> None:
        if message.lines is not self.lines:
            return
        self._which = 0
        self._traceback = False
        self._details()
        self.refresh_actions()
        state = self.session.state
        if state is not None and state.history_loaded and self.lines.cursor > len(self.lines.keys) - NEAR_END:
            self._load_more(state)

    # The picture and its parameters

    def _details(self) -> None:
        job, palette = self.job, self.dashboard.palette
        picture, details = self.query_one(Picture), self.query_one(TextLines)
        if job is None:
            picture.clear("")
            entitle(picture, "Picture")
            entitle(details, "Details")
            details.show([])
            return
        details.show(job_details.lines(palette, job, self._traceback))
        entitle(details, cut(job_details.title(job), 48))
        self._picture()

    def _picture(self) -> None:
        job, pane = self.job, self.query_one(Picture)
        pictures = pictures_of(job)
        if job is None or not pictures:
            pane.clear("" if job is None else "this job made no picture")
            entitle(pane, "Picture")
            return
        self._which %= len(pictures)
        output = pictures[self._which]
        entitle(pane, output.filename, f"{self._which + 1} of {len(pictures)}  [ ]" if len(pictures) > 1 else "")
        found = self.dashboard.pictures.want(self.connection, output, self._picture_came)
        if isinstance(found, bytes):
            pane.show(found, output)
        elif isinstance(found, str):
            pane.clear(found)

    def _picture_came(self) -> None:
        if self.shown:
            self._picture()

    # Actions

    @on(LineList.Opened)
    def _opened(self) -> None:
        self.action_full()

    def action_full(self) -> None:
        self.toggle_class("-full")

    def action_picture(self, by: int) -> None:
        self._which += by
        self._picture()

    def action_panes(self) -> None:
        key = self.lines.key
        self.toggle_class("-lines")
        if key is not None:
            self.lines.move_to(key)
        self.lines.focus(scroll_visible=False)
        self._details()

    def action_traceback(self) -> None:
        self._traceback = not self._traceback
        self._details()

    def action_save(self) -> None:
        self.save_pictures()

    def action_delete(self) -> None:
        if (job := self.job) is not None:
            self._ask("delete", self._delete(job))

    async def _delete(self, job: Job) -> None:
        if self.dashboard.settings.confirm.delete_history and not await self.dashboard.confirm(
            "Forget this job on the server? Its files stay.", "forget it", "keep it", cut(job_details.title(job), 60)
        ):
            return
        await self.connection.delete_history([job.id])
        self.dashboard.say("forgotten; the files are still there")

    def action_filter(self) -> None:
        self.remove_class("-full")
        self.add_class("-filter")
        self.query_one(Input).focus()

    @on(Input.Changed, "#history-filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        self._filter = message.value.strip()
        if (state := self.session.state) is not None:
            self._show(state)

    @on(Input.Submitted, "#history-filter")
    def _filter_done(self) -> None:
        self.lines.focus(scroll_visible=False)
        if not self._filter:
            self.remove_class("-filter")

    def go_back(self) -> bool:
        if self.has_class("-full"):
            self.remove_class("-full")
            return True
        if self.has_class("-filter"):
            self.query_one(Input).value = ""
            self.remove_class("-filter")
            self.lines.focus(scroll_visible=False)
            return True
        return False

    def forget(self) -> None:
        super().forget()
        self.query_one(Gallery).forget()
        self.query_one(JobTable).forget()


def matches(job: Job, wanted: str) -> bool:
    """Whether every word is in the job's prompt, name, model, seed, files or failure."""
    facts = job.facts
    said = [
        facts.positive,
        facts.negative,
        facts.name,
        facts.model,
        str(facts.seed),
        facts.sampler,
        str(job.state),
        job.id,
    ]
    said += [output.filename for output in job.outputs]
    if job.failure is not None:
        said.append(job.failure.message)
    haystack = "\n".join(said).casefold()
    return all(word in haystack for word in wanted.casefold().split())

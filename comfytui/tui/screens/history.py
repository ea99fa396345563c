"""History: what has been made, as thumbnails or lines, and beside it the picture with what made it."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from comfytui.client.errors import ClientError
from comfytui.settings.memory import recall, remember
from comfytui.state.filters import KEYS, NO_MARK
from comfytui.state.model import JobState, Phase
from comfytui.tui import actions, history_details, job_details
from comfytui.tui.history_order import Listing, Order
from comfytui.tui.screens.history_acts import HistoryActs
from comfytui.tui.screens.job_view import pictures_of
from comfytui.tui.widgets.gallery import Gallery
from comfytui.tui.widgets.grid_list import GridList
from comfytui.tui.widgets.history_table import HistoryTable
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import GLYPHS, STAR, clock, cut, file_size, one_line

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import Job, Output, ServerState

NOTHING = "Nothing has been made on this server yet.\na  choose a workflow and run it"
NEAR_END = 30  # jobs below the cursor; then the next page is loaded
LARGER = 500  # entries of a page that is loaded to be searched
REST = 0.2  # seconds on a job until what the server has to tell of it is asked for: leafing through asks nothing
HINT = "words, or key:value as in status:failed model:sdxl -sampler:euler after:3d is:starred"


class HistoryView(HistoryActs):
    """A gallery or a table over the same jobs; a filter and an order; the picture and its parameters."""

    screen_id = "history"
    BINDINGS = [*actions.bindings("history")]
    DEFAULT_CSS = """
    HistoryView #history-list { width: 3fr; }
    HistoryView #history-side { width: 2fr; min-width: 44; }
    HistoryView #history-details { height: 40%; min-height: 6; }
    HistoryView #history-filter, HistoryView #history-problem { display: none; }
    HistoryView #history-problem { height: auto; max-height: 3; padding: 0 1; color: $role-dim; }
    HistoryView #history-problem.-wrong { color: $role-failed; }
    HistoryView.-filter #history-filter { display: block; }
    HistoryView.-filter #history-problem.-said { display: block; }
    HistoryView #history-table { display: none; }
    HistoryView.-lines #history-table { display: block; }
    HistoryView.-lines #history-gallery { display: none; }
    HistoryView.-nothing #history-side { display: none; }
    .-one HistoryView #history-side, .-small-w HistoryView #history-side { display: none; }
    .-one HistoryView #history-list, .-small-w HistoryView #history-list { width: 1fr; }
    /* The list stays there without room, so that its keys go on moving from picture to picture. */
    HistoryView.-full #history-list { width: 0; min-width: 0; height: 0; }
    HistoryView.-full #history-list .pane { border: none; }
    HistoryView.-full #history-side, HistoryView.-details #history-side { display: block; width: 1fr; height: 1fr; }
    HistoryView.-full #history-details { height: 7; }
    .-short HistoryView.-full #history-details { height: 5; min-height: 3; }
    HistoryView.-details #history-list, HistoryView.-details #history-picture { display: none; }
    HistoryView.-details #history-details { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._listing = Listing()
        self._which = 0  # of the job's outputs
        self._traceback = False
        self._loading: Connection | None = None  # which server is asked for more
        self._rest: Timer | None = None
        self._unknown: dict[str, str] = {}  # job → why the server tells no more of it
        self._sizes: dict[Output, int | None] = {}  # of the outputs that cannot be shown
        self._chosen: tuple[object, tuple[Job, ...]] = (None, ())

    def compose(self) -> ComposeResult:
        with Vertical(id="history-list"):
            wanted = Input(placeholder=HINT, id="history-filter", select_on_focus=False)
            wanted.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield wanted
            yield Static("", id="history-problem", markup=False)
            yield Gallery(self._wanted, self._on_screen, "history-gallery", "pane", "loading …")
            yield HistoryTable("history-table", "pane")
        with Vertical(id="history-side"):
            yield Picture("no picture", id="history-picture", classes="pane")
            yield TextLines(id="history-details", classes="pane")

    def on_mount(self) -> None:
        memory = recall()
        if memory.history_order in list(Order):
            self._listing.use_order(Order(memory.history_order))
        self.set_class(memory.history_lines, "-lines")
        if memory.history_filter:
            self._listing.use_filter(memory.history_filter)
            with self.prevent(Input.Changed):
                self.query_one(Input).value = memory.history_filter
            self.add_class("-filter")

    # The list

    @property
    def _lists(self) -> tuple[GridList, GridList]:
        return self.query_one(Gallery), self.query_one(HistoryTable)

    @property
    def lines(self) -> GridList:
        """The gallery or the table, whichever is shown."""
        return self._lists[self.has_class("-lines")]

    @property
    def job(self) -> Job | None:
        state = self.session.state
        key = self.lines.key if self.is_mounted else None
        return state.jobs.get(key) if state is not None and key is not None else None

    @property
    def _marked(self) -> tuple[Job, ...]:
        state, lines = self.session.state, self.lines
        if state is None or not lines.marked:
            return ()
        key = (lines.marked, lines.keys, state.jobs)
        if not isinstance(self._chosen[0], tuple) or any(a is not b for a, b in zip(self._chosen[0], key, strict=True)):
            places = sorted(place for k in lines.marked if (place := lines.place_of(k)) is not None)
            self._chosen = key, tuple(job for p in places if (job := state.jobs.get(lines.keys[p])) is not None)
        return self._chosen[1]

    @property
    def marked(self) -> tuple[Job, ...]:
        return self._marked or super().marked

    def situation(self) -> actions.Situation:
        return dataclasses.replace(super().situation(), marked=self._marked if self.is_mounted else ())

    def on_shown(self) -> None:
        if not self.lines.has_focus and not self.has_focus_within:
            self.lines.focus(scroll_visible=False)
        state = self.session.state
        if state is not None and not state.history_loaded:
            self._load_more(state)

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if not new.history_loaded and new.link.phase is Phase.LIVE:
            self._load_more(new)
        if old is not None and old.link.phase is not new.link.phase and new.link.phase is Phase.LIVE:
            self.dashboard.pictures.forget_failures()
            self._unknown.clear()
            self.query_one(Gallery).picture_came()
        if old is None or any(
            getattr(old, part) is not getattr(new, part)
            for part in ("history", "jobs", "marks", "link", "history_loaded", "history_complete")
        ):
            self._show(new)

    def _show(self, state: ServerState) -> None:
        ids, sections = self._listing.update(state)
        self.set_class(not state.history, "-nothing")  # what would lie beside an empty list is two empty boxes
        gallery, table = self.query_one(Gallery), self.query_one(HistoryTable)
        now, jobs, marks = self.dashboard.clock(), state.jobs, state.marks
        if self.has_class("-lines"):  # the other one is brought up to date when it is shown
            table.show(ids, lambda key, width: table.line(jobs[key], marks.get(key, NO_MARK), now, width), sections)
        else:
            gallery.show(ids, lambda key, width: self._caption(state, key, width), sections)
        more = "" if state.history_complete else "+"
        wanted = self._listing.filter.text.strip()
        count = f"{len(ids):,} of {len(state.history):,}{more}" if wanted else f"{len(ids):,}{more}"
        told = f"{count} · filter: {cut(wanted, 20)}" if wanted else count
        marked = f"{len(self.lines.marked):,} marked · " if self.lines.marked else ""
        for lines in self._lists:
            entitle(lines, "History", f"{marked}{told} · {self._listing.order}")
            lines.say_empty(self._nothing(state))
        self._details()

    def _nothing(self, state: ServerState) -> str:
        if state.history:
            wanted = self._listing.filter.text.strip()
            older = "" if state.history_complete else "\nenter  in the filter searches older ones"
            return f"Nothing matches {wanted!r} in {len(state.history):,} jobs.\nesc  clears the filter{older}"
        if state.history_loaded:
            return NOTHING
        return self.without_server("history") or "loading …"

    def _caption(self, state: ServerState, key: str, width: int) -> Text:
        job, mark, palette = state.jobs[key], state.marks.get(key, NO_MARK), self.dashboard.palette
        glyph, role = GLYPHS[job.state]
        text = Text(f"{glyph} ", palette.style(role), no_wrap=True)
        if mark.star:
            text.append(f"{STAR} ", palette.accent)
        if mark.note:
            return text.append(cut(f"“{one_line(mark.note)}”", width - text.cell_len), palette.accent)
        if job.failure is not None:
            return text.append(cut(one_line(job.failure.message), width - text.cell_len), palette.failed)
        time = clock(job.seconds)
        seed = "" if job.facts.seed is None else str(job.facts.seed)
        room = width - text.cell_len - len(time) - 1
        text.append(cut(seed or one_line(job.facts.positive or job.facts.name), room).ljust(room), palette.text)
        return text.append(f" {time}", palette.dim)

    def _wanted(self, key: str) -> tuple[Hashable, bytes | str | None]:
        state = self.session.state
        job = state.jobs.get(key) if state is not None else None
        if job is None:
            return None, ""
        pictures = pictures_of(job)
        if not pictures:
            made = next((output.kind for output in job.outputs), "no picture")
            return None, made if job.state is JobState.DONE else str(job.state)
        first = pictures[0]
        return first, self.dashboard.pictures.want(self.connection, first, self.query_one(Gallery).picture_came)

    def _on_screen(self, keys: Sequence[str]) -> None:
        """Other thumbnails are on screen: those that were scrolled past are not fetched any more."""
        state = self.session.state
        seen = set() if state is None else {o for k in keys for o in pictures_of(state.jobs.get(k))[:1]}
        self.dashboard.pictures.only(self.query_one(Gallery).picture_came, seen)

    def _load_more(self, state: ServerState, count: int | None = None) -> None:
        connection = self.connection
        if self._loading is not connection and not state.history_complete and state.link.phase is Phase.LIVE:
            self._loading = connection
            self.dashboard.ask("load history", self._load(connection, count), group="load history")

    async def _load(self, connection: Connection, count: int | None) -> None:
        try:
            await (connection.load_history() if count is None else connection.load_history(count))
        finally:
            if self._loading is connection:
                self._loading = None

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

    @on(LineList.Marked)
    def _marks_changed(self) -> None:
        if (state := self.session.state) is not None:
            self._show(state)
        self.refresh_actions()

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
        loading = self._unknown.get(job.id, "loading the workflow …")
        details.show(history_details.lines(palette, job, self.mark_of(job), self._traceback, loading))
        entitle(details, cut(job_details.title(job), 48))
        self._picture()
        if not job.graph and job.id not in self._unknown:
            self._when_resting()

    def _when_resting(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._load_whole, name="rest")

    def _load_whole(self) -> None:
        job, state = self.job, self.session.state
        if job is None or job.graph or job.id in self._unknown or state is None or state.link.phase is not Phase.LIVE:
            return
        self.dashboard.ask("load the job", self._whole(job), group="load job")

    async def _whole(self, job: Job) -> None:
        """Only the newest jobs keep their graph; of the others it is asked for when somebody looks."""
        try:
            found = await self.whole(job)
            if not found.graph:
                self._unknown[job.id] = "The server does not tell this job's workflow."
        except ClientError as error:  # said in its place: nobody has asked for it with a key
            self._unknown[job.id] = str(error)
        if self.is_mounted:
            self._details()

    @property
    def _outputs_shown(self) -> tuple[Output, ...]:
        """What `[` and `]` go through: pictures first, then the other files."""
        job = self.job
        pictures = pictures_of(job)
        return () if job is None else (*pictures, *(o for o in job.outputs if o not in pictures))

    def _picture(self) -> None:
        job, pane, outputs = self.job, self.query_one(Picture), self._outputs_shown
        if job is None or not outputs:
            pane.clear("" if job is None else "this job made no picture")
            entitle(pane, "Picture")
            return
        self._which %= len(outputs)
        output = outputs[self._which]
        count = f"{self._which + 1} of {len(outputs)}  [ ]" if len(outputs) > 1 else ""
        entitle(pane, output.filename or output.kind, count)
        self.dashboard.pictures.only(self._picture_came, (output,))
        if output.kind != "images" or not output.filename:
            self._not_a_picture(pane, output)
            return
        found = self.dashboard.pictures.want(self.connection, output, self._picture_came)
        if isinstance(found, bytes):
            pane.show(found, output)
        elif isinstance(found, str):
            pane.clear(found)

    def _not_a_picture(self, pane: Picture, output: Output) -> None:
        if not output.filename:
            pane.clear(one_line(output.text or output.kind))
            return
        size = f", {file_size(self._sizes[output])}" if self._sizes.get(output) is not None else ""
        pane.clear(f"{output.kind}{size}: cannot be shown here · s saves it")
        if output not in self._sizes:
            self._sizes[output] = None
            self.dashboard.ask("size", self._ask_size(output), group="size")

    async def _ask_size(self, output: Output) -> None:
        self._sizes[output] = await self.connection.size(output)
        self._picture_came()

    def _picture_came(self) -> None:
        if self.shown:
            self._picture()

    # Keys

    @on(LineList.Opened)
    def _opened(self) -> None:
        self.action_full()

    def action_full(self) -> None:
        self.remove_class("-details")
        self.toggle_class("-full")

    def action_details(self) -> None:
        """All of the details, to be read with the keys of a list."""
        self.remove_class("-full")
        self.toggle_class("-details")
        shown = self.query_one(TextLines) if self.has_class("-details") else self.lines
        shown.focus(scroll_visible=False)

    def action_picture(self, by: int) -> None:
        self._which += by
        self._picture()

    def action_panes(self) -> None:
        key = self.lines.key
        self.toggle_class("-lines")
        if (state := self.session.state) is not None:
            self._show(state)
        if key is not None:
            self.lines.move_to(key)
        self.lines.focus(scroll_visible=False)
        self._details()
        remember(history_lines=self.has_class("-lines"))

    def action_order(self) -> None:
        self._listing.use_order(self._listing.order.next)
        remember(history_order=str(self._listing.order))
        if (state := self.session.state) is not None:
            self._show(state)

    def action_traceback(self) -> None:
        self._traceback = not self._traceback
        self._details()

    # The filter

    def action_filter(self) -> None:
        self.remove_class("-full", "-details")
        self.add_class("-filter")
        self._say_problem()
        self.query_one(Input).focus()

    def _say_problem(self) -> None:
        """What is wrong with the filter, or, while it is empty, what can be asked."""
        line, problem = self.query_one("#history-problem", Static), self._listing.problem
        empty = not self.query_one(Input).value
        line.update(problem or (f"keys: {' '.join(KEYS)}" if empty else ""))
        line.set_class(bool(problem), "-wrong")
        line.set_class(bool(problem) or empty, "-said")

    @on(Input.Changed, "#history-filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        self._listing.use_filter(message.value)
        self._say_problem()
        if (state := self.session.state) is not None:
            self._show(state)

    @on(Input.Submitted, "#history-filter")
    def _filter_done(self) -> None:
        """Keep the filter; what is listed is too little for one screen: search older entries."""
        if self._listing.problem:
            return
        wanted, state = self._listing.filter.text.strip(), self.session.state
        remember(history_filter=wanted)
        self.lines.focus(scroll_visible=False)
        self.query_one("#history-problem").remove_class("-said")
        if not wanted:
            self.remove_class("-filter")
        elif state is not None and len(self.lines.keys) < NEAR_END:
            self._load_more(state, LARGER)

    def go_back(self) -> bool:
        for taken in ("-full", "-details"):
            if self.has_class(taken):
                self.remove_class(taken)
                self.lines.focus(scroll_visible=False)
                return True
        if self.has_class("-filter"):
            self.query_one(Input).value = ""
            self.remove_class("-filter")
            self.lines.focus(scroll_visible=False)
            remember(history_filter="")
            return True
        return self.lines.clear_marks()

    def on_session(self) -> None:
        if self.session.state is None:
            for lines in self._lists:
                lines.say_empty(self.without_server("history"))

    def leave_server(self) -> None:
        super().leave_server()
        self._which, self._traceback = 0, False
        self._unknown.clear()
        self._sizes.clear()
        self.add_class("-nothing")
        for lines in self._lists:
            lines.show((), lambda key, width: Text())
            entitle(lines, "History")
        self._details()

    def forget(self) -> None:
        super().forget()
        for lines in self._lists:
            lines.forget()

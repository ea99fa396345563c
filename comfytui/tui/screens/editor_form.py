"""The form of the run editor: a workflow's inputs, checked while one types, with what changes and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from rich.console import Group
from rich.text import Text
from textual import on, work
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from comfytui.client import sanitize
from comfytui.tui import draft as drafts
from comfytui.tui import review
from comfytui.tui.draft import Draft
from comfytui.tui.widgets.field_words import hints
from comfytui.tui.widgets.form import Edited, FormLine, FormLines, SeedModes, meant
from comfytui.tui.widgets.form_grid import FIRST, Grid, grid_of
from comfytui.tui.widgets.more_inputs import MoreInputs
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut_middle, plural
from comfytui.workflow.check import Problem, check
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Place, inputs
from comfytui.workflow.inputs import Field, fields

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from comfytui.tui.app import Dashboard

MAX_LINES = 24  # of the form; what a workflow has beyond is under "more inputs", so that 1,000 nodes open as fast as 7
NOTHING = drafts.start(Document("", {}))
CHECK_DELAY = 0.2  # seconds without typing before the server's catalogue is compared


class EditorForm(Container):
    """Owns the draft and its form: what is typed goes into the draft, and what is wrong stands at its input."""

    SCOPED_CSS = False  # the size of the screen is told by classes above
    DEFAULT_CSS = """
    Editor { layout: horizontal; display: none; }
    Editor LineList, Editor VerticalScroll { scrollbar-size: 1 1; }
    Editor #editor-form { padding: 0 1; }
    Editor #editor-more { display: none; }
    Editor #editor-side { padding: 0 1; }
    Editor #editor-hint { height: auto; max-height: 4; dock: bottom; }
    .-short Editor #editor-hint, .-small-h Editor #editor-hint { max-height: 1; }
    Editor.-more #editor-form { display: none; }
    Editor.-more #editor-more { display: block; }
    Editor.-narrow #editor-side { display: none; }
    Editor.-narrow.-side #editor-form, Editor.-narrow.-side #editor-more { display: none; }
    Editor.-narrow.-side #editor-side { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(id="editor")
        self.draft: Draft = NOTHING
        self.source = ""  # the key of the file that it comes from
        self.active = False  # it is what the screen shows
        self._info: Mapping[str, Any] | None = None
        self._stale = False  # the form was made for another server
        self._favourites: Mapping[str, str] = {}  # "node.input" → the name that was given to it
        self._fields: dict[Place, Field] = {}
        self._lines: dict[Place, FormLine] = {}
        self._grid = Grid((), ())
        self._title = self._counts = ""  # of the form's pane
        self._typed: dict[Place, str] = {}  # what was typed and is not accepted → why
        self._refused: dict[Place, str] = {}  # what the server said about it
        self._doing: dict[Place, str] = {}  # what is being done about it: an upload
        self._problems: list[Problem] | None = None
        self._ready = asyncio.Event()  # its panes are there: a workflow of the command line is opened before that
        self._learning = asyncio.Lock()  # one catalogue after the other
        self._building = asyncio.Lock()  # a catalogue may arrive while the form is being made

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="editor-form", classes="pane", can_focus=False):
            yield FormLines(id="editor-lines")
            yield Static(id="editor-hint", markup=False)
        yield MoreInputs(id="editor-more", classes="pane")
        with VerticalScroll(id="editor-side", classes="pane"):
            yield Static(id="editor-review", markup=False)

    def on_mount(self) -> None:
        self.query_one("#editor-side").border_title = Content("what changes")
        self.query_one("#editor-lines").styles.height = "auto"
        for pane, share in (("form", "5fr"), ("more", "5fr"), ("side", "3fr")):
            self.query_one(f"#editor-{pane}").styles.width = share
        self._ready.set()

    @property
    def dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def _focus_first(self) -> None:
        if self._lines:
            self._focus(next(iter(self._lines)))
        elif not self.has_class("-more"):
            self.action_more()

    def leave_server(self) -> None:
        """What the server said of this workflow is of no use at another one: choices, ranges, problems, refusals."""
        self._info, self._problems, self._stale = None, None, True
        self._refused, self._doing = {}, {}
        if self.active and self._ready.is_set():
            self._show_all()

    async def _rebuild(self) -> None:
        """Make the form anew; the cursor stays where it is, or goes to the first field if it had no place yet."""
        focused = self._focused_place()
        elsewhere = self.has_focus_within and focused is None  # among the other inputs, or reading
        await self._build()
        self._show_all()
        if focused is not None:
            self._focus(focused)
        elif self.active and not elsewhere:
            self._focus_first()

    async def _build(self) -> None:
        """Make the form anew from the draft."""
        found = fields(self.draft.graph, self._info, self._favourites)
        self._fields = {field.place: field for field in found}
        width = self.query_one("#editor-lines").size.width or self.app.size.width
        self._stale = False
        self._grid = grid_of([field for field in found if field.important], width, MAX_LINES)
        self._lines = {}
        widgets: list[FormLine] = []
        for line, labels in zip(self._grid.lines, self._grid.labels, strict=True):
            is_seed = line[0].role == "seed" and not any(self._fields[each].role == "seed" for each in self._lines)
            widgets.append(FormLine(line, labels, self.draft.seed_mode if is_seed else None))
            self._lines.update({field.place: widgets[-1] for field in line})
        self._lay(width)
        holder = self.query_one(FormLines)
        async with self._building, self.batch():
            old, place = list(holder.children), self._focused_place()
            await holder.mount_all(widgets)
            # The new field has the keys before the old one goes: none falls between the two.
            new = self._lines[place].editor(place) if place is not None and place in self._lines else None
            if new is not None:
                self.screen.set_focus(new, scroll_visible=False)
            await holder.remove_children(old)

    def _focused_place(self) -> Place | None:
        field = getattr(self.screen.focused, "field", None)
        return field.place if isinstance(field, Field) else None

    # Editing

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        message.stop()
        self._take(message.place, message.text)

    def _take(self, place: Place, text: str) -> bool:
        """Put typed text into the draft; False if it is not accepted."""
        field = self._fields.get(place)
        if field is None:
            return False
        now = inputs(self.draft.graph, place.node_id).get(place.input)
        value = meant(self.draft, field, text)
        try:
            if isinstance(value, WorkflowError):
                raise value
            self._refused.pop(place, None)
            if self._typed.pop(place, None) is not None or value is not now:
                self._set(drafts.edit(self.draft, place, value, self._info))
        except WorkflowError as error:
            self._typed[place] = sanitize.line(f"{error.problem}. {error.fix}")
            self._show_notes()
            return False
        return True

    def _set(self, draft: Draft) -> None:
        self.draft = draft
        self._show_all()
        self._check_soon()

    # Panes

    def action_more(self) -> None:
        self.toggle_class("-more")
        self.remove_class("-side")
        if self.has_class("-more"):
            self.call_after_refresh(self.query_one(MoreInputs).focus_list)
        elif self._lines:
            self._focus_first()

    def action_side(self) -> None:
        self.toggle_class("-side")
        if self.has_class("-side"):
            self.call_after_refresh(self.query_one("#editor-side").focus)
        else:
            self._focus_first()

    def go_back(self) -> bool:
        """From the other inputs or the side to the form; False if the form is shown."""
        if self.has_class("-more"):
            self.action_more()
        elif self.has_class("-side"):
            self.action_side()
        else:
            return False
        return True

    def _focus(self, place: Place) -> None:
        # Later, because a pane that was hidden until now takes no focus before the next layout; and the form may have
        # been made anew by then, so the editor is looked up then.
        def focus() -> None:
            line = self._lines.get(place)
            if line is not None and (editor := line.editor(place)) is not None:
                editor.focus()

        if place in self._lines:
            self.call_after_refresh(focus)

    # Drawing

    def _show_all(self) -> None:
        if not self.query("#editor-review"):  # the program is being left: panes go one by one
            return
        draft = self.draft
        count = len(drafts.changes(draft))
        changed = {change.place for change in drafts.changes(draft)}
        self._title = cut_middle(sanitize.line(draft.document.name), 50)
        self._counts = f"{plural(len(draft.graph), 'node')} · {plural(count, 'change')}"
        for place, line in self._lines.items():
            line.mark(place, place in changed)
        for modes in self.query(SeedModes):
            modes.show(draft.seed_mode)
        self._show_hint()
        self.query_one(MoreInputs).show(self._rest(), draft.graph, changed, self._notes(), self.dashboard.palette)
        self._show_side()
        self._show_notes()

    def _show_hint(self) -> None:
        """What the field with the cursor accepts, and what goes on from here."""
        if not self.query("#editor-hint"):
            return
        place = self._focused_place()
        field = self._fields.get(place) if place is not None else None
        text = Text(
            "".join(f"{line}\n" for line in hints(field)) if field is not None else "", self.dashboard.palette.dim
        )
        rest = len(self._rest())
        text.append(f"▸ {plural(rest, 'more input')}: F3 · " if rest else "").append("F5 or ctrl+enter queues it")
        self.query_one("#editor-hint", Static).update(text)

    def on_descendant_focus(self) -> None:
        self._show_hint()

    def _rest(self) -> list[Field]:
        return [field for field in self._fields.values() if field.place not in self._lines]

    def _show_side(self) -> None:
        if not self.query("#editor-review"):
            return
        draft, palette = self.draft, self.dashboard.palette
        state = self.dashboard.session.state
        title = Text("\nthis server", palette.style("text", bold=True))
        seconds = review.took(review.expected_seconds(draft, state), palette)
        self.query_one("#editor-review", Static).update(
            Group(
                review.changed(draft, palette),
                title,
                review.server(draft, palette, self._problems, self._info),
                review.refused(draft, palette, self._refused),
                seconds,
            )
        )

    def _notes(self) -> dict[Place, str]:
        """What is wrong with which input: what was typed, else what the server refused, else what the check found."""
        checked = {
            Place(p.node_id, p.input): sanitize.line(f"{p.text}. {p.fix}") for p in self._problems or () if p.input
        }
        return {**checked, **self._refused, **self._typed}

    def _show_notes(self) -> None:
        if not self.query("#editor-form"):
            return
        notes = self._notes()
        for place, line in self._lines.items():
            doing = self._doing.get(place)
            line.note(place, doing or notes.get(place, ""), wrong=doing is None)
        wrong = f" · {len(notes)} wrong" if notes else ""
        entitle(self.query_one("#editor-form"), self._title, self._counts + wrong)

    def _put(self, place: Place) -> None:
        """Show the draft's value in the form."""
        line = self._lines.get(place)
        if line is not None:
            line.put(place, inputs(self.draft.graph, place.node_id).get(place.input))

    def _check_soon(self) -> None:
        """Compare with the server's catalogue once typing pauses; only the newest comparison counts."""
        if self._info is not None:
            self._check()

    @work(name="check", group="check", exclusive=True)
    async def _check(self) -> None:
        await asyncio.sleep(CHECK_DELAY)
        draft, info = self.draft, self._info
        if info is None:
            return
        # In a thread: near matches among thousands of model files take a while.
        problems = await asyncio.to_thread(check, draft.graph, info)
        if info is not self._info:  # another server is shown meanwhile
            return
        self._problems = problems
        self._show_side()
        self._show_notes()

    def on_resize(self, _: events.Resize) -> None:
        self.set_class(self.app.size.width < 120, "-narrow")

    @on(FormLines.Resized)
    def _lines_resized(self) -> None:
        self._fit()

    @work(name="fit the form", group="fit")  # not exclusive: a form that is half made anew would never be drawn
    async def _fit(self) -> None:
        """Put as many fields on a line as there is room for."""
        width = self.query_one("#editor-lines").size.width
        if not self.active or not self.size.height or not width:
            return
        grid = grid_of([field for field in self._fields.values() if field.important], width, MAX_LINES)
        if [[f.place for f in line] for line in grid.lines] == [[f.place for f in line] for line in self._grid.lines]:
            self._grid = grid
            self._lay(width)
        elif not self._typed:  # what is typed and not accepted stands in the form alone: it is not made anew
            await self._rebuild()

    def _lay(self, width: int) -> None:
        """Put the fields into columns."""
        for line in dict.fromkeys(self._lines.values()):
            seed = self._grid.seed(width) if line.has_modes else None
            line.lay(((FIRST, seed),) if line.has_modes else self._grid.cells(line.fields))

"""The run editor: a workflow's inputs as a form, checked while one types, and run from here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Group
from rich.text import Text
from textual import on, work
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from comfytui.client import sanitize
from comfytui.client.errors import NodeProblems, Refused
from comfytui.state.model import Phase
from comfytui.tui import draft as drafts
from comfytui.tui import review
from comfytui.tui.draft import Draft, SeedMode
from comfytui.tui.widgets.field_words import hints
from comfytui.tui.widgets.form import Edited, FormLine, FormLines, Pick, SeedModes, meant, shown
from comfytui.tui.widgets.form_grid import FIRST, Grid, grid_of
from comfytui.tui.widgets.more_inputs import MoreInputs
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut_middle, one_line, plural
from comfytui.workflow.catalog import with_choice
from comfytui.workflow.check import Problem, check
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.forms import embedded
from comfytui.workflow.graph import Place, inputs
from comfytui.workflow.inputs import Field, fields

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from comfytui.tui.app import Dashboard
    from comfytui.tui.screens.workflows import WorkflowsView

MAX_LINES = 24  # of the form; what a workflow has beyond is under "more inputs", so that 1,000 nodes open as fast as 7
NOTHING = drafts.start(Document("", {}))
UPLOAD = "⇧ upload {} from this disk …"  # the first of the choices
CHECK_DELAY = 0.2  # seconds without typing before the server's catalogue is compared


def open_editor(app: Dashboard, document: Document, seed_mode: SeedMode | None = None) -> None:
    """Open the editor on a document, from any screen; leaving it goes back there."""
    app.run_worker(_open(app, document, seed_mode, app.current), name="open editor", group="editor", exclusive=True)


async def _open(app: Dashboard, document: Document, seed_mode: SeedMode | None, back_to: str) -> None:
    await app.action_show("workflows")
    view = cast("WorkflowsView", app.stage.of("workflows"))
    await view.edit(document, seed_mode=seed_mode, back_to=back_to)


class Editor(Container):
    """Form on the left, what changes and what the server lacks on the right."""

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

    class Ran(Message):
        """Runs were queued."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

    def __init__(self) -> None:
        super().__init__(id="editor")
        self.draft: Draft = NOTHING
        self.source = ""  # the key of the file that it comes from
        self.active = False  # it is what the screen shows
        self._info: Mapping[str, Any] | None = None
        self._fields: dict[Place, Field] = {}
        self._lines: dict[Place, FormLine] = {}
        self._grid = Grid((), ())
        self._title = self._counts = ""  # of the form's pane
        self._typed: dict[Place, str] = {}  # what was typed and is not accepted → why
        self._refused: dict[Place, str] = {}  # what the server said about it
        self._doing: dict[Place, str] = {}  # what is being done about it: an upload
        self._problems: list[Problem] | None = None
        self._ready = asyncio.Event()  # its panes are there: a workflow of the command line is opened before that
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

    # Opening

    async def open(self, draft: Draft, source: str, info: Mapping[str, Any] | None) -> None:
        """Show a draft. `info` is the server's catalogue, None if it is not known yet."""
        self.active = True
        await self._ready.wait()
        self.draft, self.source, self._info = draft, source, info
        self._typed, self._refused, self._doing, self._problems = {}, {}, {}, None
        await self._build()
        self._show_all()
        self._check_soon()
        self._focus_first()

    def _focus_first(self) -> None:
        if self._lines:
            self._focus(next(iter(self._lines)))
        elif not self.has_class("-more"):
            self.action_more()

    async def learn(self, info: Mapping[str, Any] | None) -> None:
        """The server's catalogue is known now, or another one is: choices, ranges and what is missing."""
        if info is None or info is self._info:
            return
        await self._ready.wait()
        self._info = info
        self._typed = {}  # the form is made anew, from what was accepted
        await self._rebuild()
        self._check_soon()

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
        found = fields(self.draft.graph, self._info)
        self._fields = {field.place: field for field in found}
        width = self.query_one("#editor-lines").size.width or self.app.size.width
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

    @on(Pick)
    async def _pick(self, message: Pick) -> None:
        message.stop()
        self._choose(message.place)

    def _choose(self, place: Place) -> None:
        """Let one of the choices be picked."""
        from comfytui.tui.widgets.pick import Pick as PickDialog

        field = self._fields[place]
        first = [UPLOAD.format(field.upload)] if field.upload else []
        names = [*first, *(shown(choice) for choice in field.choices)]
        current = shown(inputs(self.draft.graph, place.node_id).get(place.input))

        def picked(index: int | None) -> None:
            if index is None:
                return
            if index < len(first):
                self._upload_for(field)
            else:
                self._use(place, field.choices[index - len(first)])

        self.app.push_screen(PickDialog(f"{field.title} · {field.input}", names, current), picked)

    def _use(self, place: Place, value: Any) -> None:
        """Take a value that is known to be right."""
        self._typed.pop(place, None)
        self._refused.pop(place, None)
        self._set(drafts.edit(self.draft, place, value, self._info))
        self._put(place)

    def _upload_for(self, field: Field) -> None:
        from comfytui.tui.screens.upload import choose

        line = self._lines.get(field.place)
        typed = line.text(field.place) if line is not None else ""

        async def ask() -> None:
            path = await choose(self.dashboard, field.upload, typed)
            if path is not None:
                self.dashboard.ask("upload", self._upload(field, path), group="upload")

        self.app.run_worker(ask(), name="choose a file", group="dialog", exclusive=True)

    async def _upload(self, field: Field, path: Path) -> None:
        """Send a file, and put its name on the server into the input. Raises WorkflowError and ClientError."""
        from comfytui.tui.screens.upload import send

        connection, document, place = self.dashboard.session.connection, self.draft.document, field.place
        if connection is None:
            return

        def tell(text: str) -> None:
            self._doing[place] = text
            self._show_notes()

        try:
            value = await send(connection, path, field.class_type, tell)
        finally:
            self._doing.pop(place, None)
            self._show_notes()
        # Another workflow may be edited by now, or another server shown: then the file is there, and that is all.
        if self.draft.document is document and connection is self.dashboard.session.connection:
            if (info := connection.state.object_info or self._info) is not None:
                await self.learn(with_choice(info, field.class_type, field.input, value))
            self._use(place, value)
        self.dashboard.say(f"uploaded as {sanitize.line(value)}")

    @on(SeedModes.Chosen)
    def _seed_mode(self, message: SeedModes.Chosen) -> None:
        message.stop()
        self._use_seed_mode(message.mode)

    def _use_seed_mode(self, mode: SeedMode) -> None:
        from msgspec.structs import replace

        self.draft = replace(self.draft, seed_mode=mode)
        self._show_all()

    @on(MoreInputs.Wanted)
    def _more_wanted(self, message: MoreInputs.Wanted) -> None:
        message.stop()
        field = message.field
        value = inputs(self.draft.graph, field.node_id).get(field.input)
        if field.kind == "bool" or field.choices == (True, False):
            self._set(drafts.edit(self.draft, field.place, not value, self._info))
        elif field.choices or field.upload:
            self._choose(field.place)
        else:
            from msgspec.structs import replace

            from comfytui.tui.widgets.field_dialog import FieldDialog

            draft = self.draft
            dialog = FieldDialog(replace(field, value=value), lambda field, text: drafts.parse(draft, field, text))

            def answered(text: str | None) -> None:
                if text is not None:
                    self._take(field.place, text)

            self.app.push_screen(dialog, answered)

    # Actions, called by the screen

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

    def action_upload(self) -> None:
        """For the input that has the cursor, or the only one that takes a file."""
        files = [field for field in self._fields.values() if field.upload]
        focused = self._focused_place()
        wanted = next((field for field in files if field.place == focused), None)
        wanted = wanted or (files[0] if len(files) == 1 else None)
        if wanted is not None:
            self._upload_for(wanted)
        elif files:
            self.dashboard.say("Several inputs take a file: go to one of them first.")
        else:
            self.dashboard.say("No input of this workflow takes a file.")

    def go_back(self) -> bool:
        """From the other inputs or the side to the form; False if the form is shown."""
        if self.has_class("-more"):
            self.action_more()
        elif self.has_class("-side"):
            self.action_side()
        else:
            return False
        return True

    def action_seed_mode(self) -> None:
        if self.draft.has_seed:
            modes = list(SeedMode)
            self._use_seed_mode(modes[(modes.index(self.draft.seed_mode) + 1) % len(modes)])

    def action_undo(self) -> None:
        self._typed.clear()
        self._set(drafts.undo(self.draft))
        for place in self._lines:
            self._put(place)

    async def run(self, count: int) -> None:
        """Queue `count` runs. Raises ClientError; a refusal is shown at the inputs that caused it, and raised too."""
        connection = self.dashboard.session.connection
        if connection is None or connection.state.link.phase is not Phase.LIVE:
            why = connection.state.link.error if connection is not None else None
            self.dashboard.report(f"nothing was queued, and your changes are kept: {why or 'not connected yet'}")
            return
        for place, line in self._lines.items():
            self._take(place, line.text(place))
        if self._typed:
            place, why = next(iter(self._typed.items()))
            self._focus(place)
            self.dashboard.report(f"nothing was queued: {why}")
            return
        self._refused = {}
        draft = self.draft
        name, previews = Path(draft.document.name).stem, self.dashboard.settings.previews
        done = 0
        try:
            for graph in drafts.runs(draft, count):
                workflow = await asyncio.to_thread(embedded, draft.document, graph, self._info)
                answer = await connection.submit(graph, name=name, workflow=workflow, previews=previews)
                done += 1
                self._heed(answer.node_errors)
        except Refused as error:
            self._heed(error.node_errors)
            raise
        finally:
            if done:
                self.draft = drafts.after_runs(self.draft, done)
                for place in self._lines:
                    self._put(place)
            self._show_all()
        self.post_message(self.Ran(done))

    def _heed(self, errors: Mapping[str, NodeProblems]) -> None:
        """Keep what the server said about which input."""
        self._refused |= {
            Place(node_id, problem.input_name or ""): one_line(str(problem))
            for node_id, found in errors.items()
            for problem in found.problems
        }
        if (first := next((place for place in self._refused if place in self._lines), None)) is not None:
            if self.has_class("-more"):
                self.action_more()
            self._focus(first)
        elif (hidden := next((place for place in self._refused if place in self._fields), None)) is not None:
            self._show_among_more(hidden)

    def _show_among_more(self, place: Place) -> None:
        """Put the cursor on an input that has no line of its own on the form."""
        self._show_all()
        if not self.has_class("-more"):
            self.action_more()
        self.query_one(MoreInputs).move_to(place)

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
        self._problems = await asyncio.to_thread(check, draft.graph, info)
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

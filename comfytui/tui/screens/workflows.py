"""The Workflows screen: the workflow files on this disk, what each is about, and the editor to run one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.style import Style
from rich.text import Text
from textual import on, work
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from comfytui.client import sanitize
from comfytui.settings.files import data_dir
from comfytui.settings.memory import recall, remember_workflow
from comfytui.settings.schema import SettingsError
from comfytui.tui import actions, library, review, teaching
from comfytui.tui import draft as drafts
from comfytui.tui.actions import Situation
from comfytui.tui.draft import Draft, SeedMode
from comfytui.tui.library import Entry, Found
from comfytui.tui.queue_order import taken
from comfytui.tui.screens.editor import Editor
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.wording import at, cut, cut_middle, model_name, number, one_line, plural, size
from comfytui.workflow import document as documents
from comfytui.workflow.check import check

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState
    from comfytui.workflow.document import Document


MAX_KINDS = 14  # of nodes, listed in the preview


class WorkflowList(LineList):
    """Files in columns, with a line of titles on top."""

    header_lines = 1

    def draw_header(self, width: int) -> list[Text]:
        return (
            [_row(width, ("workflow", "model", "size", "steps", "prompt"), [self.palette.dim] * 5)] if self.keys else []
        )


class WorkflowsView(ScreenView):
    """The list with a preview; or, while a workflow is being edited, the editor in their place."""

    screen_id = "workflows"
    BINDINGS = [*actions.bindings("workflows")]
    DEFAULT_CSS = """
    WorkflowsView #workflows-query { display: none; }
    WorkflowsView.-searching #workflows-query { display: block; }
    WorkflowsView LineList { scrollbar-size: 1 1; }
    WorkflowsView #workflows-preview { padding: 0 1; }
    WorkflowsView.-narrow #workflows-preview { display: none; }
    WorkflowsView.-narrow.-preview #workflows-preview { display: block; }
    WorkflowsView.-narrow.-preview #workflows-middle { display: none; }
    WorkflowsView.-editing #workflows-middle, WorkflowsView.-editing #workflows-preview { display: none; }
    WorkflowsView.-editing Editor { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._found = Found()
        self._opened: list[Entry] = []  # by path, in this run
        self._entries: dict[str, Entry] = {}
        self._query = ""
        self._back_to = ""  # the screen from which the editor was opened, "" for this list
        self._loading = False  # the catalogue is being asked for
        self._list = WorkflowList(id="workflows-list", empty="Looking for workflow files …")
        self._editor = Editor()
        self._kept: dict[object, Draft] = {}  # drafts with changes that were left, by path or name

    def compose(self) -> ComposeResult:
        with Vertical(id="workflows-middle", classes="pane"):
            yield Input(id="workflows-query", placeholder="name, prompt, model …")
            yield self._list
        with VerticalScroll(id="workflows-preview", classes="pane"):
            yield Static(id="workflows-about", markup=False)
        yield self._editor

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one("#workflows-middle").border_title = Content("Workflows")
        self.action_reload()
        if self.dashboard.workflow is not None:
            self.run_worker(self._open_path(self.dashboard.workflow), name="open workflow")

    @property
    def editing(self) -> bool:
        return self.has_class("-editing")

    @property
    def entry(self) -> Entry | None:
        """The selected file."""
        key = self._list.key
        return self._entries.get(key) if key is not None else None

    # News

    def on_shown(self) -> None:
        if not self.editing:
            self._list.focus(scroll_visible=False)
        self._load_nodes()

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if old is None or old.object_info is not new.object_info:
            self._learn(new.object_info)
            self._show_preview()
        if old is None or old.link.phase is not new.link.phase:
            self._load_nodes()

    @work(name="learn", group="learn", exclusive=True)
    async def _learn(self, info: Mapping[str, Any] | None) -> None:
        await self._editor.learn(info)

    def forget(self) -> None:
        super().forget()
        self._list.forget()
        self._show_preview()

    def _load_nodes(self) -> None:
        """What a server lacks can only be said with its catalogue."""
        state, connection = self.session.state, self.session.connection
        if connection is None or state is None or state.object_info is not None or self._loading:
            return
        if self.situation().live:
            self._loading = True
            self.dashboard.ask("load nodes", self._load_from(connection), group="load nodes")

    async def _load_from(self, connection: Connection) -> None:
        try:
            await connection.load_object_info()
        finally:
            self._loading = False

    # The list

    def action_reload(self) -> None:
        self._find()

    @work(name="find workflows", group="find", exclusive=True)
    async def _find(self) -> None:
        settings = self.dashboard.settings
        folders: list[tuple[str, Path]] = [(f, at_home(f)) for f in settings.workflow_folders]
        try:
            folders.append(("examples", data_dir("examples")))
        except SettingsError as error:
            self.dashboard.report(str(error))
        recent = [Path(path) for path in recall().recent_workflows]
        self._found = await asyncio.to_thread(library.find, folders, recent, self._found)
        self._show_list()

    def _show_list(self) -> None:
        listed = {str(entry.path): entry for entry in (*self._opened, *self._found.entries)}
        words = self._query.lower().split()
        self._entries = {key: e for key, e in listed.items() if all(word in _haystack(e) for word in words)}
        self._list.say_empty(f"No file matches {self._query!r}." if listed else teaching.no_workflows())
        self._list.forget()
        self._list.show(list(self._entries), self._draw_entry)
        bad = sum(bool(entry.error) for entry in self._entries.values())
        parts = [plural(len(self._entries), "file")]
        parts += [f"{bad} not usable"] if bad else []
        parts += [self._query] if self._query else []
        parts += self._found.notes[:2]
        self.query_one("#workflows-middle").border_subtitle = Content(" · ".join(parts))
        self._show_preview()

    def _draw_entry(self, key: str, width: int) -> Text:
        entry, palette = self._entries[key], self.dashboard.palette
        if entry.error:
            line = _row(width, (entry.name, "", "", "", ""), [palette.dim] * 5)
            line.truncate(_name_width(width) + 1)
            line.append(f" ✗ {one_line(entry.error)}", palette.failed)
            line.truncate(width, overflow="ellipsis")
            return line
        facts = entry.facts
        measures = size(facts.width, facts.height), number(facts.steps)
        cells = (entry.name.removesuffix(".json"), model_name(facts.model) or "–", *measures, one_line(facts.positive))
        return _row(width, cells, [palette.text, palette.dim, palette.text, palette.text, palette.dim])

    def _show_preview(self) -> None:
        entry = self.entry
        pane = self.query_one("#workflows-preview")
        pane.border_title = Content(cut_middle(entry.name, 40) if entry else "preview")
        pane.border_subtitle = Content(entry.group) if entry else None
        self.query_one("#workflows-about", Static).update(self._about(entry) if entry else Text())
        self.refresh_actions()
        if entry is not None and entry.document is not None:
            self._show_check(entry)

    def _about(self, entry: Entry, server: RenderableType | None = None) -> Group:
        """What a file is about; `server` is what the server lacks of it."""
        palette = self.dashboard.palette
        path = Text(f"\n{sanitize.line(str(entry.path))}", palette.dim)
        if entry.error:
            return Group(Text(f"✗ {entry.error}", palette.failed), Text(entry.fix, palette.text), path)
        facts = entry.facts
        sampler = " ".join(part for part in (facts.sampler, facts.scheduler) if part)
        sampling = (sampler, f"{number(facts.steps)} steps", f"cfg {number(facts.cfg)}") if sampler else ()
        batch = f" × {facts.batch}" if (facts.batch or 1) > 1 else ""
        kinds = Counter(entry.classes).most_common(MAX_KINDS)
        rows = {
            "positive": facts.positive,
            "negative": facts.negative,
            "model": model_name(facts.model),
            "loras": ", ".join(map(model_name, facts.loras)),
            "size": size(facts.width, facts.height) + batch,
            "sampling": " · ".join(sampling),
            "seed": "" if facts.seed is None else str(facts.seed),
            "nodes": "\n".join(cut(name, 40) + (f" ×{count}" if count > 1 else "") for name, count in kinds),
        }
        parts: list[RenderableType] = [
            pairs((Text(label, palette.dim), Text(value, palette.text)) for label, value in rows.items() if value)
        ]
        if server is not None:
            parts += [Text("\nthis server", palette.style("text", bold=True)), server]
        return Group(*parts, path, Text(f"changed {at(entry.stamp[0] / 1e9)}", palette.dim))

    @work(name="check", group="preview", exclusive=True)
    async def _show_check(self, entry: Entry) -> None:
        """Add what this server lacks of it, once that is known."""
        info = self.session.state.object_info if self.session.state is not None else None
        if info is None or entry.document is None:
            return
        problems = await asyncio.to_thread(check, entry.document.graph, info)
        if self.entry is entry:
            server = review.server(drafts.start(entry.document), self.dashboard.palette, problems, info)
            self.query_one("#workflows-about", Static).update(self._about(entry, server))

    @on(LineList.Moved, "#workflows-list")
    def _moved(self) -> None:
        self._show_preview()

    @on(LineList.Opened, "#workflows-list")
    def _list_opened(self) -> None:
        if self.entry is not None and self.entry.document is not None:
            self.action_edit()
        else:
            self.action_switch_pane()

    @on(Input.Changed, "#workflows-query")
    def _searched(self, message: Input.Changed) -> None:
        self._query = message.value.strip()
        self._show_list()

    @on(Input.Submitted, "#workflows-query")
    def _search_done(self) -> None:
        self._list.focus()

    # Actions on the list

    def situation(self) -> Situation:
        return Situation(
            self.session.state,
            selected=self.entry is not None and self.entry.document is not None,
            editing=self.editing,
        )

    def action_filter(self) -> None:
        self.add_class("-searching")
        self.call_after_refresh(self.query_one(Input).focus)

    def action_switch_pane(self) -> None:
        self.toggle_class("-preview")
        shown = self.query_one("#workflows-preview") if self.has_class("-preview") else self._list
        self.call_after_refresh(shown.focus)  # what was hidden takes no focus before the next layout

    def action_open_path(self) -> None:
        self.run_worker(self._ask_path(), name="ask for a path", group="dialog", exclusive=True)

    async def _ask_path(self) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        hint = "a JSON file in the API format, or a picture that ComfyUI saved"
        path = await self.app.push_screen_wait(TextInputDialog("Open a workflow", hint=hint))
        if path:
            await self._open_path(at_home(path))

    async def _open_path(self, path: Path) -> None:
        """List a file, and edit it if it is a workflow."""
        entry = await asyncio.to_thread(library.read, path)
        if entry.error:
            self.dashboard.report(" ".join(part for part in (f"{entry.name}: {entry.error}.", entry.fix) if part))
            return
        self._opened = [entry, *(each for each in self._opened if each.path != path)]
        await asyncio.to_thread(remember_workflow, path)
        self._show_list()
        self._list.move_to(str(path))
        if entry.document is not None:
            await self.edit(entry.document, path=path)

    def action_edit(self) -> None:
        if (entry := self.entry) is not None and entry.document is not None:
            self.run_worker(self.edit(entry.document, path=entry.path), name="edit", group="edit", exclusive=True)

    def action_again(self) -> None:
        if (entry := self.entry) is not None and entry.document is not None:
            self.dashboard.ask("run", self._run_as_it_is(entry.document, entry.path))

    async def _run_as_it_is(self, document: Document, path: Path) -> None:
        if (connection := self.session.connection) is None:
            return
        (graph,) = drafts.runs(drafts.start(document), 1)
        await connection.submit(graph, name=path.stem, previews=self.dashboard.settings.previews)
        await asyncio.to_thread(remember_workflow, path)
        self.dashboard.say(f"{sanitize.line(path.stem)} {taken(self.session.state)}")

    # The editor

    async def edit(
        self, document: Document, *, path: Path | None = None, seed_mode: SeedMode | None = None, back_to: str = ""
    ) -> None:
        """Open the editor on a document; a draft of it that was left with changes is taken up again."""
        self._keep()
        key = path or document.name
        draft = self._kept.get(key)
        if draft is None or draft.document.graph != document.graph:
            draft = drafts.start(document, seed_mode)
        self._back_to = back_to
        self.add_class("-editing")
        info = self.session.state.object_info if self.session.state is not None else None
        await self._editor.open(draft, path, info)
        self.refresh_actions()

    def _keep(self) -> None:
        """Nothing typed is lost by leaving."""
        draft = self._editor.draft
        if drafts.changes(draft):
            self._kept[self._editor.path or draft.document.name] = draft

    def go_back(self) -> bool:
        if self.editing:
            if self._editor.has_class("-more"):
                self._editor.action_more()
                return True
            if self._editor.has_class("-side"):
                self._editor.action_side()
                return True
            self._keep()
            self.remove_class("-editing")
            self._editor.active = False
            self.call_after_refresh(self._list.focus)
            self._show_preview()
            if self._back_to and self._back_to != self.screen_id:
                self.run_worker(self.dashboard.action_show(self._back_to), name="show")
            return True
        if self.has_class("-preview"):
            self.action_switch_pane()
            return True
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self.query_one(Input).value = ""
            self._list.focus()
            return True
        return False

    def action_run(self) -> None:
        self.dashboard.ask("run", self._editor.run(1))

    def action_run_n(self) -> None:
        self.run_worker(self._ask_count(), name="ask how often", group="dialog", exclusive=True)

    async def _ask_count(self) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        hint = f"1 to {drafts.MAX_RUNS:,}; with a fixed seed the server answers from its cache"
        text = await self.app.push_screen_wait(TextInputDialog("How many runs?", "4", hint=hint))
        if text is None:
            return
        if not text.isdecimal() or not 1 <= int(text) <= drafts.MAX_RUNS:
            self.dashboard.report(f"{text!r} is no number of runs: give 1 to {drafts.MAX_RUNS:,}")
            return
        self.dashboard.ask("run", self._editor.run(int(text)))

    @on(Editor.Ran)
    async def _ran(self, message: Editor.Ran) -> None:
        runs = "" if message.count == 1 else f"{message.count} runs "
        self.dashboard.say(runs + taken(self.session.state))
        if (path := self._editor.path) is not None:
            await asyncio.to_thread(remember_workflow, path)
        await self.dashboard.action_show("live")  # to watch it; the editor is still open here

    def action_more(self) -> None:
        self._editor.action_more()

    def action_side(self) -> None:
        self._editor.action_side()

    def action_seed_mode(self) -> None:
        self._editor.action_seed_mode()

    def action_undo(self) -> None:
        self._editor.action_undo()

    def action_write(self) -> None:
        self.run_worker(self._ask_file(), name="ask for a file", group="dialog", exclusive=True)

    async def _ask_file(self) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        draft = self._editor.draft
        stem = sanitize.line(Path(draft.document.name).stem)
        name = await self.app.push_screen_wait(TextInputDialog("Write the workflow to", f"{stem}-changed.json"))
        if name:
            self.dashboard.ask("write", self._write(at_home(name), draft))

    async def _write(self, path: Path, draft: Draft) -> None:
        written = await asyncio.to_thread(documents.write, path, draft.graph)
        await asyncio.to_thread(remember_workflow, written)
        self.dashboard.say(f"written to {sanitize.line(str(written))}")
        self.action_reload()

    def on_resize(self, _: events.Resize) -> None:
        narrow = self.app.size.width < 120
        self.set_class(narrow, "-narrow")
        # Shares are of panes side by side; alone and below each other, 5fr would be five times the width.
        for pane, share in (("middle", "5fr"), ("preview", "3fr")):
            self.query_one(f"#workflows-{pane}").styles.width = "1fr" if narrow else share


def at_home(path: str) -> Path:
    """A path as typed, with ~ for the home folder."""
    return Path(path).expanduser()


def _haystack(entry: Entry) -> str:
    facts = entry.facts
    return " ".join((entry.name, entry.group, facts.positive, facts.model, *facts.loras, *entry.classes)).lower()


def _name_width(width: int) -> int:
    return max(14, min(32, width // 4))


def _row(width: int, cells: tuple[str, ...], styles: Sequence[Style]) -> Text:
    """Name, model, size, steps, prompt in columns; the last ones go first where it is narrow."""
    name, model, pixels, steps, prompt = cells
    first = _name_width(width)
    line = Text(" " + cut_middle(name, first).ljust(first), styles[0])
    if width >= 60:
        line.append("  " + cut_middle(model, 16).ljust(16), styles[1])
    if width >= 44:
        line.append("  " + pixels.rjust(9), styles[2])
        line.append("  " + steps.rjust(5), styles[3])
    if (left := width - line.cell_len - 3) > 8:
        line.append("  " + cut(prompt, left), styles[4])
    return line

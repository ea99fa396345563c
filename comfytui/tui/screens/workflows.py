"""The Workflows screen: workflow files here and on the server, what each is about, and the editor to run one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.widgets import Input

from comfytui.client import sanitize
from comfytui.client.errors import ClientError
from comfytui.settings.files import data_dir
from comfytui.settings.memory import recall, remember, remember_workflow
from comfytui.settings.schema import SettingsError
from comfytui.state.model import Phase
from comfytui.tui import actions, library, teaching
from comfytui.tui import draft as drafts
from comfytui.tui.actions import Situation
from comfytui.tui.draft import SeedMode
from comfytui.tui.library import SERVER, Entry
from comfytui.tui.library_order import Order, matches, ordered
from comfytui.tui.queue_order import taken
from comfytui.tui.runnable import lacking, runnable
from comfytui.tui.screens.workflows_edit import EditsWorkflows
from comfytui.tui.shelf import Shelf
from comfytui.tui.widgets.file_dialog import at_home
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.workflow_list import WorkflowList, workflow_line
from comfytui.tui.widgets.workflow_preview import WorkflowPreview, last_picture
from comfytui.tui.widgets.workflow_preview import lacking as told_lacking
from comfytui.tui.wording import plural
from comfytui.workflow.address import is_remote
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.forms import embedded
from comfytui.workflow.lacks import Lack
from comfytui.workflow.queueing import ready
from comfytui.workflow.wildcards import Wildcards

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from comfytui.state.connection import Connection
    from comfytui.state.model import Output, ServerState
    from comfytui.tui.app import Dashboard
    from comfytui.workflow.document import Document

PREVIEW_DELAY = 0.12  # seconds that the cursor rests before a file is read again, or fetched
CHECKED = 64  # files of which it is remembered what the server lacks


class WorkflowsView(EditsWorkflows):
    """The list with a preview; or, while a workflow is being edited, the editor in their place."""

    screen_id = "workflows"
    BINDINGS = [*actions.bindings("workflows")]
    DEFAULT_CSS = """
    WorkflowsView #workflows-query { display: none; }
    WorkflowsView.-searching #workflows-query { display: block; }
    WorkflowsView LineList { scrollbar-size: 1 1; }
    WorkflowsView.-narrow WorkflowPreview { display: none; }
    WorkflowsView.-narrow.-preview WorkflowPreview { display: block; }
    WorkflowsView.-narrow.-preview #workflows-middle { display: none; }
    WorkflowsView.-editing #workflows-middle, WorkflowsView.-editing WorkflowPreview { display: none; }
    WorkflowsView.-editing Editor { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf(self._show_list)
        self._entries: dict[str, Entry] = {}  # those that are listed
        self._query = ""
        self._order = Order.RECENT
        self._recent: tuple[str, ...] = ()  # keys, used last first
        self._filtered_from = ""  # the screen that asked for a filter
        self._loading: Connection | None = None  # which server's catalogue is being asked for
        self._server = ""  # whose files are listed
        self._lacking: dict[tuple[str, tuple[int, int], int], list[Lack]] = {}
        self._list = WorkflowList(id="workflows-list", empty="Looking for workflow files …")
        self._preview = WorkflowPreview(id="workflows-preview", classes="pane")

    def compose(self) -> ComposeResult:
        with Vertical(id="workflows-middle", classes="pane"):
            yield Input(id="workflows-query", placeholder="name, prompt, model … node:KSampler model:flux in:server")
            yield self._list
        yield self._preview
        yield self._editor

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.action_reload()
        if self.dashboard.workflow is not None:
            self.run_worker(self._open_path(self.dashboard.workflow), name="open workflow")

    @property
    def entry(self) -> Entry | None:
        """The selected file."""
        key = self._list.key
        return self._entries.get(key) if key is not None else None

    @property
    def listed(self) -> list[Entry]:
        """All files, whatever the filter, in the list's order."""
        return ordered(self.shelf.entries.values(), self._order, self._recent)

    # News

    def on_shown(self) -> None:
        if not self.editing:
            self._list.focus(scroll_visible=False)
        self._load_nodes()

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if old is None or old.object_info is not new.object_info:
            self._learn(new.object_info)
            self._show_preview()
        if old is None or old.link.phase is not new.link.phase or old.link.url != new.link.url:
            self._load_nodes()
            self._find_on_server(new)

    @work(name="learn", group="learn")  # not exclusive: a form that is half made anew would never be drawn
    async def _learn(self, info: Mapping[str, Any] | None) -> None:
        await self._editor.learn(info)

    def leave_server(self) -> None:
        self.workers.cancel_group(self, "find there")  # what the server before answers now is nobody's
        self._server = ""
        self._lacking.clear()
        self.shelf.forget_server()
        super().leave_server()
        self._editor.leave_server()
        self._learn(None)

    def forget(self) -> None:
        super().forget()
        self._list.forget()
        self._show_preview()

    def _load_nodes(self) -> None:
        """What a server lacks can only be said with its catalogue."""
        state, connection = self.session.state, self.session.connection
        if connection is None or state is None or state.object_info is not None or self._loading is connection:
            return
        if self.situation().live:
            self._loading = connection
            self.dashboard.ask("load nodes", self._load_from(connection), group="load nodes")

    async def _load_from(self, connection: Connection) -> None:
        try:
            await connection.load_object_info()
        finally:
            if self._loading is connection:
                self._loading = None

    # The list

    def action_reload(self) -> None:
        self._find()
        if (state := self.session.state) is not None:
            self._find_on_server(state)

    @work(name="find workflows", group="find", exclusive=True)
    async def _find(self) -> None:
        settings = self.dashboard.settings
        folders: list[tuple[str, Path]] = [(f, at_home(f)) for f in settings.workflow_folders]
        try:
            folders.append(("examples", data_dir("examples")))
        except SettingsError as error:
            self.dashboard.report(str(error))
        memory = await asyncio.to_thread(recall)
        self._recent = memory.recent_workflows
        self._order = next((each for each in Order if each.value == memory.workflows_order), Order.RECENT)
        await self.shelf.find(folders, [Path(each) for each in self._recent if not each.startswith(f"{SERVER}:")])

    def _find_on_server(self, state: ServerState) -> None:
        if state.link.url != self._server:
            self._server = state.link.url
            self.shelf.forget_server()
        userdata = self.userdata
        if userdata is not None and state.link.phase is Phase.LIVE:
            work = self.shelf.find_on_server(userdata)
            self.run_worker(work, name="find workflows there", group="find there", exclusive=True)

    async def wait_found(self) -> None:
        """Return when the disk has been searched."""
        await self.shelf.searched.wait()

    def _show_list(self) -> None:
        if not self._preview.query("*"):  # not composed yet, or the program is being left
            return
        listed = self.listed
        self._entries = {entry.key: entry for entry in listed if matches(entry, self._query)}
        if listed:
            self._list.say_empty(f"No file matches {self._query!r}.\n\n esc  shows all {len(listed):,} files again")
        elif self.shelf.searched.is_set():
            self._list.say_empty(teaching.no_workflows(self.dashboard.keymap))
        self._list.forget()
        self._list.show(list(self._entries), self._draw_entry)
        bad = sum(bool(entry.error) and entry.form != "ui" for entry in self._entries.values())
        parts = [plural(len(self._entries), "file")]
        parts += [f"{self.shelf.unread:,} to read"] if self.shelf.unread else []
        parts += [f"{bad} not usable"] if bad else []
        parts += [f"by {self._order.value}"] if self._order is not Order.RECENT else []
        parts += [self._query] if self._query else []
        parts += self.shelf.notes[:2]
        if not self.dashboard.settings.workflow_folders and len(parts) == 1:
            parts.append("workflow_folders in 8 Settings adds your own")
        entitle(self.query_one("#workflows-middle"), "Workflows", " · ".join(parts))
        self._show_preview()

    def _draw_entry(self, key: str, width: int) -> Text:
        words = self._query.lower().split()
        return workflow_line(self._entries[key], width, words, self.dashboard.palette, key in self._recent)

    def _show_preview(self) -> None:
        if not self._preview.query("*"):
            return
        entry = self.entry
        self._preview.show(entry, self.dashboard.palette)
        self.refresh_actions()
        if entry is None:
            self._preview.picture(None)
        elif entry.form or (entry.unread and entry.on_server):
            self._deepen(entry)
        else:
            self._preview.picture(None)

    @work(name="preview", group="preview", exclusive=True)
    async def _deepen(self, entry: Entry) -> None:
        """Add what takes time: what a file of the server holds, what this server lacks of it, what it made last."""
        await asyncio.sleep(PREVIEW_DELAY)
        try:
            if entry.unread:
                entry = await self.shelf.fill(entry, self.userdata)
                if entry.key in self._entries:
                    self._entries[entry.key] = entry
                    self._list.forget()
                self._preview.show(entry, self.dashboard.palette)
                self.refresh_actions()
            self._show_picture(entry)
            info = self.session.state.object_info if self.session.state is not None else None
            if info is None or not entry.form:
                return
            found = await self._lacks(entry, info)
        except (ClientError, WorkflowError) as error:
            self._preview.show(library.with_error(entry, str(error)) if entry.unread else entry, self.dashboard.palette)
            return
        if self.entry is not None and self.entry.key == entry.key:
            known = sum(name in info for name in entry.classes)
            said = told_lacking(entry, found, known, len(entry.classes), self.dashboard.palette)
            self._preview.show(entry, self.dashboard.palette, said)

    async def _lacks(self, entry: Entry, info: Mapping[str, Any]) -> list[Lack]:
        key = (entry.key, entry.stamp, id(info))
        if key not in self._lacking:
            document = await self.shelf.document(entry, self.userdata)
            found = await asyncio.to_thread(lacking, document, info)
            while len(self._lacking) >= CHECKED:
                del self._lacking[next(iter(self._lacking))]
            self._lacking[key] = found
        return self._lacking[key]

    def _show_picture(self, entry: Entry | None) -> None:
        connection, store = self.session.connection, self.dashboard.pictures
        output = last_picture(entry, self.session.state) if entry is not None else None
        wanted: tuple[Output, ...] = () if output is None else (output,)
        store.only(self._picture_came, wanted)
        found = store.want(connection, output, self._picture_came) if output and connection else None
        self._preview.picture(found if isinstance(found, bytes) else None, output)

    def _picture_came(self) -> None:
        self._show_picture(self.entry)

    @on(LineList.Moved, "#workflows-list")
    def _moved(self) -> None:
        self._show_preview()

    @on(LineList.Opened, "#workflows-list")
    def _list_opened(self) -> None:
        if self.entry is not None and (self.entry.runnable or self.entry.unread):
            self.action_edit()
        else:
            self.action_switch_pane()

    @on(Input.Changed, "#workflows-query")
    def _searched(self, message: Input.Changed) -> None:
        if message.value.strip() != self._query:
            self._query = message.value.strip()
            self._show_list()
            self._list.action_top()

    @on(Input.Submitted, "#workflows-query")
    def _search_done(self) -> None:
        self._list.focus()

    # Actions on the list

    def situation(self) -> Situation:
        entry = self.entry
        return Situation(
            self.session.state,
            selected=entry is not None and (entry.runnable or entry.unread),
            editing=self.editing,
            on_server=entry is not None and bool(entry.on_server),
            listed=entry is not None,
        )

    def action_filter(self) -> None:
        self.add_class("-searching")
        self.call_after_refresh(self.query_one(Input).focus)

    def filter(self, query: str, asked_from: str) -> None:
        """Show only what matches; leaving the filter goes back to the screen that asked for it."""
        if self.editing:
            self._leave_editor()
        self._filtered_from = asked_from
        self._query = query
        self.add_class("-searching")
        self.query_one(Input).value = query
        self._show_list()
        self._list.action_top()
        self.call_after_refresh(self._list.focus)

    def action_order(self) -> None:
        orders = list(Order)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self.run_worker(asyncio.to_thread(remember, workflows_order=self._order.value), name="remember", group="memory")
        self._show_list()
        self.dashboard.say(f"ordered by {self._order.value}")

    def action_lacks(self) -> None:
        if (entry := self.entry) is not None:
            self.run_worker(self._show_lacks(entry), name="what is missing", group="dialog", exclusive=True)

    async def _show_lacks(self, entry: Entry) -> None:
        from comfytui.tui.screens.lacks import show_lacks

        info = self.session.state.object_info if self.session.state is not None else None
        if info is None:
            self.dashboard.report("the server's nodes are not known yet")
            return
        document = await self.dashboard.ask("read", self.found(entry)).wait()
        if document is not None and (name := await show_lacks(self.dashboard, entry, document, info)):
            self.dashboard.show_node(name)

    async def found(self, entry: Entry) -> Document:
        """The workflow of an entry, in whichever form it is. Raises ClientError and WorkflowError."""
        return await self.shelf.document(await self.shelf.fill(entry, self.userdata), self.userdata)

    async def read(self, entry: Entry) -> Document:
        """The workflow of an entry, with a graph. Raises ClientError and WorkflowError."""
        return await self._with_graph(await self.found(entry))

    async def _with_graph(self, found: Document) -> Document:
        made = await runnable(found, self.session.connection)
        remarks = (*made.problems, *made.warnings)
        if remarks:
            self.dashboard.say(sanitize.line(f"{plural(len(remarks), 'remark')} on its conversion: {remarks[0]}"))
        return made.document

    def action_switch_pane(self) -> None:
        self.toggle_class("-preview")
        shown = self.query_one("#workflows-text") if self.has_class("-preview") else self._list
        self.call_after_refresh(shown.focus)  # what was hidden takes no focus before the next layout

    def action_open_path(self) -> None:
        self.run_worker(self._ask_path(), name="ask for a path", group="dialog", exclusive=True)

    async def _ask_path(self) -> None:
        from comfytui.tui.widgets.file_dialog import FileDialog

        hint = "JSON, a picture or film that ComfyUI saved, or a link: server:output/NAME, server:history/ID, http://…"
        dialog = FileDialog("Open a workflow", hint, library.LISTED, also=is_remote)
        path = await self.app.push_screen_wait(dialog)
        if path is not None:
            await self._open_path(path)

    async def _open_path(self, path: Path) -> None:
        """List a file, and edit it if it is a workflow; or edit what a link names."""
        if is_remote(str(path)):
            self.dashboard.ask("open", self._open_link(str(path)), group="edit")
            return
        entry = await asyncio.to_thread(library.read, path)
        if entry.error:
            self.dashboard.report(" ".join(part for part in (f"{entry.name}: {entry.error}.", entry.fix) if part))
            return
        self.shelf.put(entry)
        await self._remember(entry.key)
        self._list.move_to(entry.key)
        await self._edit(entry)

    async def _open_link(self, text: str) -> None:
        from comfytui.state.sources import load

        await self.edit(await self._with_graph(await load(text, self.session.connection)))

    async def _remember(self, key: str) -> None:
        """Put a file first among those used last, also for the next run."""
        memory = await asyncio.to_thread(remember_workflow, key)
        self._recent = memory.recent_workflows
        self._show_list()

    def action_edit(self) -> None:
        if (entry := self.entry) is not None:
            self.dashboard.ask("open", self._edit(entry), group="edit")

    async def _edit(self, entry: Entry) -> None:
        await self.edit(await self.read(entry), source=entry.key)

    def action_again(self) -> None:
        if (entry := self.entry) is not None:
            self.dashboard.ask("run", self._run_as_it_is(entry))

    async def _run_as_it_is(self, entry: Entry) -> None:
        if (connection := self.session.connection) is None:
            return
        document = await self.read(entry)
        (graph,) = drafts.runs(drafts.start(document, _as_it_is(document)), 1)
        workflow = await asyncio.to_thread(embedded, document, graph, connection.state.object_info)
        previews = self.dashboard.settings.previews
        wildcards = Wildcards(self.dashboard.settings.wildcard_folders)
        info = connection.state.object_info
        sent = await asyncio.to_thread(ready, graph, info, wildcards, now=datetime.now(), workflow=workflow)
        await connection.submit(
            sent.graph, name=entry.path.stem, workflow=workflow, previews=previews, templates=sent.templates
        )
        await self._remember(entry.key)
        self.dashboard.say(f"{sanitize.line(entry.path.stem)} {taken(self.session.state)}")

    # The server's own files

    def action_delete(self) -> None:
        if (entry := self.entry) is not None and entry.on_server:
            self.run_worker(self._server_files.delete(entry), name="delete", group="dialog", exclusive=True)

    def action_rename(self) -> None:
        if (entry := self.entry) is not None and entry.on_server:
            self.run_worker(self._server_files.rename(entry), name="rename", group="dialog", exclusive=True)

    def action_upload(self) -> None:
        if (entry := self.entry) is not None:
            self.run_worker(self._server_files.copy(entry), name="copy there", group="dialog", exclusive=True)

    def go_back(self) -> bool:
        if self.editing:
            if self._editor.go_back():
                return True
            self._leave_editor()
            self.call_after_refresh(self._list.focus)
            self._show_preview()
            self._show_where_from()
            return True
        if self.has_class("-preview"):
            self.action_switch_pane()
            return True
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self.query_one(Input).value = ""
            self._list.focus()
            if self._filtered_from:
                self.run_worker(self.dashboard.action_show(self._filtered_from), name="show")
                self._filtered_from = ""
            return True
        return False

    def on_resize(self) -> None:
        narrow = self.app.size.width < 120
        self.set_class(narrow, "-narrow")
        # Shares are of panes side by side; alone and below each other, 5fr would be five times the width.
        for pane, share in (("middle", "5fr"), ("preview", "3fr")):
            self.query_one(f"#workflows-{pane}").styles.width = "1fr" if narrow else share
        self.call_after_refresh(self._picture_came)  # it is shown where there is room


async def show_filtered(dashboard: Dashboard, query: str) -> None:
    """Show the files that match a filter, such as `node:KSampler`; leaving it comes back."""
    asked_from = dashboard.current
    await dashboard.action_show("workflows")
    cast("WorkflowsView", dashboard.stage.of("workflows")).filter(query, asked_from)


def _as_it_is(document: Document) -> SeedMode:
    """A file that is run unseen gets a random seed, whatever the web page would do next; a job is repeated."""
    return SeedMode.FIXED if document.source in ("history", "queue") else SeedMode.RANDOM

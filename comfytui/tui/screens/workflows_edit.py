"""What Workflows does with the workflow that is being edited: open, keep, run, write; the base of the screen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on

from comfytui.client import sanitize
from comfytui.tui import draft as drafts
from comfytui.tui.draft import Draft, SeedMode
from comfytui.tui.library import SERVER
from comfytui.tui.queue_order import taken
from comfytui.tui.screens.editor import Editor
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.screens.workflows_server import ServerFiles
from comfytui.tui.widgets.file_dialog import at_home
from comfytui.workflow import document as documents
from comfytui.workflow.forms import form_of, to_write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfytui.client.userdata import UserData
    from comfytui.tui.library import Entry
    from comfytui.tui.shelf import Shelf
    from comfytui.workflow.document import Document


class EditsWorkflows(ScreenView):
    """Owns the editor and the drafts that were left; the screen itself owns the list of files."""

    shelf: Shelf

    def __init__(self) -> None:
        super().__init__()
        self._editor = Editor()
        self._server_files = ServerFiles(self)
        self._kept: dict[str, Draft] = {}  # drafts with changes that were left, by where they came from
        self._back_to = ""  # the screen from which the editor was opened, "" for the list

    @property
    def editing(self) -> bool:
        return self.has_class("-editing")

    @property
    def editor(self) -> Editor:
        return self._editor

    @property
    def userdata(self) -> UserData | None:
        """The server's own files."""
        connection = self.session.connection
        return connection.userdata if connection is not None else None

    async def _remember(self, key: str) -> None:
        """Put a file first among those used last."""
        raise NotImplementedError

    async def read(self, entry: Entry) -> Document:
        """The workflow of an entry, with a graph. Raises ClientError and WorkflowError."""
        raise NotImplementedError

    def action_reload(self) -> None:
        """Look for files again."""
        raise NotImplementedError

    async def edit(
        self, document: Document, *, source: str = "", seed_mode: SeedMode | None = None, back_to: str = ""
    ) -> None:
        """Open the editor on a document; a draft of it that was left with changes is taken up again.

        `source` is the key of the file that it comes from.
        """
        self._keep()
        draft = self._kept.get(source or document.name)
        if draft is None or draft.document.graph != document.graph:
            draft = drafts.start(document, seed_mode)
        self._back_to = back_to
        self.add_class("-editing")
        info = self.session.state.object_info if self.session.state is not None else None
        await self._editor.open(draft, source, info)
        self.refresh_actions()

    def _keep(self) -> None:
        """Nothing typed is lost by leaving."""
        draft = self._editor.draft
        if drafts.changes(draft):
            self._kept[self._editor.source or draft.document.name] = draft

    def _leave_editor(self) -> None:
        self._keep()
        self.remove_class("-editing")
        self._editor.active = False

    def _show_where_from(self) -> None:
        """Go back to the screen from which the editor was opened."""
        if self._back_to and self._back_to != self.screen_id:
            self.run_worker(self.dashboard.action_show(self._back_to), name="show")

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
        if self._editor.source:
            await self._remember(self._editor.source)
        await self.dashboard.action_show("live")  # to watch it; the editor is still open here

    def action_more(self) -> None:
        self._editor.action_more()

    def action_side(self) -> None:
        self._editor.action_side()

    def action_seed_mode(self) -> None:
        self._editor.action_seed_mode()

    def action_attach(self) -> None:
        self._editor.action_upload()

    def action_loras(self) -> None:
        self._editor.action_loras()

    def action_difference(self) -> None:
        self._editor.action_difference()

    def action_favourite(self) -> None:
        self._editor.action_favourite()

    def action_undo(self) -> None:
        self._editor.action_undo()

    def action_write(self) -> None:
        self.run_worker(self._ask_file(), name="ask for a file", group="dialog", exclusive=True)

    async def _ask_file(self) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        draft, source = self._editor.draft, self._editor.source
        there = source.startswith(f"{SERVER}:")
        suggested = source if there else f"{sanitize.line(Path(draft.document.name).stem)}-changed.json"
        form = "the browser's form" if form_of("", draft.document) == "ui" else "API format"
        hint = f"a path here, or {SERVER}:NAME among the server's own; in {form}, or as .ui.json or .api.json asks"
        name = await self.app.push_screen_wait(TextInputDialog("Write the workflow to", suggested, hint=hint))
        if not name:
            return
        if name.startswith(f"{SERVER}:"):
            written = await self.dashboard.ask("write", self._made(name, draft)).wait()
            if written is not None:
                await self._server_files.save(name.removeprefix(f"{SERVER}:").strip(), written)
        else:
            self.dashboard.ask("write", self._write(at_home(name), draft))

    async def _made(self, name: str, draft: Draft) -> Mapping[str, Any]:
        """What a file of this name holds. Raises WorkflowError."""
        info = self.session.state.object_info if self.session.state is not None else None
        return await asyncio.to_thread(to_write, name, draft.document, draft.graph, info)

    async def _write(self, path: Path, draft: Draft) -> None:
        written = await asyncio.to_thread(documents.write, path, await self._made(path.name, draft))
        await self._remember(str(written.absolute()))
        self.dashboard.say(f"written to {sanitize.line(str(written))}")
        self.action_reload()

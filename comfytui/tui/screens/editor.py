"""The run editor: values are typed, picked and uploaded, and run from here; a refusal stands where it was caused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.message import Message

from comfytui.client import sanitize
from comfytui.client.errors import NodeProblems, Refused
from comfytui.state.model import Phase
from comfytui.tui import draft as drafts
from comfytui.tui.draft import Draft, SeedMode
from comfytui.tui.screens.editor_acts import EditorActs
from comfytui.tui.widgets.form import Pick, SeedModes, shown
from comfytui.tui.widgets.more_inputs import MoreInputs
from comfytui.tui.wording import one_line
from comfytui.workflow.catalog import with_choice
from comfytui.workflow.document import Document
from comfytui.workflow.forms import embedded
from comfytui.workflow.graph import Place, inputs
from comfytui.workflow.inputs import Field
from comfytui.workflow.queueing import ready
from comfytui.workflow.wildcards import Wildcards

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard
    from comfytui.tui.screens.workflows import WorkflowsView

UPLOAD = "⇧ upload {} from this disk …"  # the first of the choices


def open_editor(app: Dashboard, document: Document, seed_mode: SeedMode | None = None) -> None:
    """Open the editor on a document, from any screen; leaving it goes back there."""
    app.run_worker(_open(app, document, seed_mode, app.current), name="open editor", group="editor", exclusive=True)


async def _open(app: Dashboard, document: Document, seed_mode: SeedMode | None, back_to: str) -> None:
    await app.action_show("workflows")
    view = cast("WorkflowsView", app.stage.of("workflows"))
    await view.edit(document, seed_mode=seed_mode, back_to=back_to)


class Editor(EditorActs):
    """Form on the left, what changes and what the server lacks on the right."""

    class Ran(Message):
        """Runs were queued."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

    async def open(self, draft: Draft, source: str, info: Mapping[str, Any] | None) -> None:
        """Show a draft. `info` is the server's catalogue, None if it is not known yet."""
        self.active = True
        await self._ready.wait()
        self.draft, self.source, self._info = draft, source, info
        self._typed, self._refused, self._doing, self._problems = {}, {}, {}, None
        await self._know_favourites()
        await self._build()
        self._show_all()
        self._check_soon()
        self._focus_first()

    async def learn(self, info: Mapping[str, Any] | None) -> None:
        """The server's catalogue is known now, or another one is: choices, ranges and what is missing."""
        await self._ready.wait()
        async with self._learning:
            if info is None or info is self._info:
                if info is None and self._stale and self.active and not self._typed:
                    await self._rebuild()
                return
            self._info = info
            self._typed = {}  # the form is made anew, from what was accepted
            await self._rebuild()
            self._check_soon()

    # Choosing

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

    def action_seed_mode(self) -> None:
        if self.draft.has_seed:
            modes = list(SeedMode)
            self._use_seed_mode(modes[(modes.index(self.draft.seed_mode) + 1) % len(modes)])

    def action_undo(self) -> None:
        self._typed.clear()
        before = self.draft.graph
        self._set(drafts.undo(self.draft))
        if before.keys() != self.draft.graph.keys():  # a LoRA came or went: the form has other fields
            self.run_worker(self._rebuild(), name="make the form anew", group="build")
            return
        for place in self._lines:
            self._put(place)

    # Running

    async def run(self, count: int) -> None:
        """Queue `count` runs. Raises ClientError; a refusal is shown at the inputs that caused it, and raised too.

        Raises WorkflowError for a prompt that cannot be expanded, as where a file of wildcards is missing.
        """
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
        wildcards = Wildcards(self.dashboard.settings.wildcard_folders)
        done = 0
        try:
            for graph in drafts.runs(draft, count):
                workflow = await asyncio.to_thread(embedded, draft.document, graph, self._info)
                # What is shown keeps its choices and wildcards; what is sent has them drawn, by its own seed.
                sent = await asyncio.to_thread(
                    ready, graph, self._info, wildcards, now=datetime.now(), workflow=workflow
                )
                answer = await connection.submit(
                    sent.graph, name=name, workflow=workflow, previews=previews, templates=sent.templates
                )
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

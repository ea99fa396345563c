"""What the run editor does beside values: LoRAs, favourites, completion of prompts, and the difference to the file."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Mapping
from typing import Any

from textual import on

from comfytui.client import sanitize
from comfytui.client.errors import ClientError
from comfytui.settings import favourites
from comfytui.tui import draft as drafts
from comfytui.tui.completion import completions
from comfytui.tui.screens.editor_form import EditorForm
from comfytui.tui.widgets.form import Completing
from comfytui.tui.widgets.form_grid import label_of
from comfytui.tui.widgets.more_inputs import MoreInputs
from comfytui.workflow.graph import Place
from comfytui.workflow.identity import shape
from comfytui.workflow.wildcards import Wildcards


def difference(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    """A unified diff of two graphs as the files that they would be; empty if they are the same."""
    old, new = (json.dumps(each, indent=2, ensure_ascii=False).splitlines() for each in (before, after))
    return "\n".join(difflib.unified_diff(old, new, name, f"{name}, changed", lineterm=""))


class EditorActs(EditorForm):
    """Each opens a dialog, and puts what it answers into the draft."""

    async def _know_favourites(self) -> None:
        self._favourites = await asyncio.to_thread(favourites.of, shape(self.draft.document.graph))

    def action_loras(self) -> None:
        from comfytui.tui.widgets.lora_dialog import LoraDialog

        document = self.draft.document

        def left(graph: dict[str, Any] | None) -> None:
            if graph is not None and self.draft.document is document and graph != self.draft.graph:
                self.draft = drafts.restructure(self.draft, graph)
                self.run_worker(self._remade(), name="make the form anew", group="build")

        held = {str(node.get("id")) for node in (document.workflow or {}).get("nodes", []) if isinstance(node, dict)}
        self.app.push_screen(LoraDialog(self.draft.graph, self._info, held), left)

    async def _remade(self) -> None:
        await self._rebuild()
        self._check_soon()

    def action_difference(self) -> None:
        """Show as text what differs from the file."""
        from comfytui.tui.widgets.text_dialog import TextDialog

        name = sanitize.line(self.draft.document.name) or "the workflow"
        text = difference(self.draft.document.graph, self.draft.graph, name)
        self.app.push_screen(TextDialog(f"what differs from {name}", sanitize.block(text) or "Nothing."))

    def action_favourite(self) -> None:
        """Name the input that has the cursor, and put it first; without a name it is one no more."""
        place = self._focused_place() or self.query_one(MoreInputs).place
        field = self._fields.get(place) if place is not None else None
        if field is None:
            self.dashboard.say("Go to an input first: it becomes a favourite.")
            return
        self.app.run_worker(self._ask_name(field.place), name="name a favourite", group="dialog", exclusive=True)

    async def _ask_name(self, place: Place) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        field, key = self._fields[place], f"{place.node_id}.{place.input}"
        hint = "it stands first whenever this workflow is edited; without a name it does no longer"
        suggested = self._favourites.get(key) or label_of(field)
        dialog = TextInputDialog("A name for this favourite", suggested, hint=hint, may_be_empty=True)
        name = await self.app.push_screen_wait(dialog)
        if name is None:
            return
        held = dict(self._favourites)
        if name:
            held[key] = sanitize.line(name, favourites.MAX_NAME)
        else:
            held.pop(key, None)
        self._favourites = held
        await self._rebuild()
        self.dashboard.ask("favourite", asyncio.to_thread(favourites.keep, shape(self.draft.document.graph), held))

    @on(Completing)
    def _completing(self, message: Completing) -> None:
        message.stop()
        self.app.run_worker(self._complete(message), name="complete", group="dialog", exclusive=True)

    async def _complete(self, message: Completing) -> None:
        """Let an embedding of the server or a wildcard file be picked, and put it where the cursor is."""
        from comfytui.tui.widgets.pick import Pick

        names: tuple[str, ...] = ()
        connection = self.dashboard.session.connection
        if connection is not None:
            try:
                names = await connection.embeddings()
            except ClientError as error:
                self.dashboard.report(f"embeddings: {error}")
        wildcards = Wildcards(self.dashboard.settings.wildcard_folders)
        files = await asyncio.to_thread(wildcards.names)
        start, choices = completions(message.area.text, message.at, names, files)
        if not choices:
            self.dashboard.say("The server has no embeddings, and no wildcard_folders are set.")
            return
        shown = [sanitize.line(each) for each in choices]
        index = await self.app.push_screen_wait(Pick("Put into the prompt", shown, does="puts it there"))
        if index is not None and message.area.is_attached:
            message.area.put(start, message.at, choices[index])

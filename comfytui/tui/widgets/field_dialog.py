"""One input in a dialog: what it is, what it accepts, and an editor that says at once what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.client import sanitize
from comfytui.tui import actions
from comfytui.tui.widgets.field_words import tip, told
from comfytui.tui.widgets.form import Edited, FormLine, PromptArea
from comfytui.tui.widgets.form_grid import LABEL
from comfytui.tui.wording import cut_middle
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.inputs import Field

Parse = Callable[[Field, str], Any]


class FieldDialog(ModalScreen[str | None]):
    """Answers with a text that `parse` accepts, None when it was left."""

    BINDINGS: ClassVar = [*actions.bindings("typing"), *actions.bindings("form", "enter", "accept")]
    CSS = "FieldDialog .dialog { width: 80; max-width: 95%; }"

    def __init__(self, field: Field, parse: Parse) -> None:
        super().__init__()
        self._field, self._parse = field, parse

    def compose(self) -> ComposeResult:
        field = self._field
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(sanitize.line(f"{field.title} · {field.input}"))
            dialog.border_subtitle = Content("F5 accept · esc" if field.multiline else "enter · esc")
            yield FormLine([field], [cut_middle(sanitize.line(field.input), LABEL)])
            yield Static(Text(f"{told(field)}\n{tip(field)}".strip()), classes="dim")

    def on_mount(self) -> None:
        editor = self.query_one(FormLine).editor(self._field.place)
        if editor is not None:
            editor.focus()

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        message.stop()
        self._accepts(message.text)

    def _accepts(self, text: str) -> bool:
        """Whether the text is accepted; if not, the reason is shown."""
        parsed = self._parse(self._field, text)
        refused = isinstance(parsed, WorkflowError)
        note = sanitize.line(f"{parsed.problem}. {parsed.fix}") if refused else ""
        self.query_one(FormLine).note(self._field.place, note)
        return not refused

    def action_enter(self) -> None:
        """Enter accepts a line; in a longer text it is a line break."""
        if isinstance(self.focused, PromptArea):
            self.focused.insert("\n")
        else:
            self.action_accept()

    def action_accept(self) -> None:
        text = self.query_one(FormLine).text(self._field.place)
        if self._accepts(text):
            self.dismiss(text)

    def action_leave(self) -> None:
        self.dismiss(None)

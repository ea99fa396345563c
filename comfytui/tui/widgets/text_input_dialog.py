"""A question whose answer is a line of text, with what is suggested already typed."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from comfytui.tui import actions


class TextInputDialog(ModalScreen[str | None]):
    """Answers with what was typed, None when it was left."""

    BINDINGS = [*actions.bindings("typing")]
    DEFAULT_CSS = "TextInputDialog Input { width: 60; max-width: 100%; background: $role-background; }"

    def __init__(self, question: str, value: str = "", hint: str = "", may_be_empty: bool = False) -> None:
        super().__init__()
        self._may_be_empty = may_be_empty  # "" is an answer then, too
        self._question, self._value, self._hint = question, value, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_subtitle = "enter · esc"
            yield Static(self._question, markup=False)
            answer = Input(self._value, select_on_focus=False)
            answer.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield answer
            if self._hint:
                yield Static(self._hint, markup=False, classes="dim")

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        text = message.value.strip()
        self.dismiss(text if text or self._may_be_empty else None)

    def action_leave(self) -> None:
        self.dismiss(None)

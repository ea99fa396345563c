"""A question before something that cannot be undone: names what would happen, and takes y or n."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static


class Confirm(ModalScreen[bool | None]):
    """Answers True for yes, False for no, None when it was left."""

    BINDINGS = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n", "answer(False)", "no"),
        Binding("escape,q", "leave", "leave"),
    ]

    def __init__(self, question: str, yes: str, no: str = "no", detail: str = "") -> None:
        super().__init__()
        self._question, self._yes, self._no, self._detail = question, yes, no, detail

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_subtitle = "y/enter · n · esc"
            yield Static(self._question, markup=False)
            if self._detail:
                yield Static(self._detail, markup=False, classes="dim")
            yield Static(f"\ny  {self._yes}\nn  {self._no}", markup=False, classes="answers")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_leave(self) -> None:
        self.dismiss(None)

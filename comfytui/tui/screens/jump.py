"""Jump mode: letters on everything that can be gone to; typing them goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from rich.text import Text
from textual import events
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.tui import actions
from comfytui.tui.jump import LETTERS, Target, labels, targets

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from comfytui.tui.app import Dashboard

BOLD = Style(bold=True)


class Label(Static):
    """One or two letters over what they stand for."""

    DEFAULT_CSS = "Label { position: absolute; width: auto; height: 1; }"

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(markup=False, classes="jump")
        self.letters, self.target = name, target
        self.styles.offset = target.at.x, target.at.y

    def show(self, typed: str) -> None:
        """Show what is still to be typed; nothing if it is another's beginning that was."""
        self.display = self.letters.startswith(typed)
        if self.display:
            palette = cast("Dashboard", self.app).palette
            self.update(Text(self.letters[len(typed) :], palette.selected + BOLD))


class JumpScreen(ModalScreen[None]):
    """Lies over a screen or dialog, which is still seen. A letter that stands nowhere, or escape, leaves it."""

    BINDINGS: ClassVar = [*actions.bindings("jump")]
    CSS = "JumpScreen.-over { background: transparent; align: left top; }"

    def __init__(self) -> None:
        super().__init__(classes="-over")
        self._typed = ""

    def compose(self) -> ComposeResult:
        app = cast("Dashboard", self.app)
        below = app.screen_stack[-2] if app.screen_stack[-1] is self else app.screen_stack[-1]
        found = targets(app, below)
        for name, target in zip(labels(len(found)), found, strict=True):
            yield Label(name, target)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> list[Label]:
        """Show the labels that are still possible."""
        for label in self.query(Label):
            label.show(self._typed)
        return [label for label in self.query(Label) if label.display]

    def on_key(self, event: events.Key) -> None:
        if event.key not in LETTERS:
            return
        event.stop()
        self._typed += event.key
        left = self._show()
        chosen = next((label.target for label in left if label.letters == self._typed), None)
        if chosen is not None or not left:
            self.dismiss(None)
        if chosen is not None:
            self.app.call_later(chosen.go)

    def on_click(self) -> None:
        self.dismiss(None)

    def action_leave(self) -> None:
        self.dismiss(None)

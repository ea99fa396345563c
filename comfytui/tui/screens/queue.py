"""Queue."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from comfytui.tui import actions
from comfytui.tui.screens.view import ScreenView


class QueueView(ScreenView):
    """Queue."""

    screen_id = "queue"
    BINDINGS = [*actions.bindings("queue")]

    def compose(self) -> ComposeResult:
        yield Static("queue", classes="pane", markup=False)

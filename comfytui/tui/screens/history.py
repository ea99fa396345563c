"""History."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from comfytui.tui import actions
from comfytui.tui.screens.view import ScreenView


class HistoryView(ScreenView):
    """History."""

    screen_id = "history"
    BINDINGS = [*actions.bindings("history")]

    def compose(self) -> ComposeResult:
        yield Static("history", classes="pane", markup=False)

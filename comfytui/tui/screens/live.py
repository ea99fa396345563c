"""Live."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from comfytui.tui import actions
from comfytui.tui.screens.view import ScreenView


class LiveView(ScreenView):
    """Live."""

    screen_id = "live"
    BINDINGS = [*actions.bindings("live")]

    def compose(self) -> ComposeResult:
        yield Static("live", classes="pane", markup=False)

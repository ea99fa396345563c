"""The Settings screen: our own settings, editable, and beside them what the server is."""

from __future__ import annotations

from comfytui.tui import actions
from comfytui.tui.screens.view import ScreenView


class SettingsView(ScreenView):
    """Settings."""

    screen_id = "settings"
    BINDINGS = [*actions.bindings("settings")]

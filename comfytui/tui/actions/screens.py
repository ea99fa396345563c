"""The screens in the order of their tabs; each is imported when it is first shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScreenSpec:
    """A screen: its id, its key, its title, and where its view is; imported when it is first shown."""

    id: str
    key: str
    title: str
    target: str  # module:class


# One line a screen; the order is that of the tabs.
SCREENS: tuple[ScreenSpec, ...] = (
    ScreenSpec("live", "1", "Live", "comfytui.tui.screens.live:LiveView"),
    ScreenSpec("queue", "2", "Queue", "comfytui.tui.screens.queue:QueueView"),
    ScreenSpec("history", "3", "History", "comfytui.tui.screens.history:HistoryView"),
    ScreenSpec("nodes", "4", "Nodes", "comfytui.tui.screens.nodes:NodesView"),
    ScreenSpec("workflows", "5", "Workflows", "comfytui.tui.screens.workflows:WorkflowsView"),
    ScreenSpec("servers", "6", "Servers", "comfytui.tui.screens.servers:ServersView"),
    ScreenSpec("logs", "7", "Logs", "comfytui.tui.screens.logs:LogsView"),
    ScreenSpec("settings", "8", "Settings", "comfytui.tui.screens.settings:SettingsView"),
    ScreenSpec("models", "9", "Models", "comfytui.tui.screens.models:ModelsView"),
)

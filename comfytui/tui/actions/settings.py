"""The keys of Settings."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import can_change, on_selection

SETTINGS = (
    Action("settings.edit", "change", "e", "Change the selected setting.", "settings", "edit", on_selection),
    Action(
        "settings.default",
        "default",
        "x",
        "Put the selected setting back to its default.",
        "settings",
        "default",
        on_selection,
    ),
    Action("settings.view", "settings/server", "v", "Switch panes where only one fits.", "settings", "switch_pane"),
    Action(
        "settings.unload",
        "unload models",
        "U",
        "Have the server drop its models from memory.",
        "settings",
        "unload",
        can_change,
    ),
    Action(
        "settings.free",
        "free memory",
        "F",
        "Drop the models, and forget cached results.",
        "settings",
        "free",
        can_change,
    ),
)

"""The keys of Settings."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import can_change, connected, on_selection

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
    Action("settings.filter", "filter", "slash", "Show only settings with these words.", "settings", "filter"),
    Action(
        "settings.view",
        "next pane",
        "v",
        "Go between our settings, what the server says of itself, and its own settings.",
        "settings",
        "switch_pane",
    ),
    Action(
        "settings.unload",
        "unload models",
        "U",
        "Have the server drop its models from memory; cached results stay.",
        "settings",
        "unload",
        can_change,
    ),
    Action(
        "settings.free",
        "free memory",
        "F",
        "Drop the models, and forget cached results: the next run computes all of them anew.",
        "settings",
        "free",
        can_change,
    ),
    Action(
        "settings.user", "be a user", "c", "Choose who you are on the server.", "settings", "choose_user", connected
    ),
    Action(
        "settings.add_user",
        "add user",
        "a",
        "Make an account on the server.",
        "settings",
        "add_user",
        can_change,
        footer=False,
    ),
    Action(
        "settings.reload",
        "reload",
        "f5",
        "Ask the server for its settings again.",
        "settings",
        "reload",
        connected,
        footer=False,
    ),
)

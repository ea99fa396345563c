"""The keys of Nodes."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import connected, on_selection

NODES = (
    Action(
        "nodes.filter",
        "search",
        "slash",
        "Search names, titles, categories and descriptions; takes:TYPE and makes:TYPE ask for a type.",
        "nodes",
        "filter",
    ),
    Action(
        "nodes.takers",
        "takers",
        "t",
        "List the nodes that take what this one puts out.",
        "nodes",
        "takers",
        on_selection,
    ),
    Action(
        "nodes.makers", "makers", "m", "List the nodes that make what this one takes.", "nodes", "makers", on_selection
    ),
    Action(
        "nodes.view", "categories", "v", "Go between the categories, the list and the card.", "nodes", "switch_pane"
    ),
    Action("nodes.copy", "copy name", "y", "Copy the node's class name.", "nodes", "copy", on_selection),
    Action(
        "nodes.reload",
        "reload",
        "f5",
        "Ask the server for its nodes again.",
        "nodes",
        "reload",
        connected,
        footer=False,
    ),
)

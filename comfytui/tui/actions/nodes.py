"""The keys of Nodes."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import connected, on_selection

NODES = (
    Action(
        "nodes.filter",
        "search",
        "slash",
        "Search names, titles, categories and descriptions; is:custom, from:PACK, takes:TYPE, makes:TYPE, -is:deprecated.",
        "nodes",
        "filter",
    ),
    Action(
        "nodes.takers",
        "takers",
        "t",
        "List the nodes that take what this one puts out; esc comes back.",
        "nodes",
        "takers",
        on_selection,
    ),
    Action(
        "nodes.makers",
        "makers",
        "m",
        "List the nodes that make what this one takes; esc comes back.",
        "nodes",
        "makers",
        on_selection,
    ),
    Action("nodes.used", "used by", "w", "List the workflows that use this node.", "nodes", "used_by", on_selection),
    Action(
        "nodes.lacks",
        "missing",
        "M",
        "Choose a workflow, and see which of its nodes and models this server lacks.",
        "nodes",
        "lacks",
        connected,
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

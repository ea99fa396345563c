"""The keys of Models."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import connected, on_selection

WHERE = "models"
_USED = "Show the workflows and the jobs that use the model, the server's own files too."

MODELS = (
    Action("models.filter", "filter", "slash", "Show only files whose name has these words.", WHERE, "filter"),
    Action("models.order", "order", "o", "Order by name, by size, by date.", WHERE, "order"),
    Action("models.used", "used by", "u", _USED, WHERE, "used", on_selection),
    Action("models.copy", "copy name", "y", "Copy the name as a node's input takes it.", WHERE, "copy", on_selection),
    Action("models.metadata", "metadata", "m", "Show all that the file says of itself.", WHERE, "metadata", on_selection),
    Action("models.view", "folders", "v", "Go between the folders, the files and the card.", WHERE, "switch_pane"),
    Action(
        "models.reload", "reload", "f5", "Ask the server for its models again.", WHERE, "reload", connected,
        footer=False,
    ),
)  # fmt: skip

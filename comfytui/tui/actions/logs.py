"""The keys of Logs."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import connected, on_selection

WHERE = "logs"
_FILTER = "Show only lines with these words; level:error, level:warning; -word leaves out."
_COPY = "Copy the line; of a traceback, all of it."

LOGS = (
    Action("logs.filter", "filter", "slash", _FILTER, WHERE, "filter"),
    Action("logs.follow", "follow", "f", "Stay at the newest line, or stop.", WHERE, "follow"),
    Action("logs.next", "next error", "n", "Go to the next error.", WHERE, "error(1)", on_selection),
    Action("logs.before", "error before", "N", "Go to the error before.", WHERE, "error(-1)", on_selection),
    Action("logs.wrap", "wrap", "w", "Show long lines whole, on several rows, or cut.", WHERE, "wrap"),
    Action("logs.copy", "copy", "y", _COPY, WHERE, "copy", on_selection),
    Action(
        "logs.copy_shown", "copy shown", "Y", "Copy the lines on the screen.", WHERE, "copy_shown", on_selection,
        footer=False,
    ),
    Action("logs.save", "save", "s", "Write the lines that are listed to a file.", WHERE, "save", on_selection),
    Action("logs.view", "server/engine", "v", "Switch to what our own engine printed.", WHERE, "source", footer=False),
    Action(
        "logs.reload", "reload", "f5", "Ask the server for its log again.", WHERE, "reload", connected, footer=False
    ),
)  # fmt: skip

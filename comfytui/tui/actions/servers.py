"""The keys of Servers."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import on_selection

SERVERS = (
    Action("servers.show", "show", "enter", "Let all screens show this server.", "servers", "show", on_selection),
    Action("servers.again", "connect", "r", "Connect to it, or try again now.", "servers", "again", on_selection),
    Action("servers.leave", "disconnect", "x", "Disconnect from it; nothing on it changes.", "servers", "leave", on_selection),
    Action("servers.add", "add", "a", "Connect to an address.", "servers", "add"),
    Action("servers.save", "save", "s", "Keep it in the settings under a name.", "servers", "save", on_selection),
    Action("servers.edit", "edit", "e", "Change what the settings say of it.", "servers", "edit", on_selection),
    Action("servers.delete", "forget", "D", "Take it out of the settings.", "servers", "delete", on_selection, footer=False),
    Action("servers.filter", "filter", "slash", "Show only servers that match words.", "servers", "filter"),
    Action("servers.copy", "copy address", "y", "Copy the server's address.", "servers", "copy", on_selection, footer=False),
    Action("servers.details", "details", "d", "What is known of it.", "servers", "details", on_selection),
)  # fmt: skip

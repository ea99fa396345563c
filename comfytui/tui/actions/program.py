"""What works everywhere, and in every list."""

from __future__ import annotations

from comfytui.tui.actions.action import APP, LIST, Action
from comfytui.tui.actions.screens import SCREENS
from comfytui.tui.actions.situation import can_change, connected, disconnected

PROGRAM = (
    *(Action(f"app.{s.id}", s.title, s.key, f"Show {s.title}.", APP, f"show('{s.id}')", footer=False) for s in SCREENS),
    Action("app.help", "help", "question_mark,f1", "Explain the keys of what has the focus.", APP, "help"),
    Action("app.palette", "palette", "ctrl+p", "Find any action by name.", APP, "command_palette", footer=False),
    Action("app.server", "go to server", "colon", "Let all screens show another server.", APP, "server", footer=False),
    Action("app.pane_next", "next pane", "tab,l", "Give the keys to the next pane.", APP, "focus_next", footer=False),
    Action(
        "app.pane_before",
        "pane before",
        "shift+tab,h",
        "Give the keys to the pane before.",
        APP,
        "focus_previous",
        footer=False,
    ),
    Action(
        "app.jump",
        "jump",
        "ctrl+g",
        "Put letters on everything that can be gone to; typing them goes there.",
        APP,
        "jump",
        footer=False,
    ),
    Action("app.back", "back", "escape,q", "Leave a dialog, a filter or the full picture.", APP, "back", footer=False),
    Action(
        "app.theme", "next theme", "ctrl+t", "Switch to the next theme, and keep it.", APP, "next_theme", footer=False
    ),
    Action("app.retry", "reconnect", "ctrl+r", "Connect again now.", APP, "reconnect", footer=False),
    Action(
        "app.engine",
        "start the engine",
        "L",
        "Start the engine that comes along on this machine, and connect to it.",
        APP,
        "start_engine",
        disconnected,
        footer=False,
    ),
    Action("app.free", "free memory", "ctrl+f", "Unload the server's models.", APP, "free", can_change, footer=False),
    Action(
        "app.read_only",
        "read only",
        "ctrl+o",
        "Let nothing change the server, or allow it again.",
        APP,
        "read_only",
        connected,
        footer=False,
    ),
    Action(
        "app.messages", "messages", "ctrl+e", "Read what was told last, errors in full.", APP, "messages", footer=False
    ),
    Action(
        "app.log", "engine log", "ctrl+l", "Show what the local engine has written.", APP, "engine_log", footer=False
    ),
    Action("app.quit", "quit", "ctrl+q", "Leave the program.", APP, "leave", footer=False),
)

MOVING = (
    Action("list.down", "down", "j,down", "Next line.", LIST, "down", footer=False),
    Action("list.up", "up", "k,up", "Line before.", LIST, "up", footer=False),
    Action("list.top", "top", "g,home", "First line.", LIST, "top", footer=False),
    Action("list.bottom", "bottom", "G,end", "Last line.", LIST, "bottom", footer=False),
    Action("list.page_down", "page down", "ctrl+d,pagedown", "One page down.", LIST, "page_down", footer=False),
    Action("list.page_up", "page up", "ctrl+u,pageup", "One page up.", LIST, "page_up", footer=False),
    Action("list.mark", "mark", "space", "Mark a job, for an action on several.", LIST, "mark", footer=False),
    Action("list.mark_all", "mark all", "ctrl+a", "Mark every job, or none.", LIST, "mark_all", footer=False),
    Action("list.open", "details", "enter,l", "Details of the selected line.", LIST, "open", footer=False),
)

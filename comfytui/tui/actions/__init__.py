"""Every action of the dashboard, once: bindings, the footer, the help, the palette and the docs are made from this.

An action has a target (the program, or a screen), and its method there is `action_<method>`. The same letter means the
same on every screen; `tests/tui/test_actions.py` holds that. To add a key, add an entry to the screen's module here and
write the method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from comfytui.tui.actions.action import APP, LIST, Action
from comfytui.tui.actions.dialogs import DIALOGS
from comfytui.tui.actions.history import HISTORY
from comfytui.tui.actions.live import LIVE
from comfytui.tui.actions.logs import LOGS
from comfytui.tui.actions.models import MODELS
from comfytui.tui.actions.nodes import NODES
from comfytui.tui.actions.program import MOVING, PROGRAM
from comfytui.tui.actions.queue import QUEUE
from comfytui.tui.actions.screens import SCREENS, ScreenSpec
from comfytui.tui.actions.servers import SERVERS
from comfytui.tui.actions.settings import SETTINGS
from comfytui.tui.actions.situation import Situation
from comfytui.tui.actions.workflows import WORKFLOWS

if TYPE_CHECKING:
    from textual.binding import Binding

__all__ = [
    "ACTIONS",
    "APP",
    "LIST",
    "SCREENS",
    "Action",
    "ScreenSpec",
    "Situation",
    "bindings",
    "find",
    "key_of",
    "keymap",
    "of",
    "shown_keys",
]

ACTIONS: tuple[Action, ...] = (
    *LIVE,
    *QUEUE,
    *HISTORY,
    *NODES,
    *WORKFLOWS,
    *SERVERS,
    *LOGS,
    *SETTINGS,
    *MODELS,
    *MOVING,
    *DIALOGS,
    *PROGRAM,
)


def of(where: str) -> tuple[Action, ...]:
    """The actions of a target, most useful first."""
    return tuple(action for action in ACTIONS if action.where == where)


def find(where: str, method: str) -> Action | None:
    """The action behind Textual's name and parameters, `move` being enough for `move(1)`."""
    return next((a for a in ACTIONS if a.where == where and a.method.partition("(")[0] == method), None)


def bindings(where: str, *verbs: str) -> list[Binding]:
    """Textual's bindings for a target, or for those of its actions; a user's keymap overrides them by id."""
    from textual.binding import Binding

    # The keys of the program must work while a text field has the focus, so those with ctrl come first.
    return [
        Binding(a.keys, a.method, a.name, id=a.id, priority=a.first or (a.keys.startswith("ctrl+") and where == APP))
        for a in of(where)
        if not verbs or a.id.partition(".")[2] in verbs
    ]


_SHOWN = {
    "question_mark": "?", "slash": "/", "escape": "esc", "right_square_bracket": "]", "left_square_bracket": "[",
    "down": "↓", "up": "↑", "left": "←", "right": "→", "shift+down": "shift+↓", "shift+up": "shift+↑",
    "pagedown": "pgdn", "pageup": "pgup", "colon": ":", "asterisk": "*",
    "greater_than_sign": ">",
}  # fmt: skip


def key_of(action_id: str, keymap: dict[str, str] | None = None) -> str:
    """The first key of an action, for a sentence that names it."""
    return shown_keys(next(a for a in ACTIONS if a.id == action_id), keymap)[0]


def shown_keys(action: Action, keymap: dict[str, str] | None = None) -> list[str]:
    """An action's keys as a person would write them, a user's own in place of ours."""
    keys: Iterable[str] = (keymap or {}).get(action.id, action.keys).split(",")
    return [_SHOWN.get(key.strip(), key.strip()) for key in keys]


def keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """A user's keys by action id, without those that cannot be; `user_keys.checked` tells which and why."""
    from comfytui.tui.actions.user_keys import checked

    return dict(checked(keys, ACTIONS).keys)

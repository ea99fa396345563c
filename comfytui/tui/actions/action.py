"""What an action is: one thing that a key does, and where."""

from __future__ import annotations

from dataclasses import dataclass

from comfytui.tui.actions.situation import Allowed, always

APP = "app"  # the target of what works everywhere; its keys with ctrl work while one types
LIST = "list"  # moving in any list; bound by the lists themselves


@dataclass(frozen=True)
class Action:
    """One thing that a key does.

    id: `where.verb`, the name that a user's keymap gives other keys to
    name: a word or two, for the footer and the palette
    keys: Textual's key names, separated by commas
    description: a sentence for the help
    where: the target: APP, LIST, or a screen's id
    method: Textual's action string on the target: `cancel`, `show('queue')`
    allowed: whether it makes sense now; if not, the key does nothing and the footer leaves it out
    footer: False keeps it out of the footer (it stays in the help and the palette)
    first: the key works before what has the focus sees it: in a text field, where it would be typed
    """

    id: str
    name: str
    keys: str
    description: str
    where: str
    method: str
    allowed: Allowed = always
    footer: bool = True
    first: bool = False

"""A user's own keys: which actions and keys they name, and what is wrong with them, in sentences."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from comfytui.tui.actions.action import APP, LIST, Action
from comfytui.tui.actions.dialogs import TITLES

_MODIFIERS = ("ctrl", "alt", "shift", "super", "hyper", "meta")
_NAMED = frozenset(
    [
        "escape",
        "enter",
        "tab",
        "space",
        "backspace",
        "delete",
        "insert",
        "home",
        "end",
        "pageup",
        "pagedown",
        "up",
        "down",
        "left",
        "right",
    ]
) | {f"f{number}" for number in range(1, 25)}
# Unicode's names, as they are written as keys; where common use has another word, that one.
_OTHER = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
    "plus_sign": "plus", "low_line": "underscore", "full_stop": "full_stop",
}  # fmt: skip
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
# What a terminal sends is the same as another key; it tells nobody which was pressed.
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape", "ctrl+h": "backspace"}
_MANY = frozenset({APP, LIST, *TITLES})  # targets that are no screens


@dataclass(frozen=True)
class Checked:
    """keys: by action id, only those that can be used. problems: a sentence each, with what to do."""

    keys: Mapping[str, str]
    problems: tuple[str, ...] = ()


def checked(given: Mapping[str, str], actions: Sequence[Action]) -> Checked:
    """What is to be made of a `[keys]` table. Its keys name an id (`queue.cancel`), or a name everywhere (`run_again`).

    What is wrong is told and left out, and the rest used. Two actions of one target with one key: if both are the
    user's, the second stays as it was; else the user's wins, and the other one is without that key.
    """
    problems: list[str] = []
    wanted: dict[str, str] = {}
    # By id after by name: what is more precise wins.
    for name, keys in sorted(given.items(), key=lambda item: "." in item[0]):
        meant = [a for a in actions if name in (a.id, a.name.replace(" ", "_"))]
        if not meant:
            problems.append(f"keys.{name}: there is no such action.{_near(name, actions)}")
            continue
        parts = [part.strip() for part in _split(keys)]
        wrong = [why for part in parts if (why := _wrong(part))]
        problems += [f"keys.{name}: {why}" for why in wrong]
        if not wrong:
            wanted.update((a.id, ",".join(_normal(part) for part in parts)) for a in meant)
    problems += _clashes(wanted, actions)
    return Checked(wanted, tuple(problems))


def _split(keys: str) -> list[str]:
    """Keys between commas; a comma of its own is the key."""
    return [part or "comma" for part in re.split(r"\s*,\s*", keys)] if keys.strip() != "," else ["comma"]


def _near(name: str, actions: Sequence[Action]) -> str:
    names = {a.id for a in actions} | {a.name.replace(" ", "_") for a in actions}
    close = difflib.get_close_matches(name, sorted(names), n=2)
    return f" Did you mean {' or '.join(close)}?" if close else " The help (?) and docs/keys.md have their ids."


def _normal(key: str) -> str:
    *before, last = key.split("+") if key != "+" else [key]
    return "+".join([*before, name_of(last) if len(last) == 1 else last])


def name_of(character: str) -> str:
    """How a key's character is written: letters and digits as they are, others by name."""
    if character.isalnum():
        return character
    try:
        name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    except ValueError:
        return character
    return _OTHER.get(name, name)


def _known() -> frozenset[str]:
    return _NAMED | {name_of(character) for character in _PUNCTUATION}


def _wrong(key: str) -> str:
    """Why a key cannot be; "" if it can."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    if bad := [each for each in modifiers if each not in _MODIFIERS]:
        return f"{key!r} is no key: {bad[0]!r} is not one of {', '.join(_MODIFIERS)}."
    if len(last) != 1 and last not in _known():
        close = difflib.get_close_matches(last, sorted(_known()), n=1)
        return f"{key!r} is no key." + (f" Did you mean {'+'.join([*modifiers, close[0]])}?" if close else "")
    if same := _SAME.get(_normal(key)):
        return f"{key!r} is {same} to a terminal; choose another."
    return ""


def _clashes(wanted: dict[str, str], actions: Sequence[Action]) -> Iterator[str]:
    """Two actions of one target with the same key. Takes out of `wanted` what cannot be."""
    found: list[str] = []
    for where in dict.fromkeys(a.where for a in actions):
        mine = [a for a in actions if a.where == where]
        taken: dict[str, Action] = {}
        for action in (a for a in mine if a.id in wanted):
            for key in wanted[action.id].split(","):
                if (other := taken.get(key)) is not None and other.id != action.id:
                    found.append(f"keys: {key} is given to {other.id} and to {action.id}; the second keeps its own.")
                    wanted.pop(action.id, None)
                    break
                taken[key] = action
        for action in (a for a in mine if a.id not in wanted):
            for key in action.keys.split(","):
                if (other := taken.get(key)) is not None:
                    rest = "" if "," in action.keys else f', which has no key now. Give it one: "{action.id}" = "…"'
                    found.append(f"keys: {key} of {other.id} was that of {action.id}{rest}.")
    screens = dict.fromkeys(a.where for a in actions if a.where not in _MANY)
    everywhere = [a for a in actions if a.where == APP]
    for where in screens:
        for action in (a for a in actions if a.where == where):
            for other in everywhere:
                if action.id not in wanted and other.id not in wanted:
                    continue
                both = _keys(action, wanted) & _keys(other, wanted)
                first = [key for key in both if key.startswith("ctrl+")]
                wins, loses = (other, action) if first else (action, other)
                found += [f"keys: on {where}, {key} is {wins.id}, and no longer {loses.id}." for key in sorted(both)]
    return chain(found)


def _keys(action: Action, wanted: Mapping[str, str]) -> set[str]:
    return set(wanted.get(action.id, action.keys).split(","))

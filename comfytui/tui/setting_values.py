"""Values of settings as they are shown and typed: what is typed must be of the kind that the value is. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from comfytui.client import sanitize
from comfytui.tui.wording import one_line


class BadValue(ValueError):  # noqa: N818 -- as its siblings
    """What was typed is of another kind than the value; the message says which it has to be."""


def shown(value: Any) -> str:
    """A value in a word or two."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(value) or "none"
    return one_line(str(value))


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list, as JSON"
    return "an object, as JSON" if isinstance(value, dict) else "any JSON"


def as_typed(value: Any) -> str:
    """A value as somebody would type it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(text: str, old: Any) -> Any:
    """What was typed, as a value of the same kind as `old`. Raises BadValue."""
    if isinstance(old, str):
        return text
    if isinstance(old, bool):
        words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
        if text.strip().lower() in words:
            return words[text.strip().lower()]
        raise BadValue(f"has to be yes or no, not {cut_off(text)}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadValue(f"has to be {kind_of(old)}: {cut_off(text)} is not") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise BadValue("has to be a number that is finite")
    if old is None or kind_of(value) == kind_of(old):
        if isinstance(old, int) and not isinstance(old, bool) and isinstance(value, float) and not value.is_integer():
            raise BadValue(f"has to be a whole number: it is {old}")
        return value
    raise BadValue(f"has to be {kind_of(old)}, not {kind_of(value)}")


def whole(key: str, value: Any) -> bool:
    """Whether key and value came as they are shown: what was cleaned would not go back as it was."""
    return sanitize.BAD not in key and sanitize.BAD not in json.dumps(value, ensure_ascii=False)


def cut_off(text: str) -> str:
    text = one_line(text)
    return repr(text if len(text) < 40 else text[:39] + "…")

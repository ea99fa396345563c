"""Reads a node catalogue of megabytes without holding up the program: node by node, and not in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer
from comfytui.client.readers import decode


def read_catalogue(data: bytes) -> Mapping[str, Any]:
    """The nodes by class, cleaned. Raises BadAnswer. Blocking (0.5 s for 5,000 nodes): call it in a thread.

    A decoder keeps the interpreter's lock until it is done, also in a thread: 4 MB at once would hold the screen still
    for 0.1 s. Finding where each node ends takes a fifth of that, and each node a fraction of a millisecond.
    """
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _cleaned(decode(data))  # what is not JSON, strictly: NaN, half a character
    found: dict[str, Any] = {}
    for name, part in parts.items():
        found.setdefault(sanitize.key(name), sanitize.json_value(decode(bytes(part))))
    return found


def _cleaned(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadAnswer("the answer is not an object")
    cleaned: Mapping[str, Any] = sanitize.json_value(value)
    return cleaned

"""Tokens in the names of files: `%date:yyyy-MM-dd%`, and `%Node.widget%` for the value of another input.

The web front end fills them in before it queues; servers know others (`%year%`, `%width%`), which are left to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comfytui.workflow.graph import Graph, class_type, inputs, title

_TOKEN = re.compile(r"%([^%\n]{1,200})%")
_PARTS = re.compile(r"d+|M+|y+|h+|m+|s+")
_UNFIT = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def is_file_name(graph: Graph, node_id: str, name: str) -> bool:
    """Whether an input is the name of what a node saves."""
    return name == "filename_prefix" and class_type(graph, node_id).startswith("Save")


def expand(text: str, graph: Graph, now: datetime, names: Mapping[str, str] | None = None) -> str:
    """The name with its tokens filled in; those of which nothing is known stay. `now` is the user's local time.

    `names` are the nodes' names for this purpose (their property "Node name for S&R"), by id, where they are known;
    else a node goes by its class, then by its title. Letters that no file name can have become `_`.
    """

    def fill(found: re.Match[str]) -> str:
        token = found[1]
        if token.startswith("date:"):
            return _UNFIT.sub("_", date(token.removeprefix("date:"), now))
        node, dot, widget = token.partition(".")
        value = _value(graph, node, widget, names or {}) if dot else None
        return found[0] if value is None else _UNFIT.sub("_", value)

    return _TOKEN.sub(fill, text)


def date(form: str, now: datetime) -> str:
    """A time as `yyyy-MM-dd hh:mm:ss` or parts of that say; the single letters have no zero before them."""
    known = {
        "d": str(now.day), "dd": f"{now.day:02}", "M": str(now.month), "MM": f"{now.month:02}",
        "yy": f"{now.year % 100:02}", "yyyy": f"{now.year:04}", "h": str(now.hour), "hh": f"{now.hour:02}",
        "m": str(now.minute), "mm": f"{now.minute:02}", "s": str(now.second), "ss": f"{now.second:02}",
    }  # fmt: skip
    return _PARTS.sub(lambda found: known.get(found[0], found[0]), form)


def names_in(workflow: Mapping[str, Any] | None) -> dict[str, str]:
    """id → the name that tokens call a node by, as the UI form tells it; of its outermost nodes."""
    found: dict[str, str] = {}
    nodes = workflow.get("nodes") if workflow is not None else None
    for node in nodes if isinstance(nodes, list) else []:
        properties = node.get("properties") if isinstance(node, Mapping) else None
        name = properties.get("Node name for S&R") if isinstance(properties, Mapping) else None
        if isinstance(name, str) and name:
            found[str(node.get("id"))] = name
    return found


def _value(graph: Graph, node: str, widget: str, names: Mapping[str, str]) -> str | None:
    by_name = [each for each in graph if names.get(each, class_type(graph, each)) == node]
    for node_id in by_name or [each for each in graph if title(graph, each) == node]:
        value = inputs(graph, node_id).get(widget)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int)):
            return str(value)
        if isinstance(value, float):  # as a browser writes it: 7, not 7.0
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return None

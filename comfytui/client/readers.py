"""Reads a server's JSON leniently: a value of the right type, cleaned, or what stands for absent.

Only bytes that are not JSON at all raise (`BadAnswer`). A field of a wrong type is treated as absent: a custom node, a
proxy or a newer version must not take the dashboard down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Mapping
from typing import Any

import msgspec

from comfytui.client import messages as m
from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer, NodeProblems, Problem

MAX_ITEMS = 20_000  # ids in one list; a graph of that size has other troubles


def decode(data: bytes | str) -> Any:
    """Any JSON. Python's own reader is the second try: ComfyUI writes NaN and lone surrogates, which JSON forbids.

    Raises BadAnswer.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    except RecursionError as error:
        raise BadAnswer("the answer is nested too deeply to be read") from error
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the answer is not JSON ({sanitize.line(str(error), 120)})") from error


def text(value: Any, default: str = "", clean: Callable[[str], str] = sanitize.line) -> str:
    """A clean string; numbers and booleans are written out, anything else is `default`."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float):
        return sanitize.line(str(value)) if not isinstance(value, int) or value.bit_length() < 1000 else default
    return default


def ident(value: Any) -> str | None:
    """A node or prompt id: clean text, or None if there is none."""
    result = text(value, "", sanitize.key)
    return result or None


def number(value: Any, default: float = 0.0) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        return float(value) if math.isfinite(value) else default
    except OverflowError:
        return default


def size(value: Any) -> int:
    """A count of bytes, never negative."""
    return max(0, int(number(value)))


def seconds(value: Any) -> float | None:
    """Milliseconds since the epoch → seconds."""
    result = number(value)
    return result / 1000 if 0 < result < 1e14 else None


def whole_object(value: Any) -> Mapping[str, Any]:
    """An answer that must be an object, cleaned. Raises BadAnswer."""
    if not isinstance(value, dict):
        raise BadAnswer("the answer is not an object")
    cleaned: Mapping[str, Any] = sanitize.json_value(value)
    return cleaned


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def idents(value: Any) -> tuple[str, ...]:
    found = (ident(item) for item in sequence(value)[:MAX_ITEMS])
    return tuple(item for item in found if item)


def media(node_id: str, output: Any) -> tuple[m.Media, ...]:
    """A node's `ui` result: {"images": [{filename, subfolder, type}…], "text": [str…], "animated": [true], …}."""
    found: list[m.Media] = []
    for kind, items in mapping(output).items():
        name = sanitize.line(str(kind), 60)
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and isinstance(item.get("filename"), str):
                found.append(_file(node_id, name, item))
            elif isinstance(item, str) and name != "animated":
                found.append(m.Media(node_id=node_id, kind=name, type="", text=sanitize.block(item)))
    return tuple(found)


def _file(node_id: str, kind: str, item: dict[str, Any]) -> m.Media:
    raw = m.RawName(*(str(item.get(key) or default) for key, default in _NAME_PARTS))
    clean = m.RawName(sanitize.line(raw.filename), sanitize.line(raw.subfolder), sanitize.line(raw.type, 60))
    return m.Media(
        node_id=node_id,
        kind=kind,
        filename=clean.filename,
        subfolder=clean.subfolder,
        type=clean.type,
        raw=None if clean == raw else raw,
    )


_NAME_PARTS = (("filename", ""), ("subfolder", ""), ("type", "output"))


def prompt(item: Any, known: Container[str] = ()) -> m.Prompt | None:
    """`[number, id, graph, extra_data, outputs]`; None if it has no id. The graph of a `known` id is not read again."""
    parts = [*sequence(item), None, None, None, None, None]
    prompt_id = ident(parts[1])
    if prompt_id is None:
        return None
    if prompt_id in known:
        return m.Prompt(prompt_id=prompt_id, number=number(parts[0]), outputs=idents(parts[4]))
    graph, extra = mapping(parts[2]), mapping(parts[3])
    clean_graph, clean_extra = sanitize.json_value(graph), sanitize.json_value(extra)
    same = clean_graph is graph and clean_extra is extra and prompt_id == parts[1]
    outputs = tuple(item for item in sequence(parts[4]) if isinstance(item, str))
    return m.Prompt(
        prompt_id=prompt_id,
        number=number(parts[0]),
        graph=clean_graph,
        extra_data=clean_extra,
        outputs=idents(parts[4]),
        client_id=text(extra.get("client_id")),
        name=text(mapping(extra.get("comfytui")).get("name")),
        created=seconds(extra.get("create_time")),
        raw=None if same else m.RawPrompt(str(parts[1]), graph, extra, outputs),
    )


def problems(value: Any) -> dict[str, NodeProblems]:
    """`node_errors` of a refusal, or of a success that dropped some outputs."""
    found: dict[str, NodeProblems] = {}
    for node_id, entry in mapping(value).items():
        node = ident(node_id) or "?"
        found[node] = NodeProblems(
            node_id=node,
            class_type=text(mapping(entry).get("class_type")),
            problems=tuple(_problem(item) for item in sequence(mapping(entry).get("errors"))),
            dependent_outputs=idents(mapping(entry).get("dependent_outputs")),
        )
    return found


def _problem(value: Any) -> Problem:
    item = mapping(value)
    return Problem(
        type=text(item.get("type")),
        message=text(item.get("message"), "unknown problem", sanitize.block),
        details=text(item.get("details"), "", sanitize.block),
        input_name=ident(mapping(item.get("extra_info")).get("input_name")),
    )

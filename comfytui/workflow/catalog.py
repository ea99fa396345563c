"""Reading a node class's declaration in `/object_info`, in its old and new forms.

A declared input is `[type]` or `[type, options]`; `type` is a name, or (the old form of a choice) a list of choices.
Nothing here raises on a malformed declaration: one custom node must not hide the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

ObjectInfo = Mapping[str, Any]
KINDS = {"INT": "int", "FLOAT": "float", "STRING": "string", "BOOLEAN": "bool", "COMBO": "choice"}


class Declared(msgspec.Struct, frozen=True, gc=False):
    """One declared input. `kind` is int, float, string, bool, choice, or link for what only another node can give."""

    name: str
    kind: str
    type: str
    required: bool = True
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    choices: tuple[Any, ...] = ()
    listed: bool = False  # the server told its choices, even if there are none


def declared(object_info: ObjectInfo, class_type: str) -> dict[str, Declared]:
    """name → declaration of the required, then the optional inputs of a class; empty if it is unknown."""
    return {each.name: each for each in _all(object_info.get(class_type))}


def is_output(object_info: ObjectInfo, class_type: str) -> bool:
    """Whether the server runs a node of this class for its own sake."""
    info = object_info.get(class_type)
    return isinstance(info, Mapping) and info.get("output_node") is True


def output_types(object_info: ObjectInfo, class_type: str) -> tuple[str, ...]:
    """The types of the outputs of a class, by slot; a list of choices counts as COMBO."""
    info = object_info.get(class_type)
    found = info.get("output") if isinstance(info, Mapping) else None
    return tuple(each if isinstance(each, str) else "COMBO" for each in found) if isinstance(found, list) else ()


def with_choice(object_info: ObjectInfo, class_type: str, input_name: str, value: str) -> ObjectInfo:
    """The catalogue in which an input offers one value more, as after an upload; itself if it does, or is no choice."""
    known = declared(object_info, class_type).get(input_name)
    if known is None or known.kind != "choice" or value in known.choices:
        return object_info
    section = "required" if known.required else "optional"
    info, choices = object_info[class_type], [*known.choices, value]
    spec = info["input"][section][input_name]
    if isinstance(spec[0], (list, tuple)):
        changed = [choices, *spec[1:]]
    else:
        changed = [spec[0], {**known.options, "options": choices}]
    inputs = {**info["input"], section: {**info["input"][section], input_name: changed}}
    return {**object_info, class_type: {**info, "input": inputs}}


def _all(info: Any) -> Iterator[Declared]:
    sections = info.get("input") if isinstance(info, Mapping) else None
    order = info.get("input_order") if isinstance(info, Mapping) else None
    for section in ("required", "optional"):
        specs = sections.get(section) if isinstance(sections, Mapping) else None
        if not isinstance(specs, Mapping):
            continue
        names = order.get(section) if isinstance(order, Mapping) else None
        listed = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        for name in dict.fromkeys([*listed, *specs]):
            if name in specs and (found := _one(name, specs[name], section == "required")) is not None:
                yield found


def _one(name: str, spec: Any, required: bool) -> Declared | None:
    if not isinstance(spec, (list, tuple)) or not spec:
        return None
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    if isinstance(spec[0], (list, tuple)):
        return Declared(name, "choice", "COMBO", required, options, tuple(spec[0]), listed=True)
    if not isinstance(spec[0], str):
        return None
    kind = "link" if options.get("forceInput") is True else KINDS.get(spec[0], "link")
    choices = options.get("options") if kind == "choice" else None
    if isinstance(choices, list):
        return Declared(name, kind, spec[0], required, options, tuple(choices), listed=True)
    return Declared(name, kind, spec[0], required, options)

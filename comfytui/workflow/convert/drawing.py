"""One node of an API graph as the UI form has it: its sockets, its widgets' values in their order, and its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comfytui.workflow import catalog
from comfytui.workflow.catalog import Declared, ObjectInfo
from comfytui.workflow.convert.reading import INPUT_NODE, OUTPUT_NODE, slot_type
from comfytui.workflow.convert.widgets import (
    DYNAMIC,
    NOTHING,
    Cell,
    Kind,
    default,
    is_widget,
    options,
    walk,
    widget_type,
)
from comfytui.workflow.graph import Graph, class_type, inputs, link, title

WIDTH, WIDE = 300, 420
LINE, TEXT, PICTURE = 24, 160, 240  # heights: a socket or widget, a text of several lines, a preview
MAX_OUTPUTS = 1000  # of a class that nobody knows


def node(
    graph: Graph, node_id: str, local: str, object_info: ObjectInfo, used: int
) -> tuple[dict[str, Any], list[str]]:
    """The node under the id `local`, without its links and position, and what of it cannot be drawn.

    `used` is the highest slot that something takes, -1 for none: all that is known of outputs of an unknown class.
    """
    kind = class_type(graph, node_id)
    known = catalog.declared(object_info, kind)
    given = inputs(graph, node_id)
    literals = {name: plain(value) for name, value in given.items() if not is_link(graph, value)}
    values: list[Any] = []
    named: dict[str, Any] = {}
    widgets: dict[str, Declared] = {}

    def answer(cell: Cell) -> Any:
        value = _cell(cell, literals)
        values.append(None if value is NOTHING else value)
        if cell.kind is Kind.VALUE:
            widgets[cell.name] = cell.declared
            if value is not NOTHING:
                named[cell.name] = value
        return value

    lost: list[str] = []
    if kind in object_info:
        walk(known, answer)
        other = {name: value for name, value in literals.items() if name not in named}
        lost.extend(f"{name} is no widget, so its value is left out" for name in other if name in known)
        named.update({name: value for name, value in other.items() if name not in known})
    else:
        lost.append(f"the server has no {kind}: the order of its values is that of the graph")
        named = dict(literals)
        values = list(literals.values())
    meta = graph[node_id].get("_meta")
    meta = meta if isinstance(meta, Mapping) else {}
    made: dict[str, Any] = {
        "id": id_of(local),
        "type": kind,
        "pos": [0, 0],
        "size": _size(known, widgets, object_info.get(kind)),
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": list(_inputs(graph, given, known, widgets)),
        "outputs": list(_outputs(object_info, kind, used)),
        "properties": {
            **{key: meta[key] for key in ("cnr_id", "aux_id", "ver") if isinstance(meta.get(key), str)},
            "Node name for S&R": kind,
        },
        "widgets_values": values,
        "widgets_values_named": named,
    }
    if isinstance(meta.get("title"), str):
        made["title"] = title(graph, node_id)
    return made, lost


def instance(local: str, definition: str) -> dict[str, Any]:
    """A node that stands for a subgraph; its sockets are added as they are needed."""
    return {
        "id": id_of(local),
        "type": definition,
        "title": f"Subgraph {local}",
        "pos": [0, 0],
        "size": [WIDTH, 120],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {"proxyWidgets": []},
        "widgets_values": [],
    }


def id_of(local: str) -> int | str:
    """An id as the front end makes them: a number if it is one."""
    return int(local) if is_number(local) or local in (INPUT_NODE, OUTPUT_NODE) else local


def is_number(local: str) -> bool:
    """Whether an id is a number, written as numbers are."""
    return local.isascii() and local.isdigit() and len(local) < 16 and str(int(local)) == local


def plain(value: Any) -> Any:
    """A value as a widget holds it: lists are wrapped for the server alone."""
    match value:
        case {"__value__": list() as items, **rest} if not rest or rest == {"__type__": "CURVE"}:
            return items
    return value


def is_link(graph: Graph, value: Any) -> bool:
    """Whether the server takes the value for a link to a node of the graph."""
    found = link(value)
    return found is not None and found[0] in graph and 0 <= found[1] < MAX_OUTPUTS


def _cell(cell: Cell, literals: Mapping[str, Any]) -> Any:
    if cell.kind is Kind.VALUE:
        return literals[cell.name] if cell.name in literals else default(cell.declared)
    # What is in a graph is what ran: the browser shall begin with the same.
    return {Kind.CONTROL: "fixed", Kind.FILTER: "", Kind.UPLOAD: "image"}.get(cell.kind)


def _inputs(
    graph: Graph, given: Mapping[str, Any], known: Mapping[str, Declared], widgets: Mapping[str, Declared]
) -> Iterator[dict[str, Any]]:
    """The sockets, and those widgets that are linked."""
    sockets = dict(_sockets(known, given))
    for name, kind in sockets.items():
        yield {"name": name, "type": kind, "link": None}
    for name, value in given.items():
        if name in sockets or not is_link(graph, value):
            continue
        if name in widgets:
            yield {"name": name, "type": widget_type(widgets[name]), "widget": {"name": name}, "link": None}
        else:
            yield {"name": name, "type": _part_type(known.get(name.partition(".")[0])), "link": None}


def _sockets(known: Mapping[str, Declared], given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for spec in known.values():
        name = prefix + spec.name
        if is_widget(spec):
            if widget_type(spec) == DYNAMIC and isinstance(given.get(name), str) and prefix.count(".") < 8:
                yield from _sockets(options(spec, given[name]), given, f"{name}.")
        elif not spec.type.startswith("COMFY_AUTOGROW"):  # those have the sockets that are linked
            yield name, _part_type(spec)


def _part_type(spec: Declared | None) -> str:
    """The type of a socket; for growing and matching ones, that of what may be linked."""
    if spec is None:
        return "*"
    template = spec.options.get("template")
    if spec.type.startswith("COMFY_") and isinstance(template, Mapping):
        if isinstance(template.get("allowed_types"), str):
            return str(template["allowed_types"])
        inner = catalog.declared({"": {"input": template.get("input")}}, "")
        return next((each.type for each in inner.values()), "*")
    return spec.type


def _outputs(object_info: ObjectInfo, kind: str, used: int) -> Iterator[dict[str, Any]]:
    info = object_info.get(kind)
    names = info.get("output_name") if isinstance(info, Mapping) else None
    types = catalog.output_types(object_info, kind)
    for index in range(max(len(types), used + 1)):
        found = types[index] if index < len(types) else "*"
        found = "*" if found.startswith("COMFY_") else slot_type(found)
        named: Sequence[Any] = names if isinstance(names, list) else ()
        name = named[index] if index < len(named) and isinstance(named[index], str) else found
        yield {"name": name, "type": found, "links": None}


def _size(known: Mapping[str, Declared], widgets: Mapping[str, Declared], info: Any) -> list[int]:
    texts = sum(1 for spec in widgets.values() if spec.options.get("multiline") is True)
    outputs = info.get("output") if isinstance(info, Mapping) else None
    sockets = max(
        sum(1 for spec in known.values() if not is_widget(spec)), len(outputs) if isinstance(outputs, list) else 0
    )
    shows = any(spec.options.get("image_upload") is True for spec in known.values())
    shows = shows or (isinstance(info, Mapping) and info.get("output_node") is True)
    height = LINE * (sockets + len(widgets) - texts + 1) + TEXT * texts + (PICTURE if shows else 0)
    return [WIDE if texts else WIDTH, max(height, 2 * LINE)]

"""Writes changed inputs of an API graph into the UI form that it came from, so that a browser opens it with them.

The value of an input may stand in its own node, in a primitive node that is linked to it, or on the instance of a
subgraph around it. Everything else in the file stays as it was, also what nobody here knows.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert.api import Conversion, to_api
from comfytui.workflow.convert.drawing import plain
from comfytui.workflow.convert.reading import RENAMED, Node
from comfytui.workflow.convert.resolving import Literal, Output
from comfytui.workflow.convert.scopes import BYPASS, NEVER, Scope
from comfytui.workflow.convert.widgets import DYNAMIC, NOTHING, Cell, Kind, default, restore, walk, widget_type
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, inputs, link

SPACE = uuid.UUID("0f6b1c52-93a4-5a07-8b7e-6f6d66797475")  # of the ids of subgraphs that get their own copy


class Changed(msgspec.Struct, frozen=True):
    """A workflow in the UI form with other values, and those changes for which it has no place."""

    workflow: dict[str, Any]
    left: tuple[Place, ...] = ()


class _Home(NamedTuple):
    """Where a value stands: in the node `node_id` of the sheet that the instances `path` lead to."""

    path: tuple[str, ...]
    node_id: str
    name: str  # the widget's
    node: Node
    position: int | None  # in its list of values, if it is the instance of a subgraph or a primitive


def changes(before: Graph, after: Graph) -> dict[Place, Any]:
    """The inputs whose value differs, with the new one; links count too."""
    return {
        Place(node_id, name): value
        for node_id in after
        for name, value in inputs(after, node_id).items()
        if node_id in before and inputs(before, node_id).get(name, NOTHING) != value
    }


def with_widget_values(workflow: Mapping[str, Any], wanted: Mapping[Place, Any], object_info: ObjectInfo) -> Changed:
    """A copy of the workflow (decoded JSON in the UI form) in which these inputs of its API graph have these values.

    What cannot be written, such as a new link, is told and left out. A subgraph that is used several times gets a copy
    of its own where only one of its instances changes. Never raises: in a malformed workflow nothing has a place.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(workflow))
    try:
        for place, value in wanted.items():
            if link(value) is None:
                _write(changed, place, plain(value), object_info)
        graph: Graph = to_api(changed, object_info).graph if wanted else {}
    except (WorkflowError, RecursionError):
        return Changed(copy.deepcopy(dict(workflow)), tuple(wanted))
    left = [place for place, value in wanted.items() if inputs(graph, place.node_id).get(place.input, NOTHING) != value]
    return Changed(changed, tuple(left))


def _write(workflow: dict[str, Any], place: Place, value: Any, object_info: ObjectInfo) -> None:
    conversion = Conversion(workflow, object_info)
    home = _home(conversion, place)
    if home is None or (sheet := inner_sheet(workflow, home.path)) is None:
        return
    node = next((each for each in sheet["nodes"] if str(each.get("id")) == home.node_id), None)
    if node is None:
        return
    if home.position is not None:
        _put(node, home.name, home.position, value)
        return
    for key in ("widgets_values", "widgets_values_named"):
        if isinstance(node.get(key), dict):
            node[key][home.name] = value
    if not isinstance(node.get("widgets_values"), dict):
        node["widgets_values"] = _listed(conversion, home, value)


def _home(conversion: Conversion, place: Place) -> _Home | None:
    """Where the value of an input stands; None if nowhere, or if another node gives it."""
    *path, node_id = place.node_id.split(":")
    scope: Scope | None = Scope(conversion.workflow.root, conversion.workflow.definitions)
    for each in path:
        instance = scope.sheet.nodes.get(each) if scope is not None else None
        scope = scope.inside(instance) if scope is not None and instance is not None else None
    node = scope.sheet.nodes.get(node_id) if scope is not None else None
    if scope is None or node is None or node.mode in (NEVER, BYPASS):
        return None
    index = node.index(place.input)
    if index is not None and node.inputs[index].link is not None:
        source = conversion.resolver.source(scope, node, index)
        if isinstance(source, Output):
            return None
        if isinstance(source, Literal):
            if source.primitive is not None:
                return _Home(_path(source.scope), source.primitive.id, "value", source.primitive, 0)
            return _promoted(conversion, source.scope, source.port)
    return _own(scope, node, place.input)


def _own(scope: Scope, node: Node, name: str) -> _Home:
    """The node itself, unless the instance around it has a value for the widget."""
    instance = scope.instance
    proxies = instance.properties.get("proxyWidgets") if instance is not None else None
    if instance is not None and isinstance(proxies, list):
        for index, (proxy, value) in enumerate(zip(proxies, instance.values, strict=False)):
            if value is not None and isinstance(proxy, list) and proxy[1:2] == [name] and str(proxy[0]) == node.id:
                return _Home(_path(scope)[:-1], instance.id, name, instance, index)
    return _Home(_path(scope), node.id, name, node, None)


def _promoted(conversion: Conversion, scope: Scope, port: int) -> _Home | None:
    """The instance whose input it is, or the widget within if the instance has no place for a value."""
    while True:
        instance, bearer = scope.instance, conversion.promotions.bearer(scope.sheet, port)
        if instance is None or bearer is None:
            return None
        name = scope.sheet.inputs[port].name
        position = conversion.promotions.position(instance, scope.sheet, port, bearer)
        if position is not None:
            return _Home(_path(scope)[:-1], instance.id, name, instance, position)
        inner = scope.inside(bearer.node)
        if inner is None:
            return _own(scope, bearer.node, bearer.name)
        if (found := inner.sheet.port(bearer.name)) is None:
            return None
        scope, port = inner, found


def _path(scope: Scope) -> tuple[str, ...]:
    return tuple(scope.prefix.split(":")[:-1])


def inner_sheet(workflow: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
    """The sheet that the instances lead to, which no other instance shares: it is copied if one does."""
    sheet = workflow
    for node_id in path:
        listed = (workflow.get("definitions") or {}).get("subgraphs") or []
        instance = next((each for each in sheet["nodes"] if str(each.get("id")) == node_id), None)
        if instance is None:
            return None
        inner = next((each for each in listed if str(each.get("id")) == instance["type"]), None)
        if inner is None:  # a legacy group node
            return None
        used = sum(1 for each in (workflow, *listed) for node in each["nodes"] if node.get("type") == instance["type"])
        if used > 1:
            inner = copy.deepcopy(inner)
            inner["id"] = str(uuid.uuid5(SPACE, f"{instance['type']} {sheet.get('id')} {node_id} {len(listed)}"))
            instance["type"] = inner["id"]
            listed.append(inner)
        sheet = inner
    return sheet


def _put(node: dict[str, Any], name: str, position: int, value: Any) -> None:
    """A value at its position. On an instance, null stands for what it does not override."""
    values = node.get("widgets_values")
    if isinstance(values, dict):
        values[name if name in values or not values else next(iter(values))] = value
        return
    values = values if isinstance(values, list) else []
    values.extend([None] * (position + 1 - len(values)))
    values[position] = value
    node["widgets_values"] = values
    named = node.get("widgets_values_named")
    if isinstance(named, dict):
        named[name if name in named or position or not named else next(iter(named))] = value


def _listed(conversion: Conversion, home: _Home, value: Any) -> list[Any]:
    """The node's values by position, with the new one among them."""
    declared = conversion.inputs(RENAMED.get(home.node.type, home.node.type))
    given = list(home.node.values)
    found = restore(msgspec.structs.replace(home.node, named=None), declared)
    position = found.positions.get((Kind.VALUE, home.name))
    dynamic = home.name in found.widgets and widget_type(found.widgets[home.name]) == DYNAMIC
    if position is not None and not dynamic:
        given[position] = value
        return given
    made: list[Any] = []

    def answer(cell: Cell) -> Any:
        if cell.kind is Kind.VALUE and cell.name == home.name:
            answered = value
        elif (at := found.positions.get((cell.kind, cell.name))) is not None:
            answered = given[at]
        elif cell.kind is Kind.VALUE:
            answered = found.values.get(cell.name, default(cell.declared))
        else:
            answered = {Kind.CONTROL: "fixed", Kind.UPLOAD: "image"}.get(cell.kind, "")
        made.append(None if answered is NOTHING else answered)
        return answered

    walk(declared, answer)
    last = max(found.positions.values(), default=-1)
    return [*made, *given[last + 1 :]]

"""Puts the nodes that an API graph has more, and its other links, into the UI form that it came from.

Within a subgraph that is used several times, the one instance gets a copy of its own. Notes, groups, positions and all that nobody here knows stay. What is made is held against the graph: where it would not
run as the same, there is no answer, and the caller draws the graph anew.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert.api import to_api
from comfytui.workflow.convert.changing import inner_sheet, with_widget_values
from comfytui.workflow.convert.ui import to_ui
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, inputs, link

GAP = 40  # pixels between a new node and the one that it comes after


def rewired(workflow: Mapping[str, Any], before: Graph, after: Graph, object_info: ObjectInfo) -> dict[str, Any] | None:
    """The UI form of `after`, given that of `before` (decoded JSON); None if that needs more than nodes and links on
    one sheet. Never raises on a malformed workflow.
    """
    try:
        changed = _rewired(copy.deepcopy(dict(workflow)), before, after, object_info)
        made = to_api(changed, object_info).graph if changed is not None else {}
        if changed is None or not _same_links(made, after):
            return None
        values = {
            Place(node_id, name): value
            for node_id in after
            for name, value in inputs(after, node_id).items()
            if link(value) is None and inputs(made, node_id).get(name) != value
        }
        written = with_widget_values(changed, values, object_info)
    except (WorkflowError, RecursionError, KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None
    return None if written.left else written.workflow


def _rewired(workflow: dict[str, Any], before: Graph, after: Graph, object_info: ObjectInfo) -> dict[str, Any] | None:
    new = [node_id for node_id in after if node_id not in before]
    gone = [node_id for node_id in before if node_id not in after]
    path = next((node_id.rpartition(":")[0] for node_id in (*new, *gone)), "")
    if any(node_id.rpartition(":")[0] != path for node_id in (*new, *gone)):
        return None
    inner = inner_sheet(workflow, tuple(path.split(":")) if path else ())
    if inner is None:
        return None
    start = f"{path}:" if path else ""
    nodes = {f"{start}{node['id']}": node for node in inner["nodes"]}
    if any(node_id in nodes for node_id in new) or any(node_id not in nodes for node_id in gone):
        return None
    drawn = _drawn(to_ui(after, object_info).workflow, path)
    sheet = _Sheet(inner, nodes)
    for node_id in new:
        node = copy.deepcopy(drawn[node_id.rpartition(":")[2]])
        sheet.add(node_id, node, next((origin for origin, _ in _origins(after, node_id) if origin in nodes), None))
    for node_id in after:
        for name, value in inputs(after, node_id).items():
            origin = link(value)
            if origin is None or (node_id in before and inputs(before, node_id).get(name) == value):
                continue
            if node_id not in nodes or origin[0] not in nodes or not sheet.connect(node_id, name, *origin):
                return None
    for node_id in gone:
        sheet.remove(node_id)
    return workflow


def _drawn(workflow: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """The nodes of one sheet of a drawn workflow, by their ids on it."""
    sheet = inner_sheet(workflow, tuple(path.split(":")) if path else ())
    return {str(node["id"]): node for node in sheet["nodes"]} if sheet is not None else {}


def _origins(graph: Graph, node_id: str) -> Iterator[tuple[str, int]]:
    return (found for value in inputs(graph, node_id).values() if (found := link(value)) is not None)


def _same_links(made: Graph, wanted: Graph) -> bool:
    return made.keys() == wanted.keys() and all(
        link(inputs(made, node_id).get(name)) == link(value)
        for node_id in wanted
        for name, value in inputs(wanted, node_id).items()
    )


class _Sheet:
    """One sheet, changed in place: the outermost, or that of a subgraph. `nodes` are its nodes by their ids in the graph."""

    def __init__(self, workflow: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> None:
        self._workflow, self._nodes = workflow, nodes
        self._links: list[Any] = workflow["links"]
        self._is_inner = "inputNode" in workflow

    def add(self, node_id: str, node: dict[str, Any], beside: str | None) -> None:
        for port in node.get("inputs") or []:
            port["link"] = None
        for port in node.get("outputs") or []:
            port["links"] = []
        if beside is not None:
            left, top = _pair(self._nodes[beside].get("pos"))
            wide, _ = _pair(self._nodes[beside].get("size"))
            node["pos"] = [left + wide + GAP, top]
        self._workflow["nodes"].append(node)
        self._nodes[node_id] = node
        self._count("Node", int(node["id"]))

    def connect(self, node_id: str, name: str, origin: str, slot: int) -> bool:
        """Lead an input to another output; False if there is no such input or output."""
        target, source = self._nodes[node_id], self._nodes[origin]
        ports = target.get("inputs") or []
        index = next((at for at, port in enumerate(ports) if port.get("name") == name), None)
        outputs = source.get("outputs") or []
        if index is None or not 0 <= slot < len(outputs):
            return False
        self._cut(ports[index].get("link"))
        number = self._count("Link", max((_id(each) for each in self._links), default=0) + 1)
        kind = outputs[slot].get("type", "*")
        made = [number, source["id"], slot, target["id"], index, kind]
        if self._is_inner or (self._links and isinstance(self._links[0], dict)):
            names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
            self._links.append(dict(zip(names, made, strict=True)))
        else:
            self._links.append(made)
        ports[index]["link"] = number
        outputs[slot]["links"] = [*(outputs[slot].get("links") or []), number]
        return True

    def _count(self, what: str, least: int) -> int:
        """The highest number of a link or a node that was ever given, at least this one."""
        if self._is_inner:
            state, key = self._workflow.setdefault("state", {}), f"last{what}Id"
        else:
            state, key = self._workflow, f"last_{what.lower()}_id"
        # A new link is one more than any before; a node brings its number with it.
        state[key] = max(least, int(state.get(key) or 0) + (what == "Link"))
        return int(state[key])

    def remove(self, node_id: str) -> None:
        node = self._nodes.pop(node_id)
        for port in node.get("inputs") or []:
            self._cut(port.get("link"))
        for port in node.get("outputs") or []:
            for number in list(port.get("links") or []):
                self._cut(number)
        self._workflow["nodes"].remove(node)

    def _cut(self, number: Any) -> None:
        """Take a link out at both of its ends."""
        if number is None:
            return
        self._links[:] = [each for each in self._links if _id(each) != number]
        for node in self._workflow["nodes"]:
            for port in node.get("inputs") or []:
                if port.get("link") == number:
                    port["link"] = None
            for port in node.get("outputs") or []:
                if number in (port.get("links") or []):
                    port["links"] = [each for each in port["links"] if each != number]


def _id(found: Any) -> int:
    return int(found["id"] if isinstance(found, dict) else found[0])


def _pair(found: Any) -> tuple[float, float]:
    """A position or a size, as a list or as the object that old files have."""
    if isinstance(found, dict):
        return float(found.get("0", 0)), float(found.get("1", 0))
    return (float(found[0]), float(found[1])) if found else (0.0, 0.0)

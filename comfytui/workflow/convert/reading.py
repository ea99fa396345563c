"""Reads a workflow in the UI form into frozen structs, and refuses what is not one, naming the place.

Every version is read: links as arrays (version 0.4) or as objects (version 1, and within subgraphs), both in one file.
Ids may be numbers or text and become text here.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import msgspec

from comfytui.workflow.errors import WorkflowError

MAX_NODES = 20_000  # in one file, those of all subgraphs counted once
INPUT_NODE, OUTPUT_NODE = "-10", "-20"  # what links within a subgraph call its own ends, unless it says otherwise
FIX = "Save the workflow again in the browser"

# Classes that were renamed since the file was saved; the front end does the same when it loads one.
RENAMED = {
    "T2IAdapterLoader": "ControlNetLoader",
    "ConditioningAverage ": "ConditioningAverage",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
    "Load3DAnimation": "Load3D",
    "Preview3DAnimation": "Preview3D",
}


class Slot(msgspec.Struct, frozen=True, gc=False):
    """An input of a node. `link` is the id of the link that ends here."""

    name: str
    type: str
    link: str | None = None
    widget: bool = False  # a value can be typed instead of linking


class Link(msgspec.Struct, frozen=True, gc=False):
    """From output `slot` of the node `origin`."""

    id: str
    origin: str
    slot: int
    target: str
    type: str


class Node(msgspec.Struct, frozen=True):
    """One node as it was saved. `values` are those of its widgets by position, `named` by name (it may have both)."""

    id: str
    type: str
    title: str
    mode: int
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]  # their types
    values: tuple[Any, ...]
    named: Mapping[str, Any] | None
    properties: Mapping[str, Any]

    def index(self, name: str) -> int | None:
        """The position of the input of this name."""
        return next((index for index, slot in enumerate(self.inputs) if slot.name == name), None)


class Port(msgspec.Struct, frozen=True):
    """An input or output of a subgraph, with the ids of the links within that start or end there."""

    name: str
    type: str
    links: tuple[str, ...]


class Sheet(msgspec.Struct, frozen=True):
    """One sheet of nodes: the workflow itself (`id` is empty), or the inside of a subgraph."""

    id: str
    name: str
    nodes: Mapping[str, Node]
    links: Mapping[str, Link]
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    input_node: str = INPUT_NODE

    def port(self, name: str) -> int | None:
        """The position of the subgraph's input of this name."""
        return next((index for index, each in enumerate(self.inputs) if each.name == name), None)

    def place(self, node: Node | str) -> str:
        """Where a node is, for people."""
        where = f"node {node.id} ({node.title or node.type})" if isinstance(node, Node) else node
        return f"subgraph {self.name!r}, {where}" if self.id else where


class Workflow(msgspec.Struct, frozen=True):
    """A whole file: the root sheet, and the subgraphs by the id that nodes have for a class."""

    root: Sheet
    definitions: Mapping[str, Sheet]
    groups: Mapping[str, Any]  # legacy group nodes, as they were saved: name → {nodes, links, external, config}


def read(workflow: Mapping[str, Any], known: Container[str] = frozenset(RENAMED.values())) -> Workflow:
    """Read decoded JSON in the UI form. A class that was renamed gets its new name if that is one of the `known`.

    Raises WorkflowError, and nothing else, if it is malformed.
    """
    if not isinstance(workflow, Mapping) or not isinstance(workflow.get("nodes"), list):
        raise WorkflowError("not a workflow in the UI form: it has no list of nodes", fix=FIX)
    listed = _definitions(workflow)
    if sum(len(each["nodes"]) for each in (workflow, *listed)) > MAX_NODES:
        raise WorkflowError(f"has more than {MAX_NODES} nodes", fix="Is it the right file?")
    definitions: dict[str, Sheet] = {}
    for each in listed:
        found = _sheet(each, _id(each.get("id"), "subgraphs"), _text(each.get("name")), known)
        if found.id in definitions:
            raise WorkflowError("two subgraphs have this id", place=f"subgraph {found.id}", fix=FIX)
        definitions[found.id] = found
    extra = workflow.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, Mapping) else None
    return Workflow(_sheet(workflow, "", "", known), definitions, groups if isinstance(groups, Mapping) else {})


def _definitions(workflow: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = workflow.get("definitions")
    if found is None:
        return []
    listed = found.get("subgraphs", []) if isinstance(found, Mapping) else None
    if not isinstance(listed, list):
        raise WorkflowError("the list of subgraphs is not one", place="definitions", fix=FIX)
    for index, each in enumerate(listed):
        if not isinstance(each, Mapping) or not isinstance(each.get("nodes"), list):
            raise WorkflowError("has no list of nodes", place=f"definitions.subgraphs[{index}]", fix=FIX)
    return listed


def _sheet(data: Mapping[str, Any], sheet_id: str, name: str, known: Container[str]) -> Sheet:
    where = f"subgraph {name or sheet_id!r}, " if sheet_id else ""
    nodes: dict[str, Node] = {}
    for index, each in enumerate(data["nodes"]):
        node = read_node(each, f"{where}nodes[{index}]", known)
        if node.id in nodes:
            raise WorkflowError("two nodes have this id", place=f"{where}node {node.id}", fix=FIX)
        nodes[node.id] = node
    links: dict[str, Link] = {}
    given = data.get("links", [])
    if isinstance(given, Mapping):  # some tools write them by id
        given = list(given.values())
    if not isinstance(given, list):
        raise WorkflowError("the list of links is not one", place=f"{where}links", fix=FIX)
    for index, each in enumerate(given):
        if each is None:  # left behind by old front ends where a link was deleted
            continue
        link = _link(each, f"{where}links[{index}]")
        if links.setdefault(link.id, link) != link:
            raise WorkflowError("two links have this id", place=f"{where}link {link.id}", fix=FIX)
    ends = data.get("inputNode")
    own = ends.get("id") if isinstance(ends, Mapping) else None
    return Sheet(
        sheet_id,
        name or sheet_id,
        nodes,
        links,
        tuple(_ports(data.get("inputs"), f"{where}inputs")) if sheet_id else (),
        tuple(_ports(data.get("outputs"), f"{where}outputs")) if sheet_id else (),
        INPUT_NODE if own is None else _id(own, f"{where}inputNode"),
    )


def read_node(data: Any, where: str, known: Container[str]) -> Node:
    """One node; `where` is its place in errors, `known` as for `read`. Raises WorkflowError."""
    if not isinstance(data, Mapping):
        raise WorkflowError("a node that is not an object", place=where, fix=FIX)
    kind = data.get("type")
    node_id = _id(data.get("id"), where)
    where = f"{where} (id {node_id})"
    if not isinstance(kind, str) or not kind:
        raise WorkflowError("a node without a type", place=where, fix=FIX)
    mode = data.get("mode", 0)
    if mode is not None and (not isinstance(mode, (int, float)) or isinstance(mode, bool)):
        raise WorkflowError("the mode of this node is not a number", place=where, fix=FIX)
    inputs = tuple(_slot(each, f"{where}, inputs[{index}]") for index, each in _list(data, "inputs", where))
    outputs = tuple(_output(each, f"{where}, outputs[{index}]") for index, each in _list(data, "outputs", where))
    values, named = data.get("widgets_values"), data.get("widgets_values_named")
    if isinstance(values, Mapping):  # some packs save them by name
        values, named = None, named if isinstance(named, Mapping) else values
    if not isinstance(values, (list, type(None))):
        raise WorkflowError("widgets_values is neither a list nor an object", place=where, fix=FIX)
    properties = data.get("properties")
    return Node(
        node_id,
        RENAMED[kind] if RENAMED.get(kind) in known else kind,
        _text(data.get("title")),
        int(mode or 0) if mode is None or abs(mode) < 100 else 0,
        inputs,
        outputs,
        tuple(values or ()),
        named if isinstance(named, Mapping) else None,
        properties if isinstance(properties, Mapping) else {},
    )


def _list(data: Mapping[str, Any], key: str, where: str) -> Iterator[tuple[int, Any]]:
    found = data.get(key)
    if found is None:
        return
    if not isinstance(found, list):
        raise WorkflowError(f"{key} is not a list", place=where, fix=FIX)
    if len(found) > MAX_NODES:
        raise WorkflowError(f"has {len(found)} {key}", place=where, fix="Is it the right file?")
    yield from enumerate(found)


def _slot(data: Any, where: str) -> Slot:
    if not isinstance(data, Mapping):
        raise WorkflowError("an input that is not an object", place=where, fix=FIX)
    link, widget = data.get("link"), data.get("widget")
    name = data.get("name")
    if not isinstance(name, str):  # a reroute has inputs without one
        name = _text(widget.get("name")) if isinstance(widget, Mapping) else ""
    return Slot(
        name, slot_type(data.get("type")), None if link is None else _id(link, where), isinstance(widget, Mapping)
    )


def _output(data: Any, where: str) -> str:
    if not isinstance(data, Mapping):
        raise WorkflowError("an output that is not an object", place=where, fix=FIX)
    return slot_type(data.get("type"))


def slot_type(found: Any) -> str:
    """A type as text: the old form of a choice is a list of choices; numbers and nothing mean anything."""
    if isinstance(found, str) and found:
        return found
    return "COMBO" if isinstance(found, list) else "*"


def _ports(data: Any, where: str) -> Iterator[Port]:
    if data is None:
        return
    if not isinstance(data, list):
        raise WorkflowError("not a list", place=where, fix=FIX)
    for index, each in enumerate(data):
        if not isinstance(each, Mapping):
            raise WorkflowError("not an object", place=f"{where}[{index}]", fix=FIX)
        links = each.get("linkIds")
        ids = links if isinstance(links, list) else ()
        yield Port(
            _text(each.get("name")),
            slot_type(each.get("type")),
            tuple(_id(link, f"{where}[{index}].linkIds") for link in ids),
        )


def _link(data: Any, where: str) -> Link:
    match data:
        case [link, origin, slot, target, _, *rest]:
            kind = rest[0] if rest else "*"
        case {"id": link, "origin_id": origin, "origin_slot": slot, "target_id": target}:
            kind = data.get("type")
        case _:
            raise WorkflowError("a link without its ends", place=where, fix=FIX)
    if isinstance(slot, bool) or not isinstance(slot, (int, float)) or not 0 <= slot < MAX_NODES:
        raise WorkflowError("a link whose output is not one", place=where, fix=FIX)
    return Link(_id(link, where), _id(origin, where), int(slot), _id(target, where), slot_type(kind))


def _id(found: Any, where: str) -> str:
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, (int, str)) or found == "" or len(str(found)) > 200:
        raise WorkflowError("an id that is neither a number nor a name", place=where, fix=FIX)
    return str(found)


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""

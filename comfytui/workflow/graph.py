"""Reading an API-format graph: its nodes, links and titles, whatever else it may hold.

A graph is `{node id: {"class_type": str, "inputs": {name: value or [node id, slot]}, "_meta": {"title": str}}}`.
Graphs come from files and from servers; these functions never raise on one that is malformed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Graph = Mapping[str, Any]


class Place(NamedTuple):
    """One input of one node."""

    node_id: str
    input: str


def inputs(graph: Graph, node_id: str) -> Mapping[str, Any]:
    """The inputs of a node; empty if there is no such node, or it is malformed."""
    node = graph.get(node_id)
    found = node.get("inputs") if isinstance(node, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def class_type(graph: Graph, node_id: str) -> str:
    """The class of a node; empty if unknown."""
    node = graph.get(node_id)
    found = node.get("class_type") if isinstance(node, Mapping) else None
    return found if isinstance(found, str) else ""


def title(graph: Graph, node_id: str) -> str:
    """What the author called the node, else its class, else its id."""
    node = graph.get(node_id)
    meta = node.get("_meta") if isinstance(node, Mapping) else None
    found = meta.get("title") if isinstance(meta, Mapping) else None
    if isinstance(found, str) and found.strip():
        return found
    return class_type(graph, node_id) or node_id


def link(value: Any) -> tuple[str, int] | None:
    """`(origin id, slot)` if the value is a link. The server takes every list of two for one; ids may be numbers."""
    match value:
        case [str() | int() as origin, int() | float() as slot] if not isinstance(origin, bool):
            return (str(origin), int(slot)) if abs(slot) < 1e6 else None  # NaN compares false too
    return None


def links(graph: Graph, node_id: str) -> Iterator[tuple[str, str, int]]:
    """`(input name, origin id, slot)` of the linked inputs of a node, in their order."""
    for name, value in inputs(graph, node_id).items():
        if (found := link(value)) is not None:
            yield name, *found


def consumers(graph: Graph) -> dict[str, list[str]]:
    """node id → the nodes that take one of its outputs, each once, in the order of the graph."""
    found: dict[str, list[str]] = {node_id: [] for node_id in graph}
    for node_id in graph:
        for _, origin, _ in links(graph, node_id):
            if origin in found and node_id not in found[origin]:
                found[origin].append(node_id)
    return found

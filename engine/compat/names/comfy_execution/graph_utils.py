"""`comfy_execution.graph_utils` for packs: building the graph that a node expands to."""

from __future__ import annotations

from itertools import count
from typing import Any

_numbers = count(1)


def is_link(obj: Any) -> bool:
    """Whether an input's value is `[node id, number of its output]`."""
    return isinstance(obj, list) and len(obj) == 2 and isinstance(obj[0], str) and type(obj[1]) in (int, float)


class Node:
    """A node of a graph that is being built."""

    def __init__(self, id: str, class_type: str, inputs: dict[str, Any]) -> None:
        self.id, self.class_type, self.inputs = id, class_type, inputs
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        return [self.id, index]

    def get_input(self, key: str) -> Any:
        return self.inputs.get(key)

    def set_input(self, key: str, value: Any) -> None:
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def set_override_display_id(self, override_display_id: str) -> None:
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        found: dict[str, Any] = {"class_type": self.class_type, "inputs": self.inputs}
        return found if self.override_display_id is None else {**found, "override_display_id": self.override_display_id}


class GraphBuilder:
    """Makes nodes with ids that no other graph has: each builder has a prefix of its own."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = f"graph.{next(_numbers)}." if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self._next = 1

    def node(self, class_type: str, id: str | None = None, **inputs: Any) -> Node:
        """A new node, or the one that has this id."""
        if id is None:
            id, self._next = str(self._next), self._next + 1
        name = self.prefix + id
        if name not in self.nodes:
            self.nodes[name] = Node(name, class_type, inputs)
        return self.nodes[name]

    def lookup_node(self, id: str) -> Node | None:
        return self.nodes.get(self.prefix + id)

    def finalize(self) -> dict[str, Any]:
        """The graph, as a node gives it under `expand`."""
        return {name: node.serialize() for name, node in self.nodes.items()}

"""The server's node catalogue, indexed for browsing: categories, a ranked search, and who takes what.

Pure, and without Textual. Built once for an `object_info`; a search over 5,000 nodes takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from comfytui.tui import node_search
from comfytui.tui.node_search import MAKES, TAKES, Key, Query
from comfytui.workflow.catalog import Declared, ObjectInfo, declared, output_types

__all__ = ["MAKES", "TAKES", "Category", "Node", "NodeIndex", "Output"]

CORE_MODULES = ("comfy_extras.", "comfy_api_nodes.")  # and `nodes` itself
SEPARATOR = "/"  # between the parts of a category


class Output(msgspec.Struct, frozen=True, gc=False):
    """One output of a node."""

    name: str
    type: str
    is_list: bool = False
    tooltip: str = ""


class Node(msgspec.Struct, frozen=True, gc=False):
    """One class of nodes, as the server describes it."""

    name: str
    title: str
    category: str = ""
    description: str = ""
    module: str = ""
    inputs: tuple[Declared, ...] = ()
    outputs: tuple[Output, ...] = ()
    is_output: bool = False
    deprecated: bool = False
    experimental: bool = False
    api: bool = False

    @property
    def package(self) -> str:
        """The custom node package it comes from; empty for what ComfyUI brings itself."""
        if not self.module or self.module == "nodes" or self.module.startswith(CORE_MODULES):
            return ""
        return self.module.removeprefix("custom_nodes.")

    @property
    def badges(self) -> tuple[str, ...]:
        """What somebody should know before using it."""
        flags = (
            ("deprecated", self.deprecated),
            ("experimental", self.experimental),
            ("paid API", self.api),
            ("custom", bool(self.package)),
        )
        return tuple(name for name, is_set in flags if is_set)


class Category(msgspec.Struct, frozen=True, gc=False):
    """A line of the category tree. The root has an empty path."""

    path: str
    name: str
    depth: int
    total: int  # nodes in it and below
    has_children: bool


class NodeIndex:
    """All nodes of one server. Immutable once built."""

    def __init__(self, object_info: ObjectInfo) -> None:
        found = (_node(name, info, object_info) for name, info in object_info.items() if isinstance(info, Mapping))
        self.nodes: tuple[Node, ...] = tuple(sorted(found, key=lambda n: (n.category.lower(), n.title.lower())))
        self.by_name: dict[str, Node] = {node.name: node for node in self.nodes}
        self.categories: tuple[Category, ...] = tuple(_categories(self.nodes))
        self._keys = [Key(node) for node in self.nodes]
        # Type → places of the nodes: a card asks for each of its lines, and looking at 5,000 nodes takes 30 ms.
        self._takes = _by_type([each.type for each in node.inputs] for node in self.nodes)
        self._makes = _by_type([each.type for each in node.outputs] for node in self.nodes)

    def in_category(self, path: str) -> list[Node]:
        """The nodes in a category and below; all of them for the root."""
        if not path:
            return list(self.nodes)
        return [n for n in self.nodes if n.category == path or n.category.startswith(path + SEPARATOR)]

    def search(self, query: str | Query, category: str = "") -> list[Node]:
        """The nodes that match every word of `query`, best first; in catalogue order for an empty one.

        `takes:TYPE` and `makes:TYPE` ask for inputs and outputs of a type, `is:custom` for a badge, `from:NAME` for a
        package; a `-` before these two takes away what they would let pass.
        """
        asked = node_search.parse(query) if isinstance(query, str) else query
        if asked.wrong:
            return []
        below = category + SEPARATOR
        nodes = self.nodes
        places: Iterable[int] = range(len(nodes))
        for by_type, types in ((self._takes, asked.takes), (self._makes, asked.makes)):
            for type_ in types:
                fitting = _of_type(by_type, type_)
                places = [place for place in places if place in fitting]
        if category:
            places = [p for p in places if nodes[p].category == category or nodes[p].category.startswith(below)]
        if asked.flags or asked.packages:
            places = [place for place in places if asked.lets_pass(nodes[place])]
        if not asked.words:
            return [nodes[place] for place in places]
        ranked: list[tuple[float, int]] = []
        for place in places:
            score = self._keys[place].score(asked.words)
            if score is not None:
                ranked.append((-score, place))
        ranked.sort()
        return [nodes[place] for _, place in ranked]

    def takers(self, type_: str) -> list[Node]:
        """The nodes with an input that accepts an output of this type."""
        return [self.nodes[place] for place in sorted(_of_type(self._takes, type_))]

    def makers(self, type_: str) -> list[Node]:
        """The nodes with an output that an input of this type accepts."""
        return [self.nodes[place] for place in sorted(_of_type(self._makes, type_))]

    def count(self, how: str, type_: str) -> int:
        """How many nodes take (`TAKES`) or make (`MAKES`) a type."""
        return len(_of_type(self._takes if how == TAKES else self._makes, type_))


def _by_type(types: Iterable[Iterable[str]]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for place, each in enumerate(types):
        for type_ in each:
            if type_ != "*":
                for part in type_.upper().split(","):
                    found.setdefault(part, set()).add(place)
    return {part: frozenset(places) for part, places in found.items()}


def _of_type(by_type: Mapping[str, frozenset[int]], type_: str) -> frozenset[int]:
    """The places of the nodes that an output or input of this type goes with; `A,B` is either, `*` says nothing:
    a list of every node helps nobody.
    """
    if type_ == "*":
        return frozenset()
    return frozenset[int]().union(*(by_type.get(part, ()) for part in type_.upper().split(",")))


def _node(name: str, info: Mapping[str, Any], object_info: ObjectInfo) -> Node:
    return Node(
        name=name,
        title=_text(info.get("display_name")) or name,
        category=_text(info.get("category")).strip(SEPARATOR),
        description=_text(info.get("description")),
        module=_text(info.get("python_module")),
        inputs=tuple(declared(object_info, name).values()),
        outputs=tuple(_outputs(info, output_types(object_info, name))),
        is_output=info.get("output_node") is True,
        deprecated=info.get("deprecated") is True,
        experimental=info.get("experimental") is True,
        api=info.get("api_node") is True,
    )


def _outputs(info: Mapping[str, Any], types: tuple[str, ...]) -> Iterable[Output]:
    for slot, type_ in enumerate(types):
        name, tip = _at(info.get("output_name"), slot), _at(info.get("output_tooltips"), slot)
        yield Output(_text(name) or type_, type_, _at(info.get("output_is_list"), slot) is True, _text(tip))


def _at(values: Any, slot: int) -> Any:
    return values[slot] if isinstance(values, list) and slot < len(values) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _categories(nodes: Iterable[Node]) -> Iterable[Category]:
    """The tree, flat and in order; each line knows its depth."""
    totals: dict[str, int] = {"": 0}
    for node in nodes:
        totals[""] += 1
        parts = [part for part in node.category.split(SEPARATOR) if part]
        for depth in range(1, len(parts) + 1):
            path = SEPARATOR.join(parts[:depth])
            totals[path] = totals.get(path, 0) + 1
    parents = {path.rpartition(SEPARATOR)[0] for path in totals if path}
    yield Category("", "all", 0, totals.pop(""), bool(totals))
    for path in sorted(totals, key=lambda p: [part.lower() for part in p.split(SEPARATOR)]):
        yield Category(path, path.rpartition(SEPARATOR)[2], path.count(SEPARATOR) + 1, totals[path], path in parents)

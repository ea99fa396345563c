"""The server's node catalogue, indexed for browsing: categories, a ranked search, and who takes what.

Pure, and without Textual. Built once for an `object_info`; a search over 5,000 nodes takes a few milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from comfytui.workflow.catalog import Declared, ObjectInfo, declared, output_types

CORE_MODULES = ("comfy_extras.", "comfy_api_nodes.")  # and `nodes` itself
SEPARATOR = "/"  # between the parts of a category
TAKES, MAKES = "takes:", "makes:"  # words of a query that ask for a type

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


class Output(msgspec.Struct, frozen=True):
    """One output of a node."""

    name: str
    type: str
    is_list: bool = False
    tooltip: str = ""


class Node(msgspec.Struct, frozen=True):
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


class Category(msgspec.Struct, frozen=True):
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
        self._keys = [_Key(node) for node in self.nodes]

    def in_category(self, path: str) -> list[Node]:
        """The nodes in a category and below; all of them for the root."""
        if not path:
            return list(self.nodes)
        return [n for n in self.nodes if n.category == path or n.category.startswith(path + SEPARATOR)]

    def search(self, query: str, category: str = "") -> list[Node]:
        """The nodes that match every word of `query`, best first; in catalogue order for an empty one.

        `takes:TYPE` and `makes:TYPE` ask for inputs and outputs of a type.
        """
        words = query.split()
        plain = [word.lower() for word in words if not word.lower().startswith((TAKES, MAKES))]
        wanted = [word.partition(":")[::2] for word in words if word.lower().startswith((TAKES, MAKES))]
        ranked: list[tuple[float, int]] = []
        for position, key in enumerate(self._keys):
            node = key.node
            if category and node.category != category and not node.category.startswith(category + SEPARATOR):
                continue
            if not all(_has_type(node, how.lower() + ":", type_) for how, type_ in wanted):
                continue
            score = key.score(plain)
            if score is not None:
                ranked.append((-score, position))
        if plain:
            ranked.sort()
        return [self.nodes[position] for _, position in ranked]

    def takers(self, type_: str) -> list[Node]:
        """The nodes with an input that accepts an output of this type."""
        return [node for node in self.nodes if _has_type(node, TAKES, type_)]

    def makers(self, type_: str) -> list[Node]:
        """The nodes with an output that an input of this type accepts."""
        return [node for node in self.nodes if _has_type(node, MAKES, type_)]


def fits(output: str, wanted: str) -> bool:
    """Whether an output type may feed an input type; `*` fits all, `A,B` is either."""
    if "*" in (output, wanted):
        return False  # anything goes there, so it says nothing: a list of every node helps nobody
    return bool(set(output.upper().split(",")) & set(wanted.upper().split(",")))


def _has_type(node: Node, how: str, type_: str) -> bool:
    if how == TAKES:
        return any(fits(type_, each.type) for each in node.inputs)
    return any(fits(each.type, type_) for each in node.outputs)


class _Key:
    """A node's texts in the form in which they are searched, lowered once."""

    __slots__ = ("category", "description", "initials", "name", "node", "title", "words")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = node.name.lower()
        self.title = node.title.lower()
        parts = _WORDS.findall(node.name) + _WORDS.findall(node.title)
        self.words = tuple(dict.fromkeys(part.lower() for part in parts))
        self.initials = "".join(part[0] for part in _WORDS.findall(node.name)).lower()
        self.category = f"{node.category} {node.package}".lower()
        self.description = node.description.lower()

    def score(self, words: Iterable[str]) -> float | None:
        """How well all the words match; None if one does not."""
        total = 0.0
        for word in words:
            best = self._one(word)
            if best == 0:
                return None
            total += best
        return total - len(self.title) / 200 - self.node.deprecated * 15

    def _one(self, word: str) -> float:
        if word == self.name:
            return 150
        if word == self.title:
            return 120
        if len(word) > 1 and word == self.initials:
            return 90
        if self.name.startswith(word) or self.title.startswith(word):
            return 85
        if any(part.startswith(word) for part in self.words):
            return 70
        if word in self.name or word in self.title:
            return 60
        if len(word) > 1 and self.initials.startswith(word):
            return 55
        if word in self.category:
            return 40
        if len(word) > 2 and (spread := _spread(word, self.name)):
            return 20 + 15 * len(word) / spread
        return 15 if word in self.description else 0


def _spread(word: str, text: str) -> int:
    """How many letters of `text` it takes to find those of `word` in order; 0 if they are not there."""
    start = at = text.find(word[0])
    for letter in word[1:]:
        if at < 0:
            return 0
        at = text.find(letter, at + 1)
    # Letters strewn over a long name are a coincidence.
    return at - start + 1 if 0 <= at - start < 2 * len(word) else 0


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

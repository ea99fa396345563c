"""Subgraphs and their instances: the inside of each as it runs, and the values that an instance gives to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from comfytui.workflow.convert.reading import FIX, Node, Sheet, Workflow
from comfytui.workflow.convert.widgets import NOTHING
from comfytui.workflow.errors import WorkflowError

MAX_LEVELS = 32  # of subgraphs within one another; published workflows have two
MAX_EXPANDED = 50_000  # nodes after all instances are expanded
NEVER, BYPASS = 2, 4  # modes

# (scope, node) → the values of the node's own widgets by name, and the names of its widgets in order
Values = Callable[["Scope", Node], Mapping[str, Any]]


class Scope:
    """A sheet at one place of the whole: the root, or what one instance of a subgraph expands to.

    `prefix` begins the ids of its nodes in the API graph. The scopes of inner instances are made when asked for.
    """

    __slots__ = ("_children", "definitions", "instance", "level", "outer", "prefix", "sheet")

    def __init__(
        self, sheet: Sheet, definitions: Mapping[str, Sheet], outer: Scope | None = None, instance: Node | None = None
    ) -> None:
        self.sheet = sheet
        self.definitions = definitions
        self.outer = outer
        self.instance = instance
        self.level: int = outer.level + 1 if outer is not None else 0
        self.prefix: str = f"{outer.prefix}{instance.id}:" if outer is not None and instance is not None else ""
        self._children: dict[str, Scope] = {}

    def id(self, node: Node) -> str:
        """The node's id in the API graph."""
        return self.prefix + node.id

    def inside(self, node: Node) -> Scope | None:
        """The scope of a node that stands for a subgraph; None if it does not."""
        sheet = self.definitions.get(node.type)
        if sheet is None:
            return None
        if (found := self._children.get(node.id)) is None:
            if self.level >= MAX_LEVELS:
                raise WorkflowError(f"subgraphs are nested more than {MAX_LEVELS} deep", place=self.sheet.place(node))
            found = self._children[node.id] = Scope(sheet, self.definitions, self, node)
        return found


class Live(NamedTuple):
    """A node that is not muted, not bypassed and no subgraph, where it stands."""

    scope: Scope
    node: Node


def expand(workflow: Workflow) -> tuple[Scope, list[Live]]:
    """The root, and the nodes of it and of all instances that run, in the order of the file.

    Raises WorkflowError if a subgraph contains itself, or if expanding it gives more nodes than anybody can run.
    """
    _no_loops(workflow)
    root = Scope(workflow.root, workflow.definitions)
    found: list[Live] = []
    waiting = [(root, node) for node in reversed(list(root.sheet.nodes.values()))]
    seen = 0
    while waiting:
        scope, node = waiting.pop()
        if (seen := seen + 1) > MAX_EXPANDED:
            raise WorkflowError(
                f"its subgraphs expand to more than {MAX_EXPANDED} nodes", place=scope.sheet.place(node)
            )
        if node.mode in (NEVER, BYPASS):
            continue
        inner = scope.inside(node)
        if inner is None:
            found.append(Live(scope, node))
        else:
            if len(waiting) + len(inner.sheet.nodes) > MAX_EXPANDED:
                text = f"its subgraphs expand to more than {MAX_EXPANDED} nodes"
                raise WorkflowError(text, place=scope.sheet.place(node))
            waiting.extend((inner, each) for each in reversed(list(inner.sheet.nodes.values())))
    return root, found


def _no_loops(workflow: Workflow) -> None:
    """Refuse a subgraph that contains itself, at whatever distance. Iterative: there may be thousands."""
    holds = {
        key: list(dict.fromkeys(node.type for node in sheet.nodes.values() if node.type in workflow.definitions))
        for key, sheet in workflow.definitions.items()
    }
    done: set[str] = set()
    for start in holds:
        path: list[str] = []
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            key, leaving = waiting.pop()
            if leaving:
                path.pop()
                done.add(key)
            elif key in path:
                names = [workflow.definitions[each].name for each in (*path[path.index(key) :], key)]
                text = "contains itself" + (f": {' → '.join(names[:8])}" if len(names) > 2 else "")
                raise WorkflowError(text, place=f"subgraph {names[0]!r}", fix=FIX)
            elif key not in done:
                if len(path) > MAX_LEVELS:
                    name = workflow.definitions[key].name
                    raise WorkflowError(f"subgraphs are nested more than {MAX_LEVELS} deep", place=f"subgraph {name!r}")
                path.append(key)
                waiting.append((key, True))
                waiting.extend((each, False) for each in holds[key])


class Bearer(NamedTuple):
    """The widget within a subgraph that shows what one of its inputs holds."""

    node: Node
    name: str


class Promotions:
    """What instances give to the widgets of their subgraphs. `widgets` tells the names of a node's widgets."""

    def __init__(self, definitions: Mapping[str, Sheet], own: Values, widgets: Callable[[Node], Mapping[str, Any]]):
        self._definitions = definitions
        self._own = own
        self._widgets = widgets
        self._bearers: dict[tuple[str, int], Bearer | None] = {}

    def bearer(self, sheet: Sheet, port: int) -> Bearer | None:
        """The widget that an input of a subgraph leads to; None if it leads to sockets alone."""
        key = (sheet.id, port)
        if key not in self._bearers:
            self._bearers[key] = self._find(sheet, port)
        return self._bearers[key]

    def _find(self, sheet: Sheet, port: int) -> Bearer | None:
        for link_id in sheet.inputs[port].links:
            link = sheet.links.get(link_id)
            node = sheet.nodes.get(link.target) if link is not None else None
            slot = next((each for each in node.inputs if each.link == link_id), None) if node is not None else None
            if node is None or slot is None:
                continue
            inner = self._definitions.get(node.type)
            if inner is None:
                if slot.widget or slot.name in self._widgets(node):
                    return Bearer(node, slot.name)
            else:
                ports = [index for index, each in enumerate(inner.inputs) if each.name == slot.name]
                if ports and self.bearer(inner, ports[0]) is not None:
                    return Bearer(node, slot.name)
        return None

    def value(self, scope: Scope, port: int) -> Any:
        """What an input of the subgraph of this scope holds if nothing is linked to it; NOTHING if it is a socket."""
        bearer = self.bearer(scope.sheet, port)
        instance = scope.instance
        if bearer is None or instance is None:
            return NOTHING
        name = scope.sheet.inputs[port].name
        found = instance.named.get(name) if instance.named is not None else None
        if found is None:
            index = self.position(instance, scope.sheet, port, bearer)
            found = instance.values[index] if index is not None and index < len(instance.values) else None
        return self._inner(scope, bearer) if found is None else found

    def position(self, instance: Node, sheet: Sheet, port: int, bearer: Bearer) -> int | None:
        """Where among the values of the instance that of an input stands; None if it has no place there."""
        name = sheet.inputs[port].name
        proxies = instance.properties.get("proxyWidgets")
        if not isinstance(proxies, list) or not proxies:
            return [index for index in range(len(sheet.inputs)) if self.bearer(sheet, index) is not None].index(port)
        places: list[int] = []
        for index, proxy in enumerate(proxies):
            match proxy:
                case ["-1" | -1, str() as widget, *_] if widget == name:
                    places.append(index)
                case [node_id, str() as widget, *_] if str(node_id) == bearer.node.id and widget == bearer.name:
                    places.append(index)
        filled = (index for index in places if index < len(instance.values) and instance.values[index] is not None)
        return next(filled, places[0] if places else None)

    def _inner(self, scope: Scope, bearer: Bearer) -> Any:
        """The value of the widget within."""
        inner = scope.inside(bearer.node)
        if inner is None:
            return self._own(scope, bearer.node).get(bearer.name, NOTHING)
        port = inner.sheet.port(bearer.name)
        return NOTHING if port is None else self.value(inner, port)

    def overrides(self, scope: Scope, node: Node) -> Mapping[str, Any]:
        """Values that the instance around gives to widgets which are no inputs of the subgraph."""
        instance = scope.instance
        proxies = instance.properties.get("proxyWidgets") if instance is not None else None
        if instance is None or not isinstance(proxies, list):
            return {}
        found: dict[str, Any] = {}
        for value, proxy in zip(instance.values, proxies, strict=False):
            match proxy:
                case [node_id, str() as widget, *_] if str(node_id) == node.id and value is not None:
                    found[widget] = value
        return found

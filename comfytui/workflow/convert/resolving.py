"""Follows a link back to what gives its value: through subgraphs, reroutes and bypassed nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from comfytui.workflow.convert.reading import Link, Node
from comfytui.workflow.convert.scopes import BYPASS, NEVER, Promotions, Scope
from comfytui.workflow.convert.widgets import NOTHING
from comfytui.workflow.errors import WorkflowError

# The front end's own nodes, and those of custom packs, that no server knows and that never run.
NOTES = frozenset({
    "Note", "MarkdownNote", "Label (rgthree)", "Bookmark (rgthree)", "Fast Groups Muter (rgthree)",
    "Fast Groups Bypasser (rgthree)", "Fast Muter (rgthree)", "Fast Bypasser (rgthree)", "Mute / Bypass Relay (rgthree)",
    "Mute / Bypass Repeater (rgthree)", "Random Unmuter (rgthree)", "Fast Actions Button (rgthree)",
})  # fmt: skip
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
GETTERS = frozenset({"GetNode", "easy getNode"})
SETTERS = frozenset({"SetNode", "easy setNode"})
PRIMITIVE = "PrimitiveNode"
VIRTUAL = NOTES | REROUTES | GETTERS | SETTERS | {PRIMITIVE}
MAX_STEPS = 500_000  # over a whole workflow; a real one takes some hundreds


class Output(NamedTuple):
    """A value that comes from another node when the workflow runs."""

    node_id: str
    slot: int


class Literal(NamedTuple):
    """A value that is known now, and where it stands: in a primitive node of the sheet (which can give it to a widget
    alone), or on the instance of this scope, for its input `port`."""

    value: Any
    scope: Scope
    primitive: Node | None = None
    port: int = 0

    @property
    def copied(self) -> bool:
        return self.primitive is not None


class Nowhere(NamedTuple):
    """Nothing gives a value. `why` is empty if that is as the user wanted it: muted, or not linked."""

    why: str = ""


Source = Output | Literal | Nowhere


def compatible(one: str, other: str) -> bool:
    """Whether an output of one type fits an input of the other, as the front end sees it."""
    if one in ("", "*", "0") or other in ("", "*", "0"):
        return True
    return bool(set(one.lower().split(",")) & set(other.lower().split(",")))


def bypassed(node: Node, slot: int, wanted: str) -> int | None:
    """Which input of a bypassed node stands for one of its outputs; None if no type fits."""
    inputs = node.inputs
    if not inputs:
        return None
    if wanted in ("", "*", "0"):
        return slot if slot < len(inputs) else 0
    given = node.outputs[slot] if slot < len(node.outputs) else "*"

    def fits(index: int) -> bool:
        return compatible(inputs[index].type, given) and compatible(inputs[index].type, wanted)

    if slot < len(inputs) and fits(slot):
        return slot
    same = (index for index, each in enumerate(inputs) if each.type == wanted)
    return next(same, next((index for index in range(len(inputs)) if fits(index)), None))


class Resolver:
    """Finds the sources of inputs. One is used for a whole workflow, and counts its steps."""

    def __init__(self, promotions: Promotions, known: Mapping[str, Any]) -> None:
        self._promotions = promotions
        self._known = known  # a server may know a class that elsewhere is the front end's alone
        self._steps = 0
        self._setters: dict[str, dict[str, Node]] = {}

    def virtual(self, node: Node) -> bool:
        """Whether a node never reaches the server."""
        return node.type in VIRTUAL and node.type not in self._known

    def source(self, scope: Scope, node: Node, index: int) -> Source:
        """What gives the value of an input. Never loops: links in a circle lead nowhere."""
        wanted = node.inputs[index].type
        through_bypass = False
        seen: set[tuple[str, str, int]] = set()
        while True:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise WorkflowError("its links are too entangled to follow", place=scope.sheet.place(node))
            if (here := (scope.prefix, node.id, index)) in seen:
                return Nowhere("its links go in a circle")
            seen.add(here)
            if (link_id := node.inputs[index].link) is None:
                return Nowhere()
            if (link := scope.sheet.links.get(link_id)) is None:
                return Nowhere(f"link {link_id} is not in the file")
            found = self._follow(scope, link, wanted)
            while isinstance(found, _Inside):
                found = self._follow(found.scope, found.link, wanted)
            if not isinstance(found, _Pass):
                copied = isinstance(found, Literal) and found.copied
                return Nowhere() if copied and through_bypass else found
            through_bypass = through_bypass or found.node.mode == BYPASS
            scope, node, index = found.scope, found.node, found.input

    def _follow(self, scope: Scope, link: Link, wanted: str) -> Source | _Pass | _Inside:
        """One step over a link."""
        if link.origin == scope.sheet.input_node and scope.instance is not None and scope.outer is not None:
            return self._enter(scope, scope.outer, scope.instance, link.slot)
        origin = scope.sheet.nodes.get(link.origin)
        if origin is None:
            return Nowhere(f"link {link.id} begins at node {link.origin}, which is not in the file")
        if origin.mode == NEVER:
            # A primitive gives its value when the file is read, and not when it runs.
            return _primitive(scope, origin) if origin.type == PRIMITIVE else Nowhere()
        if origin.mode == BYPASS and not self.virtual(origin):
            index = bypassed(origin, link.slot, wanted)
            return Nowhere() if index is None else _Pass(scope, origin, index)
        if self.virtual(origin):
            return self._virtual(scope, origin, link.slot)
        inner = scope.inside(origin)
        if inner is None:
            return Output(scope.id(origin), link.slot)
        return self._leave(inner, link.slot)

    def _enter(self, scope: Scope, outer: Scope, instance: Node, slot: int) -> Source | _Pass:
        """From an input of a subgraph to what is linked to its instance, or to the value that this holds."""
        if slot >= len(scope.sheet.inputs):
            return Nowhere(f"subgraph {scope.sheet.name!r} has no input {slot}")
        index = instance.index(scope.sheet.inputs[slot].name)
        if index is not None and instance.inputs[index].link is not None:
            return _Pass(outer, instance, index)
        value = self._promotions.value(scope, slot)
        return Nowhere() if value is NOTHING else Literal(value, scope, port=slot)

    def _leave(self, inner: Scope, slot: int) -> Source | _Inside:
        """From an output of an instance to what is linked to it within."""
        if slot >= len(inner.sheet.outputs):
            return Nowhere(f"subgraph {inner.sheet.name!r} has no output {slot}")
        for link_id in inner.sheet.outputs[slot].links:
            if (link := inner.sheet.links.get(link_id)) is not None:
                self._steps += 1
                if self._steps > MAX_STEPS:
                    raise WorkflowError("its links are too entangled to follow", place=f"subgraph {inner.sheet.name!r}")
                return _Inside(inner, link)
        port = inner.sheet.outputs[slot]
        return Nowhere(
            f"what output {port.name!r} of subgraph {inner.sheet.name!r} gives is not in the file" if port.links else ""
        )

    def _virtual(self, scope: Scope, origin: Node, slot: int) -> Source | _Pass:
        if origin.type == PRIMITIVE:
            return _primitive(scope, origin)
        if origin.type in GETTERS:
            name = _first(origin)
            at: Scope | None = scope
            while at is not None:
                if (setter := self._setter(at, name)) is not None:
                    return _Pass(at, setter, 0) if setter.inputs else Nowhere()
                at = at.outer
            return Nowhere(f"nothing is set under the name {name!r}")
        if origin.type in REROUTES | SETTERS and origin.inputs:
            return _Pass(scope, origin, min(slot, len(origin.inputs) - 1))
        return Nowhere()

    def _setter(self, scope: Scope, name: Any) -> Node | None:
        key = scope.sheet.id
        if key not in self._setters:
            setters = [each for each in scope.sheet.nodes.values() if each.type in SETTERS and each.mode != NEVER]
            self._setters[key] = {str(_first(each)): each for each in reversed(setters)}
        return self._setters[key].get(str(name))


class _Pass(NamedTuple):
    """Go on at an input of a node."""

    scope: Scope
    node: Node
    input: int


class _Inside(NamedTuple):
    """Go on at a link, within a subgraph."""

    scope: Scope
    link: Link


def _first(node: Node) -> Any:
    if node.values:
        return node.values[0]
    return next(iter(node.named.values()), None) if node.named else None


def _primitive(scope: Scope, node: Node) -> Source:
    if not node.values and not node.named:
        return Nowhere()
    return Literal(_first(node), scope, primitive=node)

"""From the UI form of a workflow to the API graph that a server runs, as the official front end does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.catalog import Declared, ObjectInfo
from comfytui.workflow.convert import reading
from comfytui.workflow.convert.groups import without_groups
from comfytui.workflow.convert.reading import Node
from comfytui.workflow.convert.remarks import MissingNode, MissingNodesError, Remark
from comfytui.workflow.convert.resolving import Literal, Output, Resolver
from comfytui.workflow.convert.scopes import Live, Promotions, Scope, expand
from comfytui.workflow.convert.widgets import CONTROLS, Restored, restore, widget_type
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.order import expected

SAMPLERS = ("KSampler", "KSamplerAdvanced")  # old files name their samplers with a prefix
ORIGIN = ("cnr_id", "aux_id", "ver")  # which pack a node is of, and its version
OWN_WIDGETS = frozenset({*CONTROLS, "control_after_generate", "control_filter_list", "upload"})


class Converted(msgspec.Struct, frozen=True):
    """An API graph. `warnings` tell what was left out or mended, `problems` what probably will not run as it should."""

    graph: dict[str, Any]
    warnings: tuple[Remark, ...] = ()
    problems: tuple[Remark, ...] = ()


def to_api(workflow: Mapping[str, Any], object_info: ObjectInfo) -> Converted:
    """Convert a workflow in the UI form (decoded JSON), of any version, given the server's `/object_info`.

    Ids of nodes within subgraphs are `instance:node`. Raises MissingNodesError with every node whose class the server does
    not know and that something which runs may need, and WorkflowError if the workflow is malformed.
    """
    return Conversion(workflow, object_info).run()


class Conversion:
    """The state of one conversion: caches, and what is to be told."""

    def __init__(self, workflow: Mapping[str, Any], object_info: ObjectInfo) -> None:
        self.object_info = object_info
        self.workflow, self.problems = without_groups(reading.read(workflow, object_info), object_info)
        self.warnings: list[Remark] = []
        self._declared: dict[str, Mapping[str, Declared]] = {}
        self._restored: dict[int, Restored] = {}
        self.promotions = Promotions(self.workflow.definitions, self._values, self._widgets)
        self.resolver = Resolver(self.promotions, object_info)

    def run(self) -> Converted:
        _, nodes = expand(self.workflow)
        live = [each for each in nodes if not self.resolver.virtual(each.node)]
        graph: dict[str, Any] = {}
        unknown: dict[str, Live] = {}
        for each in live:
            node_id = each.scope.id(each.node)
            if node_id in graph:
                raise WorkflowError("two nodes have this id", place=f"node {node_id}", fix=reading.FIX)
            graph[node_id] = self._entry(each.scope, each.node)
            if each.node.type not in self.object_info:
                unknown[node_id] = each
        for node in graph.values():  # what came from nodes that do not run
            inputs = node["inputs"]
            for name in [name for name, value in inputs.items() if _dangles(value, graph)]:
                del inputs[name]
        self._without_unknown(graph, unknown)
        if not graph:
            raise WorkflowError(
                "none of its nodes runs: all are muted, bypassed or notes", fix="Unmute what should run"
            )
        return Converted(
            {node_id: graph[node_id] for node_id in expected(graph)}, tuple(self.warnings), tuple(self.problems)
        )

    def _entry(self, scope: Scope, node: Node) -> dict[str, Any]:
        node_id = scope.id(node)
        info = self.object_info.get(node.type)
        display = info.get("display_name") if isinstance(info, Mapping) else None
        title = node.title or (display if isinstance(display, str) and display else node.type)
        own = self.restored(node)
        values = {**self._values(scope, node)}
        for name, value in self.promotions.overrides(scope, node).items():
            if name in own.widgets:
                values[name] = value
        inputs = {name: _sendable(value, own.widgets.get(name)) for name, value in values.items()}
        for index, slot in enumerate(node.inputs):
            if slot.link is None:
                continue
            source = self.resolver.source(scope, node, index)
            if isinstance(source, Output):
                inputs[slot.name] = [source.node_id, source.slot]
            elif isinstance(source, Literal):
                if slot.name in own.widgets or (
                    (not source.copied or slot.widget) and self._takes(node.type, slot.name)
                ):
                    inputs[slot.name] = _sendable(source.value, own.widgets.get(slot.name))
            elif source.why:
                self.problems.append(Remark(f"{slot.name}: {source.why}", node_id, title))
        if own.mended:
            self.warnings.append(Remark(own.mended, node_id, title))
        linked = {slot.name for slot in node.inputs if slot.link is not None}
        for name, text in own.doubts:
            if name not in linked:
                self.problems.append(Remark(text, node_id, title))
        packs = {key: node.properties[key] for key in ORIGIN if isinstance(node.properties.get(key), str)}
        return {"inputs": inputs, "class_type": node.type, "_meta": {"title": title, **packs}}

    def inputs(self, kind: str) -> Mapping[str, Declared]:
        """The declared inputs of a class."""
        found = self._declared.get(kind)
        if found is None:
            found = self._declared[kind] = catalog.declared(self.object_info, kind)
        return found

    def restored(self, node: Node) -> Restored:
        """The values of a node, read once: the nodes of a subgraph are shared by all its instances."""
        found = self._restored.get(id(node))
        if found is None:
            found = self._restored[id(node)] = self._read(node)
        return found

    def _read(self, node: Node) -> Restored:
        found = restore(node, self.inputs(node.type))
        values = dict(found.values)
        name = values.get("sampler_name")
        if node.type in SAMPLERS and isinstance(name, str):
            values["sampler_name"] = name.removeprefix("sample_")
        if node.named is not None and self._is_custom(node.type):
            # Packs have widgets that only their scripts know of. What is saved by name can be sent by name.
            for key, value in node.named.items():
                if key not in values and key not in OWN_WIDGETS and isinstance(value, (str, int, float)):
                    values[key] = value
        return msgspec.structs.replace(found, values=values)

    def _takes(self, kind: str, name: str) -> bool:
        """Whether a value of this name means something to the class; custom ones may take more than they declare."""
        return name.partition(".")[0] in self.inputs(kind) or kind not in self.object_info or self._is_custom(kind)

    def _is_custom(self, kind: str) -> bool:
        info = self.object_info.get(kind)
        module = info.get("python_module") if isinstance(info, Mapping) else None
        return isinstance(module, str) and module.startswith("custom_nodes")

    def _values(self, _scope: Scope, node: Node) -> Mapping[str, Any]:
        return self.restored(node).values

    def _widgets(self, node: Node) -> Mapping[str, Any]:
        return self.restored(node).widgets

    def _without_unknown(self, graph: dict[str, Any], unknown: Mapping[str, Live]) -> None:
        """Take out unknown nodes that nothing needs. Raises MissingNodesError for the others."""
        if not unknown:
            return
        # If it has nothing but unknown nodes, they are what it is about.
        needed = set(graph) if len(unknown) == len(graph) else _needed(graph, self.object_info, unknown)
        missing = [self._missing(graph, unknown[node_id], node_id) for node_id in unknown if node_id in needed]
        if missing:
            raise MissingNodesError(missing)
        for node_id in unknown:
            text = f"left out: the server has no {graph[node_id]['class_type']}, and nothing needs it"
            self.warnings.append(Remark(text, node_id, graph[node_id]["_meta"]["title"]))
            del graph[node_id]
        for node in graph.values():
            for name in [name for name, value in node["inputs"].items() if _dangles(value, graph)]:
                del node["inputs"][name]

    def _missing(self, graph: Mapping[str, Any], live: Live, node_id: str) -> MissingNode:
        properties = live.node.properties
        pack = next((properties[key] for key in ("cnr_id", "aux_id") if isinstance(properties.get(key), str)), "")
        version = properties.get("ver")
        title = graph[node_id]["_meta"]["title"]
        return MissingNode(live.node.type, node_id, title, pack, version if isinstance(version, str) else "")


def _needed(graph: Mapping[str, Any], object_info: ObjectInfo, unknown: Iterable[str]) -> set[str]:
    """What runs, or may run: an unknown node that takes something and gives nothing may be one that saves."""
    origins = {
        node_id: [value[0] for value in node["inputs"].values() if _is_link(value)] for node_id, node in graph.items()
    }
    taken = {origin for found in origins.values() for origin in found}
    waiting = [node_id for node_id, node in graph.items() if catalog.is_output(object_info, node["class_type"])]
    waiting.extend(node_id for node_id in unknown if origins[node_id] and node_id not in taken)
    found: set[str] = set()
    while waiting:
        node_id = waiting.pop()
        if node_id not in found and node_id in origins:
            found.add(node_id)
            waiting.extend(origins[node_id])
    return found


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _dangles(value: Any, graph: Mapping[str, Any]) -> bool:
    return _is_link(value) and value[0] not in graph


def _sendable(value: Any, spec: Declared | None) -> Any:
    """A value as the server takes it: a list must not look like a link."""
    if not isinstance(value, list):
        return value
    if spec is not None and widget_type(spec) == "CURVE":
        return {"__type__": "CURVE", "__value__": value}
    return {"__value__": value}

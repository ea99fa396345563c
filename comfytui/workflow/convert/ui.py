"""From an API graph to a workflow in the UI form, which the web front end opens, laid out by depth.

Nodes with ids as `12:7` were within a subgraph before the graph was flattened: they are put into one again, so that
the ids, which a server's messages name, stay the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert import drawing
from comfytui.workflow.convert.layout import Box, boxes, depths
from comfytui.workflow.convert.reading import INPUT_NODE, OUTPUT_NODE
from comfytui.workflow.convert.remarks import Remark
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, inputs, link, title
from comfytui.workflow.identity import shape

MAX_LEVELS = 32
MAX_ID = 100  # letters
SPACE = uuid.UUID("7a3c1f5e-3b0c-5d6e-9a53-6f6d66797475")  # of the ids made here: the same graph gets the same
VIEW = {"scale": 0.6, "offset": [160, 200]}  # where a browser looks first: the nodes begin at 0, 0, below its bars
FIX = "Check the workflow on the server first"


class Drawn(msgspec.Struct, frozen=True):
    """A workflow in the UI form, and what of the graph it cannot hold."""

    workflow: dict[str, Any]
    warnings: tuple[Remark, ...] = ()


def to_ui(graph: Graph, object_info: ObjectInfo) -> Drawn:
    """Draw a graph. `to_api` of the result gives it again; widgets that it leaves out get their default.

    The graph must be well-formed, as `document.parse` gives it. Raises WorkflowError for one without nodes.
    """
    if not graph:
        raise WorkflowError("has no nodes", fix=FIX)
    drawer = _Drawer(graph, object_info)
    return Drawn(drawer.draw(), tuple(drawer.warnings))


# (node in the graph, its output) → the position of the input or output that brings it into a subgraph, or out of it
_Ports = dict[tuple[str, int], tuple[int, dict[str, Any]]]


class _Part:
    """One sheet while it is drawn. `local` are its nodes' ids in the graph by their own, `parts` the subgraphs in it."""

    def __init__(self, path: tuple[str, ...], outer: _Part | None) -> None:
        self.path = path
        self.outer = outer
        self.local: dict[str, str] = {}
        self.parts: dict[str, _Part] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.links: list[dict[str, Any]] = []
        self.inputs: _Ports = {}
        self.outputs: _Ports = {}

    @property
    def id(self) -> str:
        return self.path[-1]

    @property
    def around(self) -> _Part:
        """The sheet that this one's instance is on; the root, which holds everything, has none but itself."""
        return self.outer or self

    def add(self, origin: tuple[str, int], target: str, slot: int, kind: str) -> int:
        """A new link; its id."""
        number = len(self.links) + 1
        self.links.append(
            {"id": number, "origin_id": drawing.id_of(origin[0]), "origin_slot": origin[1],
             "target_id": drawing.id_of(target), "target_slot": slot, "type": kind}
        )  # fmt: skip
        if origin[0] in self.nodes:
            output = self.nodes[origin[0]]["outputs"][origin[1]]
            if output["links"] is None:
                output["links"] = []
            output["links"].append(number)
        return number


class _Drawer:
    def __init__(self, graph: Graph, object_info: ObjectInfo) -> None:
        self.graph = graph
        self.object_info = object_info
        self.warnings: list[Remark] = []
        self.root = _Part((), None)
        self.paths: dict[str, tuple[str, ...]] = {}
        self.space = uuid.uuid5(SPACE, shape(graph))

    def draw(self) -> dict[str, Any]:
        self._place()
        used: dict[str, int] = {}
        for node_id in self.graph:
            for _, value in inputs(self.graph, node_id).items():
                if (found := link(value)) is not None and found[0] in self.graph and found[1] >= 0:
                    used[found[0]] = max(used.get(found[0], 0), found[1])
        for node_id in self.graph:
            part, local = self._at(node_id)
            node, lost = drawing.node(self.graph, node_id, local, self.object_info, used.get(node_id, -1))
            part.nodes[local] = node
            self.warnings.extend(Remark(text, node_id, title(self.graph, node_id)) for text in lost)
        for node_id in self.graph:
            self._link(node_id)
        definitions: list[dict[str, Any]] = []
        self._close(self.root, definitions)
        numbers = [node["id"] for part in self._parts(self.root) for node in part.nodes.values()]
        workflow: dict[str, Any] = {
            "id": str(self.space),
            "revision": 0,
            "last_node_id": max((each for each in numbers if isinstance(each, int)), default=0),
            "last_link_id": max(len(part.links) for part in self._parts(self.root)),
            "nodes": list(self.root.nodes.values()),
            "links": [list(each.values()) for each in self.root.links],
            "groups": [],
        }
        if definitions:
            workflow["definitions"] = {"subgraphs": definitions}
        return {**workflow, "config": {}, "extra": {"ds": VIEW}, "version": 0.4}

    def _place(self) -> None:
        """Find the sheet of each node by its id, and a new id for those that do not fit any."""
        wanted = {node_id: tuple(node_id.split(":")) for node_id in self.graph}
        leaves = set(wanted.values())
        free = max((int(part) for path in leaves for part in path if drawing.is_number(part)), default=0)
        for node_id, given in wanted.items():
            path = given
            if not _fits(given, leaves):
                free += 1
                path = (str(free),)
                text = f"has the new id {free}: the browser would not take the one it had"
                self.warnings.append(Remark(text, node_id, title(self.graph, node_id)))
            self.paths[node_id] = path
            part = self.root
            for length in range(1, len(path)):
                key = path[length - 1]
                if key not in part.parts:
                    part.parts[key] = _Part(path[:length], part)
                    part.nodes[key] = drawing.instance(key, self._definition(path[:length]))
                part = part.parts[key]
            part.local[path[-1]] = node_id

    def _definition(self, path: tuple[str, ...]) -> str:
        return str(uuid.uuid5(self.space, ":".join(path)))

    def _at(self, node_id: str) -> tuple[_Part, str]:
        part = self.root
        path = self.paths[node_id]
        for key in path[:-1]:
            part = part.parts[key]
        return part, path[-1]

    def _link(self, node_id: str) -> None:
        part, local = self._at(node_id)
        node = part.nodes[local]
        for index, slot in enumerate(node["inputs"]):
            found = link(inputs(self.graph, node_id).get(slot["name"]))
            if found is None or not drawing.is_link(self.graph, [*found]):
                continue
            kind = self._kind(found, slot["type"])
            number = part.add(self._source(part, found, slot["name"], kind), local, index, kind)
            slot["link"] = number
            self._note(part, found, number)

    def _note(self, part: _Part, origin: tuple[str, int], number: int) -> None:
        """A subgraph's input lists the links that begin at it."""
        if origin in part.inputs and part.links[number - 1]["origin_id"] == int(INPUT_NODE):
            part.inputs[origin][1]["linkIds"].append(number)

    def _kind(self, origin: tuple[str, int], wanted: str) -> str:
        part, local = self._at(origin[0])
        given = part.nodes[local]["outputs"][origin[1]]["type"]
        return wanted if given == "*" else str(given)

    def _source(self, part: _Part, origin: tuple[str, int], name: str, kind: str) -> tuple[str, int]:
        """Where a link begins that brings an output to this sheet."""
        path = self.paths[origin[0]]
        depth = len(part.path)
        if path[:depth] != part.path:
            return INPUT_NODE, self._input(part, origin, name, kind)
        if len(path) == depth + 1:
            return path[-1], origin[1]
        return path[depth], self._output(part.parts[path[depth]], origin, kind)

    def _input(self, part: _Part, origin: tuple[str, int], name: str, kind: str) -> int:
        if origin not in part.inputs:
            index, outer = len(part.inputs), part.around
            port = self._port(part, name, kind, part.inputs)
            part.inputs[origin] = (index, port)
            instance = outer.nodes[part.id]
            instance["inputs"].append({"name": port["name"], "type": kind, "link": None})
            number = outer.add(self._source(outer, origin, name, kind), part.id, index, kind)
            instance["inputs"][index]["link"] = number
            self._note(outer, origin, number)
        return part.inputs[origin][0]

    def _output(self, part: _Part, origin: tuple[str, int], kind: str) -> int:
        if origin not in part.outputs:
            index = len(part.outputs)
            port = self._port(part, kind, kind, part.outputs)
            part.outputs[origin] = (index, port)
            part.around.nodes[part.id]["outputs"].append({"name": port["name"], "type": kind, "links": None})
            port["linkIds"].append(part.add(self._source(part, origin, kind, kind), OUTPUT_NODE, index, kind))
        return part.outputs[origin][0]

    def _port(self, part: _Part, name: str, kind: str, others: _Ports) -> dict[str, Any]:
        taken = {port["name"] for _, port in others.values()}
        free = name
        count = 1
        while free in taken:
            free = f"{name}_{count}"
            count += 1
        port_id = uuid.uuid5(uuid.UUID(self._definition(part.path)), f"{len(part.inputs)} {len(part.outputs)} {free}")
        return {"id": str(port_id), "name": free, "type": kind, "linkIds": []}

    def _close(self, part: _Part, definitions: list[dict[str, Any]]) -> None:
        """Lay a sheet out, and those within it; definitions get what they are about."""
        for inner in part.parts.values():
            self._close(inner, definitions)
        names = {str(node["id"]): key for key, node in part.nodes.items()}
        pairs = [(names.get(str(each["origin_id"]), ""), names.get(str(each["target_id"]), "")) for each in part.links]
        depth = depths(list(part.nodes), pairs)
        placed = boxes(depth, pairs, {key: tuple(node["size"]) for key, node in part.nodes.items()})
        for order, key in enumerate(depth):
            part.nodes[key]["pos"] = [placed[key].x, placed[key].y]
            part.nodes[key]["order"] = order
        if part.outer is not None:
            definitions.append(self._define(part, placed))

    def _define(self, part: _Part, placed: Mapping[str, Box]) -> dict[str, Any]:
        right = max(box.x + box.width for box in placed.values())
        last = max((node["id"] for node in part.nodes.values() if isinstance(node["id"], int)), default=0)
        return {
            "id": self._definition(part.path),
            "version": 1,
            "state": {"lastGroupId": 0, "lastNodeId": last, "lastLinkId": len(part.links), "lastRerouteId": 0},
            "revision": 0,
            "config": {},
            "name": part.around.nodes[part.id]["title"],
            "inputNode": {"id": int(INPUT_NODE), "bounding": [-240, 0, 120, 40 + 20 * len(part.inputs)]},
            "outputNode": {"id": int(OUTPUT_NODE), "bounding": [right + 120, 0, 120, 40 + 20 * len(part.outputs)]},
            "inputs": [port for _, port in part.inputs.values()],
            "outputs": [port for _, port in part.outputs.values()],
            "widgets": [],
            "nodes": list(part.nodes.values()),
            "groups": [],
            "links": part.links,
            "extra": {},
        }

    def _parts(self, part: _Part) -> list[_Part]:
        found = [part]
        for inner in part.parts.values():
            found.extend(self._parts(inner))
        return found


def _fits(path: tuple[str, ...], leaves: set[tuple[str, ...]]) -> bool:
    """Whether an id can stay as it is: its parts are ids, and what should be a subgraph is no node."""
    if not all(path) or len(path) > MAX_LEVELS or any(len(part) > MAX_ID for part in path):
        return False
    if len(path) > 1 and (INPUT_NODE in path or OUTPUT_NODE in path):
        return False
    return not any(path[:length] in leaves for length in range(1, len(path)))

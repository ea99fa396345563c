"""Legacy group nodes, which front ends had before subgraphs: each instance becomes a subgraph of its own.

A file holds what a group consists of under `extra.groupNodes`; an instance has the class `workflow>NAME`. The inputs
and widgets of an instance are those of the nodes within, in their order, but for those that are linked within or hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert.reading import FIX, Link, Node, Port, Sheet, Slot, Workflow, read_node, slot_type
from comfytui.workflow.convert.remarks import Remark
from comfytui.workflow.convert.resolving import compatible
from comfytui.workflow.convert.widgets import Cell, Kind, restore, walk
from comfytui.workflow.errors import WorkflowError

PREFIXES = ("workflow>", "workflow/")
MAX_LEVELS = 8
MAX_NODES = 20_000  # of all instances


class _Group(msgspec.Struct, frozen=True):
    """A group as it was saved, checked. `links` are (from, output, to, input) by index."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[tuple[int, int, int, int, str], ...]
    external: frozenset[tuple[int, int]]  # outputs that are given outside although they are used within
    config: Mapping[str, Any]

    def setting(self, node: int, kind: str, name: str) -> Mapping[str, Any]:
        """What the user set for an input or output of a node: `name`, `visible`."""
        found: Any = self.config
        for key in (str(node), kind, name):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}


def without_groups(workflow: Workflow, object_info: ObjectInfo) -> tuple[Workflow, list[Remark]]:
    """The workflow with subgraphs in place of its group nodes, and what could not be made out of them.

    Raises WorkflowError if a group is malformed or contains itself.
    """
    if not workflow.groups:
        return workflow, []
    ungrouping = _Ungrouping(workflow, object_info)
    root = ungrouping.sheet(workflow.root, ())
    definitions = {key: ungrouping.sheet(sheet, ()) for key, sheet in workflow.definitions.items()}
    return Workflow(root, {**definitions, **ungrouping.made}, {}), ungrouping.remarks


class _Ungrouping:
    def __init__(self, workflow: Workflow, object_info: ObjectInfo) -> None:
        self.saved = workflow.groups
        self.object_info = object_info
        self.made: dict[str, Sheet] = {}
        self.remarks: list[Remark] = []
        self._groups: dict[str, _Group] = {}
        self._nodes = 0

    def sheet(self, sheet: Sheet, within: tuple[str, ...]) -> Sheet:
        """The sheet, with the classes of its group nodes replaced by subgraphs made for them."""
        if not any(self._name(node) for node in sheet.nodes.values()):
            return sheet
        nodes = {key: self._instance(node, sheet, within) for key, node in sheet.nodes.items()}
        return msgspec.structs.replace(sheet, nodes=nodes)

    def _name(self, node: Node) -> str:
        """The name of the group that a node is an instance of; empty if it is none."""
        name = next((node.type[len(each) :] for each in PREFIXES if node.type.startswith(each)), "")
        return name if name in self.saved else ""

    def _instance(self, node: Node, sheet: Sheet, within: tuple[str, ...]) -> Node:
        name = self._name(node)
        if not name:
            return node
        place = sheet.place(node)
        if name in within or len(within) >= MAX_LEVELS:
            text = "contains itself" if name in within else f"is nested more than {MAX_LEVELS} deep"
            raise WorkflowError(text, place=f"group node {name!r}", fix=FIX)
        group = self._group(name)
        self._nodes += len(group.nodes)
        if self._nodes > MAX_NODES:
            raise WorkflowError(f"its group nodes expand to more than {MAX_NODES} nodes", place=place)
        key = f"group {len(self.made)}: {name}"
        self.made[key] = Sheet(key, name, {}, {})  # its place, while the groups within are made
        made, inputs = self._expand(group, node, key)
        self.made[key] = self.sheet(made, (*within, name))
        return msgspec.structs.replace(node, type=key, inputs=inputs, values=(), named=None)

    def _group(self, name: str) -> _Group:
        if (found := self._groups.get(name)) is None:
            found = self._groups[name] = _read(name, self.saved[name], self.object_info)
        return found

    def _expand(self, group: _Group, instance: Node, key: str) -> tuple[Sheet, tuple[Slot, ...]]:
        """The inside of one instance, and the inputs of the instance under the names of the subgraph's."""
        links = {
            str(index): Link(str(index), str(origin), slot, str(target), kind)
            for index, (origin, slot, target, _, kind) in enumerate(group.links)
        }
        linked = {(target, slot): str(index) for index, (_, _, target, slot, _) in enumerate(group.links)}
        values = self._values(group, instance, linked)
        ports: list[Port] = []
        outer: list[Slot] = []
        waiting = list(instance.inputs)
        nodes: dict[str, Node] = {}
        for index, node in enumerate(group.nodes):
            slots: list[Slot] = []
            for position, slot in enumerate(node.inputs):
                link = linked.get((index, position))
                if link is None and (given := _take(waiting, group, index, slot)) is not None:
                    port = f"{index}.{slot.name}"
                    link = f"in {port}"
                    links[link] = Link(link, "-10", len(ports), str(index), slot.type)
                    ports.append(Port(port, slot.type, (link,)))
                    outer.append(msgspec.structs.replace(given, name=port))
                slots.append(msgspec.structs.replace(slot, link=link))
            named = {**restore(node, catalog.declared(self.object_info, node.type)).values, **values[index]}
            known = node.type in self.object_info
            nodes[str(index)] = msgspec.structs.replace(node, inputs=tuple(slots), named=named if known else node.named)
        for left in waiting:
            if left.link is not None:
                text = f"its group {group.name!r} has no input {left.name!r}, so what is linked to it was left out"
                self.remarks.append(Remark(text, instance.id, instance.title or group.name))
        outputs = tuple(self._outputs(group, links))
        return Sheet(key, group.name, nodes, links, tuple(ports), outputs), tuple(outer)

    def _values(self, group: _Group, instance: Node, linked: Mapping[tuple[int, int], str]) -> list[dict[str, Any]]:
        """The values on the instance, by inner node and input. None are used if their number is not that of widgets."""
        cells: list[tuple[int, Cell]] = []
        hidden: set[tuple[int, str]] = set()
        for index, node in enumerate(group.nodes):
            own = restore(node, catalog.declared(self.object_info, node.type)).values
            fed = {slot.name for position, slot in enumerate(node.inputs) if (index, position) in linked}

            def note(cell: Cell, index: int = index, own: Mapping[str, Any] = own, fed: set[str] = fed) -> Any:
                if cell.name not in fed and cell.kind in (Kind.VALUE, Kind.CONTROL):
                    cells.append((index, cell))
                    if group.setting(index, "input", cell.name).get("visible") is False:
                        hidden.add((index, cell.name))
                return own.get(cell.name)

            walk(catalog.declared(self.object_info, node.type), note)
        if len(cells) != len(instance.values):  # not every front end saved the values of what is hidden
            cells = [(index, cell) for index, cell in cells if (index, cell.name) not in hidden]
        found: list[dict[str, Any]] = [{} for _ in group.nodes]
        if not instance.values:
            return found
        if len(cells) != len(instance.values):
            text = (
                f"a legacy group node {group.name!r} with {len(instance.values)} values for {len(cells)} widgets: "
                "the values that the group was saved with were taken"
            )
            self.remarks.append(Remark(text, instance.id, instance.title or group.name))
            return found
        for (index, cell), value in zip(cells, instance.values, strict=True):
            if cell.kind is Kind.VALUE:
                found[index][cell.name] = value
        return found

    def _outputs(self, group: _Group, links: dict[str, Link]) -> list[Port]:
        used = {(origin, slot) for origin, slot, *_ in group.links}
        found: list[Port] = []
        for index, node in enumerate(group.nodes):
            for slot, kind in enumerate(node.outputs):
                hidden = group.setting(index, "output", str(slot)).get("visible") is False
                if hidden or ((index, slot) in used and (index, slot) not in group.external):
                    continue
                link = f"out {index}.{slot}"
                links[link] = Link(link, str(index), slot, "-20", kind)
                found.append(Port(link, kind, (link,)))
        return found


def _take(waiting: list[Slot], group: _Group, index: int, slot: Slot) -> Slot | None:
    """The input of the instance that stands for one within; it is taken off the list. Doubled names got a prefix."""
    setting = group.setting(index, "input", slot.name)
    if setting.get("visible") is False:
        return None
    names = {slot.name, setting.get("name")}
    for position, each in enumerate(waiting):
        if (each.name in names or each.name.endswith(f" {slot.name}")) and compatible(each.type, slot.type):
            return waiting.pop(position)
    return None


def _read(name: str, data: Any, known: ObjectInfo) -> _Group:
    place = f"group node {name!r}"
    nodes = data.get("nodes") if isinstance(data, Mapping) else None
    if not isinstance(nodes, list):
        raise WorkflowError("has no list of nodes", place=place, fix=FIX)
    if len(nodes) > MAX_NODES:
        raise WorkflowError(f"has more than {MAX_NODES} nodes", place=place, fix="Is it the right file?")
    read = []
    for index, each in enumerate(nodes):
        where = f"{place}, nodes[{index}]"
        if not isinstance(each, Mapping):
            raise WorkflowError("a node that is not an object", place=where, fix=FIX)
        read.append(read_node({**each, "id": index}, where, known))
    links = [_link(each, len(read), f"{place}, links") for each in _rows(data, "links") if not _from_outside(each)]
    external = frozenset(
        (each[0], each[1])
        for each in _rows(data, "external")
        if isinstance(each, list) and len(each) >= 2 and all(isinstance(part, int) for part in each[:2])
    )
    config = data.get("config")
    return _Group(name, tuple(read), tuple(links), external, config if isinstance(config, Mapping) else {})


def _rows(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _from_outside(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and row[0] is None


def _link(row: Any, count: int, place: str) -> tuple[int, int, int, int, str]:
    match row:
        case [int() as origin, int() as slot, int() as target, int() as end, *rest] if (
            0 <= origin < count and 0 <= target < count and slot >= 0 and end >= 0
        ):
            return origin, slot, target, end, slot_type(rest[0] if rest else "*")
    raise WorkflowError("a link without its ends", place=place, fix=FIX)

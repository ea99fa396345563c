"""Compares a workflow with what a server has, and lists everything that would be refused, each with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.catalog import Declared, ObjectInfo
from comfytui.workflow.graph import Graph, class_type, inputs, link, links, title
from comfytui.workflow.inputs import near


class Problem(msgspec.Struct, frozen=True):
    """One reason why the server would refuse the workflow, or part of it."""

    kind: str  # missing_node | missing_choice | missing_input | bad_link | wrong_type | cycle | no_outputs | bad_value
    text: str
    fix: str
    node_id: str = ""
    title: str = ""
    input: str = ""

    def __str__(self) -> str:
        where = f"node {self.node_id} ({self.title}): " if self.node_id else ""
        return f"{where}{self.text}. {self.fix}"


def check(graph: Graph, object_info: ObjectInfo) -> list[Problem]:
    """Every problem, not only the first one. An empty list does not promise that the server accepts.

    As the server does it: unknown classes count wherever they stand, values only where an output needs them.
    """
    unknown = [node_id for node_id in graph if class_type(graph, node_id) not in object_info]
    found = list(_missing_nodes(graph, object_info, unknown))
    outputs = [node_id for node_id in graph if catalog.is_output(object_info, class_type(graph, node_id))]
    if not outputs and not unknown:  # an unknown class may well be the output
        found.append(
            Problem(
                "no_outputs", "nothing in it saves or shows a result", "Add a node such as SaveImage or PreviewImage"
            )
        )
    reached = _reached(graph, outputs or list(graph))
    for node_id in graph:
        if node_id in reached and node_id not in unknown:
            found.extend(_node(graph, node_id, object_info))
    found.extend(_cycles(graph, reached))
    return found


def _missing_nodes(graph: Graph, object_info: ObjectInfo, unknown: list[str]) -> Iterator[Problem]:
    """One problem a class, with all its nodes: installing a package mends them together."""
    by_class: dict[str, list[str]] = {}
    for node_id in unknown:
        by_class.setdefault(class_type(graph, node_id), []).append(node_id)
    for name, node_ids in by_class.items():
        text = f"the server has no node class {name!r}"
        if len(node_ids) > 1:
            text += f" (nodes {', '.join(node_ids)})"
        close = near(name, object_info, cutoff=0.7)
        fix = f"Did you mean {' or '.join(close)}? Otherwise install" if close else "Install"
        yield Problem(
            "missing_node",
            text,
            f"{fix} the custom nodes that it belongs to, or remove it",
            node_ids[0],
            title(graph, node_ids[0]),
        )


def _reached(graph: Graph, outputs: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(outputs)
    while waiting:
        node_id = waiting.pop()
        if node_id not in found and node_id in graph:
            found.add(node_id)
            waiting.extend(origin for _, origin, _ in links(graph, node_id))
    return found


def _node(graph: Graph, node_id: str, object_info: ObjectInfo) -> Iterator[Problem]:
    given = inputs(graph, node_id)
    known = catalog.declared(object_info, class_type(graph, node_id))
    for name, spec in known.items():
        if name not in given:
            # An input of a growing or changing kind is given in parts, as images.image0.
            if spec.required and not spec.type.startswith("COMFY_"):
                yield _problem(graph, node_id, name, "missing_input", f"{name} is required", "Give or link it")
            continue
        value = given[name]
        origin = link(value)
        if origin is not None:
            yield from _link(graph, node_id, spec, origin, object_info)
        elif isinstance(value, list):
            text = f"{name} is a list, and no link of [node, output]"
            yield _problem(graph, node_id, name, "bad_link", text, "Link it again")
        elif spec.kind == "choice":
            yield from _choice(graph, node_id, spec, value)
        elif spec.kind in ("int", "float"):
            yield from _range(graph, node_id, spec, value)
    for name, origin_id, _ in links(graph, node_id):
        if name not in known and origin_id not in graph:
            yield _dangling(graph, node_id, name, origin_id)


def _link(
    graph: Graph, node_id: str, spec: Declared, origin: tuple[str, int], object_info: ObjectInfo
) -> Iterator[Problem]:
    origin_id, slot = origin
    if origin_id not in graph:
        yield _dangling(graph, node_id, spec.name, origin_id)
        return
    origin_class = class_type(graph, origin_id)
    if origin_class not in object_info:
        return
    types = catalog.output_types(object_info, origin_class)
    if not 0 <= slot < len(types):
        text = f"{spec.name} takes output {slot} of node {origin_id}, which has {len(types)}"
        yield _problem(graph, node_id, spec.name, "bad_link", text, "Link it again")
    elif not _compatible(types[slot], spec.type):
        text = f"{spec.name} needs {spec.type} and gets {types[slot]} from node {origin_id}"
        yield _problem(graph, node_id, spec.name, "wrong_type", text, "Link it to another output")


def _dangling(graph: Graph, node_id: str, name: str, origin_id: str) -> Problem:
    text = f"{name} is linked to node {origin_id}, which is not there"
    return _problem(graph, node_id, name, "bad_link", text, "Export the workflow again, or link it")


def _compatible(given: str, wanted: str) -> bool:
    """Types match if equal, in each other's comma lists, or if one takes anything."""
    if "*" in (given, wanted) or given.startswith("COMFY_") or wanted.startswith("COMFY_"):
        return True
    one, other = ({part.strip().lower() for part in names.split(",")} for names in (given, wanted))
    return bool(one & other)


def _choice(graph: Graph, node_id: str, spec: Declared, value: Any) -> Iterator[Problem]:
    # No choices told, files to upload, several at once: the list is not the whole truth, so the server decides.
    loose = ("remote", "multiselect", "multi_select", "image_upload", "video_upload", "audio_upload", "file_upload")
    if value in spec.choices or any(spec.options.get(name) for name in loose[:3]) or not spec.listed:
        return
    uploads = any(spec.options.get(name) for name in loose[3:])
    kind = "file" if uploads or _names_files(spec, value) else "choice"
    if close := near(str(value), spec.choices):
        fix = f"Near: {', '.join(close)}"
    elif not spec.choices:
        fix = "The server has none: put the file in its folder, then refresh"
    elif kind == "file":
        fix = "Upload it" if uploads else "Download it to the server's folder, or choose another"
    else:
        fix = "There is: " + ", ".join(str(choice) for choice in spec.choices[:8])
    text = f"the server has no {spec.name} {str(value)[:120]!r}"
    yield _problem(graph, node_id, spec.name, "missing_choice", text, fix)


def _names_files(spec: Declared, value: Any) -> bool:
    return spec.name.endswith("_name") and "." in str(value)


def _range(graph: Graph, node_id: str, spec: Declared, value: Any) -> Iterator[Problem]:
    try:
        number = int(value) if spec.kind == "int" else float(value)
    except (TypeError, ValueError, OverflowError):
        text = f"{spec.name} cannot be {str(value)[:60]!r}"
        fix = "Give a whole number" if spec.kind == "int" else "Give a number"
        yield _problem(graph, node_id, spec.name, "bad_value", text, fix)
        return
    low, high = spec.options.get("min"), spec.options.get("max")
    if (isinstance(low, (int, float)) and number < low) or (isinstance(high, (int, float)) and number > high):
        text = f"{spec.name} cannot be {number}"
        yield _problem(graph, node_id, spec.name, "bad_value", text, f"Give one from {low} to {high}")


def _cycles(graph: Graph, reached: set[str]) -> Iterator[Problem]:
    """One problem for each knot of nodes that wait for one another; iterative, for graphs of any depth."""
    done: set[str] = set()
    for start in graph:
        if start in done or start not in reached:
            continue
        path: list[str] = [start]
        on_path = {start}
        branches = [iter([origin for _, origin, _ in links(graph, start)])]
        while branches:
            origin = next(branches[-1], None)
            if origin is None:
                branches.pop()
                node_id = path.pop()
                on_path.discard(node_id)
                done.add(node_id)
            elif origin in on_path:
                ring = path[path.index(origin) :]
                text = "nodes wait for one another: " + " ← ".join([*ring, origin][:12])
                yield _problem(graph, origin, "", "cycle", text, "Remove one of these links")
            elif origin in graph and origin not in done:
                path.append(origin)
                on_path.add(origin)
                branches.append(iter([found for _, found, _ in links(graph, origin)]))


def _problem(graph: Graph, node_id: str, name: str, kind: str, text: str, fix: str) -> Problem:
    return Problem(kind, text, fix, node_id, title(graph, node_id), name)

"""Checks that what is said to be an API graph is one: every node with a class and inputs that can be sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from comfytui.workflow.errors import WorkflowError

MAX_DEPTH = 64  # of lists and objects in one another; real inputs have less than ten
MAX_NODES = 20_000
NO_NODES = "Give a workflow in the API format: an object of nodes, each with class_type and inputs"


def checked(graph: Mapping[str, Any]) -> dict[str, Any]:
    """The graph with what means something, so that whoever gets it need not check. Raises WorkflowError."""
    if not graph:
        raise WorkflowError("has no nodes", fix=NO_NODES)
    if len(graph) > MAX_NODES:
        raise WorkflowError(f"has {len(graph)} nodes, and no workflow has more than {MAX_NODES}")
    nodes = {node_id: node for node_id, node in graph.items() if isinstance(node, dict) and "class_type" in node}
    if not nodes:
        raise WorkflowError("has no nodes", fix=NO_NODES)
    for node_id, node in graph.items():
        place = f"node {node_id[:80]}"
        if node_id not in nodes:
            # Some exporters add comments or a version beside the nodes; the server would refuse the whole prompt.
            raise WorkflowError("is not a node: it has no class_type", place=place, fix="Remove it, or export it again")
        if not isinstance(node["class_type"], str) or not node["class_type"]:
            raise WorkflowError("class_type is not a name", place=place, fix="Export the workflow again")
        if not isinstance(node.get("inputs", {}), dict):
            raise WorkflowError("inputs is not an object", place=place, fix="Export the workflow again")
    return {node_id: _node(node_id, node) for node_id, node in nodes.items()}


def _node(node_id: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a node that mean something. `is_changed` is dropped: servers leave NaN in it, and ignore it."""
    _sendable(node_id, node["class_type"], f"node {node_id[:80]}")
    inputs = dict(node.get("inputs", {}))
    for key, value in inputs.items():
        _sendable(key, value, f"node {node_id[:80]}, input {key[:80]}")
    kept: dict[str, Any] = {"inputs": inputs, "class_type": node["class_type"]}
    meta = node.get("_meta")
    if isinstance(meta, dict):
        _sendable("", meta, f"node {node_id[:80]}, _meta")
        kept["_meta"] = meta
    return kept


def _sendable(key: str, value: Any, place: str) -> None:
    """Refuse what cannot be sent as JSON in UTF-8: NaN, lone surrogates, endless nesting. Iterative on purpose."""
    waiting: list[tuple[Any, int]] = [(key, 0), (value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise WorkflowError("is nested too deeply", place=place, fix="Export the workflow again")
        if isinstance(each, float) and not math.isfinite(each):
            raise WorkflowError(f"{each} is not a number that can be sent", place=place, fix="Give a finite number")
        if isinstance(each, str):
            try:
                each.encode()
            except UnicodeEncodeError as error:
                raise WorkflowError("holds half a character", place=place, fix="Write the text again") from error
        elif isinstance(each, dict):
            waiting.extend((part, depth + 1) for pair in each.items() for part in pair)
        elif isinstance(each, list):
            waiting.extend((part, depth + 1) for part in each)

"""Keeps the two forms of a workflow together: what is embedded beside a changed graph, and what is written to a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfytui.workflow import convert
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert.rewiring import rewired
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph

UI, API = "ui", "api"


def embedded(found: Document, graph: Graph, object_info: ObjectInfo | None) -> Mapping[str, Any] | None:
    """The document's UI form with the values of this graph, for the picture that it makes to open in a browser.

    None if it has none, or no place for all that was changed: a wrong one is worse than none. Takes some milliseconds
    for each change: call it in a thread.
    """
    if found.workflow is None or graph == found.graph:
        return found.workflow
    if object_info is None:
        return None
    if graph.keys() != found.graph.keys():  # a LoRA more or less: other nodes, other links
        return rewired(found.workflow, found.graph, graph, object_info)
    changed = convert.with_widget_values(found.workflow, convert.changes(found.graph, graph), object_info)
    return None if changed.left else changed.workflow


def form_of(name: str, found: Document) -> str:
    """In which form a file of this name is written: as NAME.ui.json or NAME.api.json asks, else as the document was found."""
    lower = name.lower()
    for form in (UI, API):
        if lower.endswith(f".{form}.json"):
            return form
    return UI if found.source == "ui" else API


def to_write(name: str, found: Document, graph: Graph, object_info: ObjectInfo | None) -> Mapping[str, Any]:
    """What to write to a file of this name. Everything of the document's UI form is kept, known to us or not.

    Raises WorkflowError if it cannot be had in the UI form. Call it in a thread.
    """
    if form_of(name, found) == API:
        return graph
    fix = "Write it for a server: give it a name that ends in .api.json"
    if (workflow := embedded(found, graph, object_info)) is not None:
        return workflow
    if object_info is None:
        raise WorkflowError("the browser's form needs the server's nodes, which are not known yet", name=name, fix=fix)
    if found.workflow is not None and graph.keys() == found.graph.keys():
        left = convert.with_widget_values(found.workflow, convert.changes(found.graph, graph), object_info).left
        places = ", ".join(f"{place.input} of node {place.node_id}" for place in left[:4])
        raise WorkflowError(f"the browser's form has no place for what was changed: {places}", name=name, fix=fix)
    if found.workflow is not None:  # drawn anew, it would lose its notes, its groups, and what we do not know
        problem = "the browser's form has no place for the nodes that were added or taken out"
        raise WorkflowError(problem, name=name, fix=fix)
    return convert.to_ui(graph, object_info).workflow

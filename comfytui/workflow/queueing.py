"""The last step before a graph is queued: what only then is decided in its prompts and file names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from comfytui.workflow import dynamic, file_names, trace
from comfytui.workflow.catalog import ObjectInfo, declared
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, class_type, inputs, title
from comfytui.workflow.seeds import random_seed, seed_places
from comfytui.workflow.wildcards import Wildcards

Templates = dict[str, dict[str, str]]  # node id → input → what stood there


class Ready(msgspec.Struct, frozen=True):
    """A graph as it is sent, and the templates of those of its texts that had become something else."""

    graph: dict[str, Any]
    templates: Templates = {}


def ready(
    graph: Graph,
    object_info: ObjectInfo | None,
    wildcards: Wildcards,
    *,
    now: datetime,
    workflow: Mapping[str, Any] | None = None,
) -> Ready:
    """Expand prompts with the workflow's first seed, and fill in the names of files. Reads files: call it in a thread.

    Expanded are the inputs that the server declares as `dynamicPrompts`; without its catalogue, the prompts of the
    samplers. Raises WorkflowError with the place if a text cannot be expanded.
    """
    places = seed_places(graph)
    seed = inputs(graph, places[0].node_id)[places[0].input] if places else random_seed()
    made: dict[str, Any] = dict(graph)
    templates: Templates = {}
    for place in _texts(graph, object_info):
        text = inputs(graph, place.node_id)[place.input]
        try:
            became = dynamic.expand(text, dynamic.Chance(seed, f"{place.node_id}.{place.input}"), wildcards.lines)
        except WorkflowError as error:
            where = f"node {place.node_id} ({title(graph, place.node_id)}), {place.input}"
            place_of = f"{where}, {error.place}" if error.place else where
            raise WorkflowError(error.problem, place=place_of, fix=error.fix) from error
        _put(made, templates, place, text, became)
    names = file_names.names_in(workflow)
    for node_id in graph:
        for name, text in inputs(graph, node_id).items():
            if isinstance(text, str) and "%" in text and file_names.is_file_name(graph, node_id, name):
                became = file_names.expand(text, made, now, names)
                _put(made, templates, Place(node_id, name), text, became)
    return Ready(made, templates)


def may_change(graph: Graph) -> bool:
    """Whether `ready` could change anything: without that the server's catalogue is not needed."""
    return any(
        dynamic.is_dynamic(text) or ("%" in text and file_names.is_file_name(graph, node_id, name))
        for node_id in graph
        for name, text in inputs(graph, node_id).items()
        if isinstance(text, str)
    )


def with_templates(document: Document) -> dict[str, Any]:
    """The document's graph with the templates that it was made from, where they still have a place."""
    made: dict[str, Any] = dict(document.graph)
    for node_id, texts in document.templates.items():
        for name, text in texts.items():
            if isinstance(inputs(made, node_id).get(name), str):
                made[node_id] = {**made[node_id], "inputs": {**inputs(made, node_id), name: text}}
    return made


def _put(made: dict[str, Any], templates: Templates, place: Place, text: str, became: str) -> None:
    if became != text:
        made[place.node_id] = {**made[place.node_id], "inputs": {**inputs(made, place.node_id), place.input: became}}
        templates.setdefault(place.node_id, {})[place.input] = text


def _texts(graph: Graph, object_info: ObjectInfo | None) -> list[Place]:
    """The inputs whose text is expanded and could change by it."""
    found: list[Place] = []
    roles = trace.roles(graph) if object_info is None else {}
    for node_id in graph:
        known = declared(object_info, class_type(graph, node_id)) if object_info is not None else {}
        for name, value in inputs(graph, node_id).items():
            if not isinstance(value, str) or not dynamic.is_dynamic(value):
                continue
            spec = known.get(name)
            asked = spec is not None and spec.options.get("dynamicPrompts") is True
            if asked or roles.get(Place(node_id, name)) in ("positive", "negative"):
                found.append(Place(node_id, name))
    return found

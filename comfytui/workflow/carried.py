"""The files that a graph reads from the server's folders: what must be carried along when it runs on another server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.graph import Graph, class_type, inputs

UPLOADS = ("image_upload", "video_upload", "audio_upload", "file_upload")
_PLACE = re.compile(r"(?s)(.*?)(?: \[(input|output|temp)\])?")


class InputFile(msgspec.Struct, frozen=True):
    """A file named by an input: `filename` in `subfolder` of the server's folder `type`."""

    node_id: str
    input: str
    filename: str
    subfolder: str
    type: str


def input_files(graph: Graph, object_info: ObjectInfo) -> Iterator[InputFile]:
    """Those of the inputs into which pictures and the like are uploaded; links and empty values have none."""
    for node_id in graph:
        known = catalog.declared(object_info, class_type(graph, node_id))
        for name, value in inputs(graph, node_id).items():
            spec = known.get(name)
            if spec is None or not isinstance(value, str) or not value:
                continue
            if any(spec.options.get(each) is True for each in UPLOADS):
                yield _file(node_id, name, value)


def _file(node_id: str, name: str, value: str) -> InputFile:
    found = _PLACE.fullmatch(value)
    path, place = (found[1], found[2]) if found else (value, None)
    folder, _, filename = path.replace("\\", "/").rpartition("/")
    return InputFile(node_id, name, filename, folder, place or "input")


def with_values(graph: Graph, values: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A copy of the graph with other values, by (node, input)."""
    copy: dict[str, Any] = {
        node_id: {**node, "inputs": dict(inputs(graph, node_id))} for node_id, node in graph.items()
    }
    for (node_id, name), value in values.items():
        copy[node_id]["inputs"][name] = value
    return copy

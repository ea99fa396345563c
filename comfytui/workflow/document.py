"""Reads workflow documents, in every form in which an API graph is found, and writes them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from comfytui.workflow import png
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph

MAX_BYTES = 64 * 1024 * 1024  # of a JSON file; the largest published workflows have about 2 MB
MAX_PICTURE = 512 * 1024 * 1024
MAX_DEPTH = 64  # of lists and objects in one another; real inputs have less than ten
MAX_NODES = 20_000

EXPORT = "Export it in the API format (in ComfyUI's menu: File → Export (API)), or use a picture that it made"
NO_NODES = "Give a workflow in the API format: an object of nodes, each with class_type and inputs"


class Document(msgspec.Struct, frozen=True):
    """A workflow as it was found. `graph` is in API format, and well-formed: every node has a class and inputs."""

    name: str  # of the file, without its folder
    graph: dict[str, Any]
    workflow: dict[str, Any] | None = None  # in UI format, if the document carried it too
    source: str = "api"  # api | post body | history | queue | picture


def read(path: Path | str) -> Document:
    """Read a file: JSON in API format, a saved POST body, a history entry, or a picture with metadata.

    Raises WorkflowError for everything that can be wrong with it, also if it cannot be opened.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise WorkflowError("not a file", name=path.name, fix="Give the path of a workflow file")
        if size > MAX_PICTURE:
            raise WorkflowError(
                f"{size / 2**20:.0f} MiB is too large for a workflow", name=path.name, fix="Is it the right file?"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise WorkflowError("no such file", name=str(path), fix="Check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WorkflowError(f"cannot be read: {reason}", name=path.name, fix="Check the path") from error
    return parse(data, path.name)


def parse(data: bytes, name: str) -> Document:
    """The document in these bytes. `name` is used in errors and kept. Raises WorkflowError, and nothing else."""
    try:
        if data.startswith(png.SIGNATURE):
            return _from_texts(_png_texts(data), name)
        if data[:4] == b"RIFF" or data[:2] == b"\xff\xd8":
            return _from_texts(_exif_texts(data), name)
        if len(data) > MAX_BYTES:
            raise WorkflowError(f"larger than {MAX_BYTES // 2**20} MiB", fix="Is it the right file?")
        return _from_json(_loads(data), name)
    except WorkflowError as error:
        raise error.named(name) from error


def write(path: Path | str, graph: Graph, *, overwrite: bool = False) -> Path:
    """Write a graph as JSON in API format, whole or not at all. Raises WorkflowError; never replaces unasked."""
    path = Path(path)
    try:
        text = json.dumps(graph, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WorkflowError(f"cannot be written as JSON: {error}", name=path.name) from error
    if path.exists() and not overwrite:
        raise WorkflowError("exists already", name=path.name, fix="Choose another name, or allow to overwrite it")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        reason = error.strerror or str(error)
        raise WorkflowError(f"cannot be written: {reason}", name=str(path), fix="Choose another folder") from error
    return path


def _loads(data: bytes | str) -> Any:
    """JSON as it is found in the wild: with a byte-order mark, with NaN in what old servers left in metadata."""
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise WorkflowError(
            "not text", place=f"byte {error.start}", fix="Give a JSON file, or a picture that ComfyUI made"
        ) from error
    if not text.strip():
        raise WorkflowError("empty", fix=NO_NODES)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        problem = "ends in the middle: the file is incomplete" if cut else f"not JSON: {error.msg}"
        fix = "Save or copy it again" if cut else "Give a JSON file, or a picture that ComfyUI made"
        raise WorkflowError(problem, place=f"line {error.lineno}, column {error.colno}", fix=fix) from error
    except RecursionError as error:
        raise WorkflowError("lists and objects are nested too deeply for a workflow", fix="Export it again") from error
    except ValueError as error:  # an integer of thousands of digits
        raise WorkflowError(f"a number in it is too large: {error}", fix="Export it again") from error


def _from_json(found: Any, name: str, source: str = "api") -> Document:
    match found:
        case {"nodes": list(), "links": list()} | {"nodes": list(), "version": _}:
            raise WorkflowError("this is the UI format, which cannot be queued as it is", fix=EXPORT)
        case {"prompt": dict() as graph}:
            workflow = found.get("workflow") or _ui(found.get("extra_data"))
            return _document(name, graph, workflow, "post body" if source == "api" else source)
        case {"prompt": list() as item} | ([_, str(), dict(), *_] as item):
            return _from_item(item, name, "history" if isinstance(found, dict) else "queue")
        case {"prompt": str() as text}:  # metadata saved as text within JSON
            return _from_json({**found, "prompt": _loads(text)}, name, source)
        case {"workflow": {"nodes": list()}}:
            raise WorkflowError("it holds the UI format only, which cannot be queued as it is", fix=EXPORT)
        case dict() if found and all(_is_history_entry(value) for value in found.values()):
            if len(found) > 1:
                raise WorkflowError(f"a history of {len(found)} jobs, not one workflow", fix="Keep one entry of it")
            return _from_item(next(iter(found.values()))["prompt"], name, "history")
        case dict():
            return _document(name, found, None, source)
    raise WorkflowError("has no nodes", fix=NO_NODES)


def _is_history_entry(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("prompt"), list) and "class_type" not in value


def _from_item(item: list[Any], name: str, source: str) -> Document:
    """A queue item: number, prompt id, graph, extra data, outputs."""
    match item:
        case [_, _, dict() as graph, *rest]:
            return _document(name, graph, _ui(rest[0] if rest else None), source)
    raise WorkflowError("the prompt of this entry is not one", fix="Take the entry from /history again")


def _ui(extra_data: Any) -> Any:
    match extra_data:
        case {"extra_pnginfo": {"workflow": dict() as workflow}}:
            return workflow
    return None


def _document(name: str, graph: dict[str, Any], workflow: Any, source: str) -> Document:
    """Check the form of every node, so that whoever gets a Document need not."""
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
    clean = {node_id: _node(node_id, node) for node_id, node in nodes.items()}
    return Document(name=name, graph=clean, workflow=workflow if isinstance(workflow, dict) else None, source=source)


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


def _png_texts(data: bytes) -> dict[str, str]:
    try:
        return png.texts(data)
    except ValueError as error:
        raise WorkflowError(str(error), fix="Use another picture, or the workflow's JSON file") from error


def _exif_texts(data: bytes) -> dict[str, str]:
    """The `prompt:` and `workflow:` strings that ComfyUI writes to the EXIF of WEBP (and tools to that of JPEG)."""
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("WEBP", "JPEG")) as picture:
            strings = [value for value in picture.getexif().values() if isinstance(value, str)]
    except Exception as error:  # Pillow raises whatever its plugins do on a damaged file: SyntaxError, struct.error, …
        raise WorkflowError(f"the picture cannot be read: {error}", fix="Use another picture") from error
    found: dict[str, str] = {}
    for text in strings:
        key, colon, rest = text.partition(":")
        if colon and key in ("prompt", "workflow") and len(rest) <= png.MAX_TEXT:
            found.setdefault(key, rest)
    return found


def _from_texts(texts: Mapping[str, str], name: str) -> Document:
    """`prompt` is what really ran, so it is preferred to `workflow`."""
    if "prompt" in texts:
        graph = _loads(texts["prompt"])
        workflow: Any = None
        if "workflow" in texts:
            # The UI form is only carried along: a damaged one must not keep the prompt from running again.
            with contextlib.suppress(WorkflowError):
                workflow = _loads(texts["workflow"])
        return _from_json({"prompt": graph, "workflow": workflow}, name, "picture")
    if "workflow" in texts:
        raise WorkflowError("the picture holds the UI format only, which cannot be queued as it is", fix=EXPORT)
    if "parameters" in texts:
        raise WorkflowError("the picture holds parameters of another program, and no workflow", fix=EXPORT)
    raise WorkflowError("the picture holds no workflow", fix="Use a picture that ComfyUI saved with its metadata")

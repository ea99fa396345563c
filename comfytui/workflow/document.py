"""Reads workflow documents, in every form in which a workflow is found, and writes them."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from comfytui.workflow import embedded
from comfytui.workflow.embedded import Embedded, Parameters
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph
from comfytui.workflow.json_text import MAX_BYTES, kept, loads
from comfytui.workflow.nodes import MAX_NODES, NO_NODES, checked

MAX_PICTURE = 512 * 1024 * 1024  # bytes of what is read whole, as from standard input; files are read by seeking
SUFFIXES = (".json", *embedded.SUFFIXES)  # of the files that can be read
ONE = "Keep one entry of it"
OTHER = "Use one that ComfyUI saved with its metadata, or the workflow's JSON file"
PARAMETERS = ("parameters", "usercomment", "comment", "description", "imagedescription")
COMMENTS = ("comment", "metadata", "description", "usercomment", "imagedescription")  # where tools put both forms
PROGRAMS = {
    "invokeai_metadata": "InvokeAI",
    "invokeai_graph": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "dream": "InvokeAI",
    "fooocus_scheme": "Fooocus",
    "draw things": "Draw Things",
}


class Document(msgspec.Struct, frozen=True):
    """A workflow as it was found: to be run (`graph`), to be edited in a browser (`workflow`), or both.

    `graph` is in API format and well-formed: every node has a class and inputs. It is empty if only the UI form was
    found, which `workflow.convert` makes a graph of, given the server's declarations.
    """

    name: str  # of the file, without its folder
    graph: dict[str, Any]
    workflow: dict[str, Any] | None = None  # in UI format
    source: str = "api"  # api | ui | post body | history | queue | picture | film | sound | scene | file
    parameters: Parameters | None = None  # what another program wrote beside it
    templates: dict[str, dict[str, str]] = {}  # node → input → the text that it was made from: with choices, wildcards

    @property
    def form(self) -> str:
        """`api` if it can be run as it is, `ui` if it must be converted first."""
        return "api" if self.graph else "ui"


class NotAWorkflowError(WorkflowError):
    """A picture of another program: it tells its `parameters`, and no workflow."""

    parameters: Parameters

    def named(self, name: str) -> NotAWorkflowError:
        """The same error, with the document's name."""
        return _of_another(self.parameters, self.problem, name)


def read(source: Path | str | bytes, name: str = "") -> Document:
    """The workflow in a file (a path) or in bytes. `name` is kept and used in errors; the file's own by default.

    Read are JSON in the API format or the UI format, a body of POST /prompt, an entry of the history or of the queue, and
    what pictures, films, sounds and saved latents carry (see `embedded`). Of these only headers are read. A file that
    carries both forms gives both.

    Raises WorkflowError for everything that can be wrong with it, also if it cannot be opened; NotAWorkflowError if it
    has the parameters of another program.
    """
    if isinstance(source, bytes):
        return parse(source, name or "the given bytes")
    path = Path(source)
    name = name or path.name
    with _opened(path) as file:
        return _found(file, os.fstat(file.fileno()).st_size, name)


def parse(data: bytes, name: str) -> Document:
    """The document in these bytes. `name` is used in errors and kept. Raises WorkflowError, and nothing else."""
    return _found(BytesIO(data), len(data), name)


def read_stream(stream: BinaryIO, name: str = "stdin") -> Document:
    """The document that standard input, or any other stream, holds. Raises WorkflowError."""
    data = stream.read(MAX_PICTURE + 1)
    if len(data) > MAX_PICTURE:
        raise WorkflowError(f"larger than {MAX_PICTURE >> 20} MiB", name=name, fix="Give the path of the file instead")
    return parse(data, name)


def embedded_in(source: Path | str | bytes) -> Embedded | None:
    """All texts that a picture or the like carries, also where no workflow is among them; None for other files.

    Raises WorkflowError if it cannot be opened.
    """
    if isinstance(source, bytes):
        return embedded.find(BytesIO(source), len(source))
    with _opened(Path(source)) as file:
        return embedded.find(file, os.fstat(file.fileno()).st_size)


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


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file; a pipe or a device could keep us waiting, or never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise WorkflowError("not a file", name=path.name, fix="Give the path of a workflow file")
        file = path.open("rb", buffering=0)  # headers are a few bytes each, far from one another
    except FileNotFoundError as error:
        raise WorkflowError("no such file", name=str(path), fix="Check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WorkflowError(f"cannot be read: {reason}", name=path.name, fix="Check the path") from error
    with file:
        yield file


def _found(file: BinaryIO, size: int, name: str) -> Document:
    try:
        carried = embedded.find(file, size)
        if carried is not None:
            return _from_embedded(carried, name)
        if size > MAX_BYTES:
            raise WorkflowError(
                f"{size / 2**20:.0f} MiB is too large: larger than {MAX_BYTES >> 20} MiB", fix="Is it the right file?"
            )
        file.seek(0)
        return _from_json(loads(_whole(file, size)), name)
    except WorkflowError as error:
        raise error.named(name) from error
    except OSError as error:
        raise WorkflowError(f"cannot be read: {error.strerror or error}", name=name, fix="Check the disk") from error


def _whole(file: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):  # unbuffered reads can be short
        data += more
    return data


def _from_json(found: Any, name: str, source: str = "") -> Document:
    match found:
        case {"nodes": list()}:
            return Document(name, {}, _workflow(found), source or "ui")
        case {"prompt": dict() as graph}:
            workflow = found.get("workflow") or _ui(found.get("extra_data"))
            templates = _templates(found.get("extra_data")) or templates_in(found.get("comfytui"))
            return _document(name, graph, workflow, source or "post body", templates)
        case {"prompt": list() as item} | ([_, str(), dict(), *_] as item):
            return _from_item(item, name, source or ("history" if isinstance(found, dict) else "queue"))
        case {"prompt": str() as text}:  # metadata saved as text within JSON
            return _from_json({**found, "prompt": loads(text)}, name, source)
        case {"workflow": str() as text}:
            return _from_json({**found, "workflow": loads(text)}, name, source)
        case {"workflow": {"prompt": dict()} as body}:  # of /api/jobs
            return _from_json(body, name, source or "history")
        case {"workflow": {"nodes": list()} as workflow}:
            return Document(name, {}, _workflow(workflow), source or "ui")
        case {"queue_running": list() as running, "queue_pending": list() as pending}:
            items = [*running, *pending]
            if len(items) != 1 or not isinstance(items[0], list):
                raise WorkflowError(f"a queue of {len(items)} jobs, not one workflow", fix=ONE)
            return _from_item(items[0], name, "queue")
        case dict() if found and all(_is_history_entry(value) for value in found.values()):
            if len(found) > 1:
                raise WorkflowError(f"a history of {len(found)} jobs, not one workflow", fix=ONE)
            return _from_item(next(iter(found.values()))["prompt"], name, "history")
        case dict():
            return _document(name, found, None, source or "api")
    raise WorkflowError("has no nodes", fix=NO_NODES)


def _is_history_entry(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("prompt"), list) and "class_type" not in value


def _from_item(item: list[Any], name: str, source: str) -> Document:
    """A queue item: number, prompt id, graph, extra data, outputs."""
    match item:
        case [_, _, dict() as graph, *rest]:
            extra = rest[0] if rest else None
            return _document(name, graph, _ui(extra), source, _templates(extra))
    raise WorkflowError("the prompt of this entry is not one", fix="Take the entry from /history again")


def _ui(extra_data: Any) -> Any:
    match extra_data:
        case {"extra_pnginfo": {"workflow": dict() as workflow}}:
            return workflow
    return None


def _templates(extra_data: Any) -> dict[str, dict[str, str]]:
    match extra_data:
        case {"extra_pnginfo": {"comfytui": told}}:
            return templates_in(told)
    return {}


def templates_in(told: Any) -> dict[str, dict[str, str]]:
    """The templates in what this program writes beside a prompt, decoded or as JSON; none for anything else."""
    if isinstance(told, str):
        with contextlib.suppress(WorkflowError):  # a damaged one must not keep the graph from running
            told = loads(told)
    match told:
        case {"templates": dict() as found}:
            return {
                node_id: {name: text for name, text in texts.items() if isinstance(text, str)}
                for node_id, texts in found.items()
                if isinstance(texts, dict)
            }
    return {}


def _document(
    name: str,
    graph: Mapping[str, Any],
    workflow: Any,
    source: str,
    templates: Mapping[str, dict[str, str]] | None = None,
) -> Document:
    carried = None
    if isinstance(workflow, str):
        with contextlib.suppress(WorkflowError):
            workflow = loads(workflow)
    if isinstance(workflow, dict):
        # The UI form is only carried along: a damaged one must not keep the graph from running.
        with contextlib.suppress(WorkflowError):
            carried = _workflow(workflow)
    return Document(name, checked(graph), carried, source, templates=dict(templates or {}))


def _workflow(found: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow in UI form, as it can be sent. What its nodes say is for the conversion to judge."""
    nodes = found.get("nodes")
    if isinstance(nodes, list) and len(nodes) > MAX_NODES:
        raise WorkflowError(f"has {len(nodes)} nodes, and no workflow has more than {MAX_NODES}")
    result: dict[str, Any] = kept(found)
    return result


def _from_embedded(carried: Embedded, name: str) -> Document:
    """`prompt` is what really ran; both are kept."""
    texts = carried.texts
    parameters = next((each for key in PARAMETERS if (each := embedded.parameters(texts.get(key, "")))), None)
    if parameters is None and "parameters" in texts:
        parameters = Parameters(texts["parameters"])
    problem: WorkflowError | None = carried.damage
    document: Document | None = None
    for key in ("prompt", "workflow", *COMMENTS):
        text = texts.get(key, "")
        if not text.lstrip().startswith(("{", "[")):
            continue
        try:
            found: Any = loads(text)
            if key == "prompt":
                found = {"prompt": found, "workflow": texts.get("workflow"), "comfytui": texts.get("comfytui")}
            document = _from_json(found, name, carried.name)
            break
        except WorkflowError as error:
            where = f"the text {key!r}, {error.place}" if error.place else f"the text {key!r}"
            problem = problem or WorkflowError(error.problem, place=where, fix=error.fix)
    if document is not None:
        return msgspec.structs.replace(document, parameters=parameters)
    if parameters is not None:
        raise _of_another(parameters, f"the {carried.name} holds parameters of another program, and no workflow")
    if problem is not None:
        raise problem
    for key, program in PROGRAMS.items():
        if key in texts:
            raise WorkflowError(f"the {carried.name} is from {program}: it holds no workflow", fix=OTHER)
    raise WorkflowError(f"the {carried.name} holds no workflow", fix=OTHER)


def _of_another(parameters: Parameters, problem: str, name: str = "") -> NotAWorkflowError:
    fix = "Set its prompt and values in a workflow of your own; comfytui inspect shows them"
    error = NotAWorkflowError(problem, name=name, fix=fix)
    error.parameters = parameters
    return error

"""Where a workflow is, as a user writes it: a file, standard input, or something that the connected server has.

A server's things are written as in the browser (`http://host:8188/view?filename=…`, `…/history/ID`), or short:
`server:output/name.png`, `server:input/…`, `server:temp/…`, `server:history/ID`, `server:workflows/name.json`.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from comfytui.workflow.errors import WorkflowError

FOLDERS = ("output", "input", "temp")
SHORT = "server:"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
WAYS = "Give a link of /view or /history, or server:output/NAME, server:history/ID, server:workflows/NAME"
MAX_ADDRESS = 4000
_ID = re.compile(r"[\w.:-]{1,200}")


class Local(msgspec.Struct, frozen=True):
    """A file of this disk."""

    path: Path


class Stdin(msgspec.Struct, frozen=True):
    """Standard input."""


class Served(msgspec.Struct, frozen=True):
    """A file of the server: what `/view` is asked for."""

    filename: str
    subfolder: str = ""
    type: str = "output"


class Ran(msgspec.Struct, frozen=True):
    """A job of the server's history."""

    prompt_id: str


class UserWorkflow(msgspec.Struct, frozen=True):
    """A workflow that the server keeps for its user; `path` is below its folder `workflows`."""

    path: str


Address = Local | Stdin | Served | Ran | UserWorkflow


def is_remote(text: str) -> bool:
    """Whether this is meant to be something of a server, rather than a file here."""
    return text.startswith(SHORT) or re.match(r"(?i)https?:/", text) is not None


def address(text: str, server: str = "") -> Address:
    """What is meant. `server` is the address of the connected one, without which nothing of a server can be named.

    Raises WorkflowError: for another server's things (only the connected one is asked, with the user's credentials),
    and for what leads out of the server's folders.
    """
    if text == "-":
        return Stdin()
    if not is_remote(text):
        return _local(text)
    shown = text[:120]
    if len(text) > MAX_ADDRESS or "\0" in text:
        raise WorkflowError("is no address", name=shown, fix=WAYS)
    if text.startswith(SHORT):
        return _short(text[len(SHORT) :], shown)
    # A path that was made of it has lost one of its slashes.
    parts = _split(re.sub(r"^(?i:(https?)):/+", r"\1://", text), shown)
    prefix = _on_server(parts, server, shown)
    path = parts.path[len(prefix) :]
    route = path.removeprefix("/api") if path.startswith("/api/") else path
    if route == "/view":
        query = parse_qs(parts.query)
        name, folder, kind = (
            query.get(key, [default])[0] for key, default in (("filename", ""), ("subfolder", ""), ("type", "output"))
        )
        return _served(name, folder, kind, shown)
    for start in ("/history/", "/jobs/"):
        if route.startswith(start):
            return _ran(unquote(route[len(start) :]), shown)
    if route.startswith("/userdata/workflows"):
        return _user(unquote(route[len("/userdata/workflows") :]).lstrip("/"), shown)
    raise WorkflowError("is no workflow of the server", name=shown, fix=WAYS)


def _local(text: str) -> Local:
    try:
        return Local(Path(text).expanduser())
    except RuntimeError as error:  # ~name of nobody
        raise WorkflowError(f"cannot be found: {error}", name=text[:120], fix="Check the path") from error


def _short(text: str, shown: str) -> Address:
    kind, slash, rest = text.partition("/")
    if slash and kind in FOLDERS:
        folder, _, filename = rest.rpartition("/")
        return _served(filename, folder, kind, shown)
    if slash and kind == "history":
        return _ran(rest, shown)
    if slash and kind == "workflows":
        return _user(rest, shown)
    raise WorkflowError("is no workflow of the server", name=shown, fix=WAYS)


def _on_server(parts: SplitResult, server: str, shown: str) -> str:
    """The path before the server's routes. Raises WorkflowError if the link is of another server."""
    if not server:
        raise WorkflowError("no server is connected", name=shown, fix="Connect to it first, or download the file")
    own = _split(server, server)
    if _host(parts) != _host(own):
        problem = (
            f"is on {parts.netloc.rpartition('@')[2]}, and the connected server is {own.netloc.rpartition('@')[2]}"
        )
        raise WorkflowError(problem, name=shown, fix="Connect to that one, or download the file and open it")
    prefix = own.path.rstrip("/")
    if not parts.path.startswith(f"{prefix}/"):
        raise WorkflowError(f"is not below {prefix}/, where the server is", name=shown, fix=WAYS)
    return prefix


def _host(parts: SplitResult) -> tuple[str, str, int]:
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, "localhost" if host in LOOPBACK else host, port


def _split(text: str, shown: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises if it is none
    except ValueError as error:
        raise WorkflowError(f"is no address: {error}", name=shown, fix=WAYS) from error
    return parts


def _served(filename: str, subfolder: str, folder: str, shown: str) -> Served:
    if folder not in FOLDERS:
        raise WorkflowError(f"has no folder {folder[:40]!r}", name=shown, fix=f"Give one of {', '.join(FOLDERS)}")
    if not filename or "/" in filename or "\\" in filename or not _inside(filename) or not _inside(subfolder):
        raise WorkflowError("names no file in the server's folder", name=shown, fix=WAYS)
    return Served(filename, subfolder, folder)


def _ran(prompt_id: str, shown: str) -> Ran:
    if not _ID.fullmatch(prompt_id) or prompt_id.strip(".") == "":
        raise WorkflowError("names no job", name=shown, fix="Give server:history/ and the id of a job")
    return Ran(prompt_id)


def _user(path: str, shown: str) -> UserWorkflow:
    if not path or not _inside(path):
        raise WorkflowError("names no workflow of the server", name=shown, fix="Give server:workflows/ and its name")
    return UserWorkflow(path)


def _inside(path: str) -> bool:
    """Whether a path stays in its folder."""
    parts = path.replace("\\", "/").split("/")
    return (
        not path.startswith(("/", "\\")) and ".." not in parts and "\0" not in path and not re.match(r"[A-Za-z]:", path)
    )

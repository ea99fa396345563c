"""The workflow files of this disk and of the server: found first, read later, each with what it is about or why not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from comfytui.client import sanitize
from comfytui.client.userdata import UserFile
from comfytui.workflow import document
from comfytui.workflow.document import Document
from comfytui.workflow.embedded import SUFFIXES
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import inputs
from comfytui.workflow.identity import shape
from comfytui.workflow.remedies import MODEL_FILE
from comfytui.workflow.summary import Facts, facts
from comfytui.workflow.ui_form import ui_form

MAX_FILES: Final = 20_000  # a folder of more is somebody's home; the list says that it was cut
MAX_DEPTH: Final = 6  # folders in folders
MAX_LISTED_BYTES: Final = 8 << 20  # larger ones are read when they are opened, not to list them
SERVER: Final = "server"  # the group of the server's own files
LISTED: Final = (".json", *(each for each in SUFFIXES if each != ".safetensors"))  # those mostly are models


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One file, without its graph: thousands of graphs would fill the memory. All text in it is clean."""

    path: Path  # on the server: below its folder of workflows
    group: str  # the folder it was found in, "recent", or "server"
    name: str  # relative to that folder
    stamp: tuple[int, int] = (0, 0)  # (nanoseconds, bytes): the same stamp is the same file
    form: str = ""  # api: it can be run; ui: once the server has told of its nodes; "": not read yet, or not usable
    unread: bool = False
    facts: Facts = Facts()
    classes: tuple[str, ...] = ()  # of its nodes
    models: tuple[str, ...] = ()  # files that it names
    shape: str = ""  # which workflow it is, whatever its values
    error: str = ""
    fix: str = ""
    on_server: str = ""  # the raw path there; "" for a file of this disk

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{SERVER}:{self.on_server}" if self.on_server else str(self.path)

    @property
    def runnable(self) -> bool:
        return bool(self.form)

    @property
    def empty(self) -> bool:
        """A picture, film or the like without a workflow: there are many, and they are none of ours."""
        return bool(self.error) and not self.form and not self.name.lower().endswith(".json")


class Found(msgspec.Struct, frozen=True):
    """What a search found. `notes` say what could not be searched."""

    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()


def scan(folders: Iterable[tuple[str, Path]], recent: Iterable[Path] = (), known: Iterable[Entry] = ()) -> Found:
    """Every workflow file in the named folders, and the recent files that lie elsewhere; none is read.

    Blocking: run it in a thread (10,000 files take some 0.1 s). Files with the stamp they had in `known` keep what was
    read of them. Never raises for what a disk can hold: a bad file is an entry with its reason, a missing folder a note.
    """
    cache = {(entry.path, entry.stamp): entry for entry in known if not entry.unread and not entry.on_server}
    entries: list[Entry] = []
    notes: list[str] = []
    seen: set[Path] = set()
    for group, folder in folders:
        shown = sanitize.line(group)
        if not folder.is_dir():
            notes.append(f"{shown}: no such folder")
            continue
        for path in _files(folder, notes, shown):
            if len(entries) >= MAX_FILES:
                notes.append(f"only the first {MAX_FILES:,} files are listed")
                break
            if path not in seen:  # a folder within another one
                seen.add(path)
                entries.append(_entry(path, shown, str(path.relative_to(folder)), cache))
    for path in recent:
        if path not in seen and path.is_file():
            seen.add(path)
            entries.append(_entry(path, "recent", at_home(path), cache))
    return Found(tuple(entries), tuple(notes))


def filled(entries: Sequence[Entry]) -> list[Entry]:
    """The same files, read. Blocking: run it in a thread, with few at a time."""
    return [_read(entry, MAX_LISTED_BYTES) for entry in entries]


def read(path: Path, group: str = "recent") -> Entry:
    """Read one file; never raises, see `Entry.error`."""
    entry = _entry(path, group, at_home(path), {})
    return _read(entry, document.MAX_PICTURE)


def with_error(entry: Entry, error: str) -> Entry:
    """The entry with why it could not be read this time."""
    return msgspec.structs.replace(entry, error=sanitize.line(error), unread=False)


def server_entries(files: Iterable[UserFile], known: Iterable[Entry] = ()) -> list[Entry]:
    """The server's files, none of them read; what was read of an unchanged one is kept."""
    cache = {(entry.on_server, entry.stamp): entry for entry in known if entry.on_server and not entry.unread}
    found = []
    for file in files:
        if file.path.lower().endswith(".json") and not file.path.rpartition("/")[2].startswith("."):
            name, stamp = sanitize.line(file.path), (int(file.modified * 1e9), file.size)
            fresh = Entry(Path(name), SERVER, name, stamp, unread=True, on_server=file.path)
            found.append(cache.get((file.path, stamp), fresh))
    return found


def of_bytes(entry: Entry, data: bytes) -> Entry:
    """The entry with what its bytes say. Blocking; never raises."""
    entry = msgspec.structs.replace(entry, unread=False)
    try:
        found = document.parse(data, entry.path.name)
    except WorkflowError as error:
        return _unusable(entry, error)
    return _usable(entry, found)


def _files(folder: Path, notes: list[str], group: str) -> Iterator[Path]:
    """The files below a folder that can hold a workflow, by name. Links are followed, but no folder is entered twice: they can lead in
    circles.
    """
    entered: set[tuple[int, int]] = set()
    waiting = [(folder, 0)]
    while waiting:
        top, depth = waiting.pop()
        try:
            status = top.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(top) as listed:
                found = sorted((each for each in listed if not each.name.startswith(".")), key=lambda each: each.name)
        except OSError as error:
            notes.append(f"{group}: {sanitize.line(error.strerror or str(error))}: {sanitize.line(top.name)}")
            continue
        below = []
        for each in found:
            if each.name.lower().endswith(LISTED):
                yield top / each.name
            elif depth < MAX_DEPTH and each.is_dir():
                below.append((top / each.name, depth + 1))
        waiting.extend(reversed(below))


def _entry(path: Path, group: str, name: str, cache: dict[tuple[Path, tuple[int, int]], Entry]) -> Entry:
    name = sanitize.line(name)
    try:
        status = path.stat()
    except OSError as error:
        return Entry(path, group, name, error=sanitize.line(error.strerror or str(error)))
    stamp = (status.st_mtime_ns, status.st_size)
    if (known := cache.get((path, stamp))) is not None:
        return msgspec.structs.replace(known, group=group, name=name)
    return Entry(path, group, name, stamp, unread=True)


def _read(entry: Entry, limit: int) -> Entry:
    if entry.error:
        return entry
    entry = msgspec.structs.replace(entry, unread=False)
    if entry.stamp[1] > limit and entry.name.lower().endswith(".json"):  # of others only headers are read
        said = f"{entry.stamp[1] >> 20} MiB: too large to list"
        return msgspec.structs.replace(entry, error=said, fix="Open it with o")
    try:
        found = document.read(entry.path)
    except WorkflowError as error:
        return _unusable(entry, error)
    return _usable(entry, found)


def _usable(entry: Entry, found: Document) -> Entry:
    if found.form == "ui":
        return _of_page(entry, found.workflow or {})
    clean = sanitize.json_value(found.graph)
    models = dict.fromkeys(
        value
        for node_id in clean
        for value in inputs(clean, node_id).values()
        if isinstance(value, str) and len(value) < 300 and MODEL_FILE.search(value)
    )
    return msgspec.structs.replace(
        entry,
        form="api",
        facts=facts(clean, entry.path.stem),
        classes=tuple(node["class_type"] for node in clean.values()),
        models=tuple(models),
        shape=shape(clean),
    )


def _of_page(entry: Entry, workflow: dict[str, Any]) -> Entry:
    """What a workflow in UI form is about, as far as it can be told without a server."""
    entry = msgspec.structs.replace(entry, form="ui")
    seen = ui_form(sanitize.json_value(workflow), entry.path.stem)
    if seen is None:
        return entry
    return msgspec.structs.replace(entry, facts=seen.facts, classes=seen.classes, models=seen.models)


def _unusable(entry: Entry, error: WorkflowError) -> Entry:
    """Why it cannot be run."""
    why = sanitize.line(f"{error.place}: {error.problem}" if error.place else error.problem)
    return msgspec.structs.replace(entry, error=why, fix=sanitize.line(error.fix))


def at_home(path: Path) -> str:
    """The path with ~ for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)

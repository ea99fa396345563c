"""The workflow files on this disk: found in folders and among recent ones, each read or with the reason why not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from comfytui.client import sanitize
from comfytui.workflow import document
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.summary import Facts, facts

MAX_FILES: Final = 2000  # a folder of more is somebody's home; the list says that it was cut
MAX_DEPTH: Final = 4  # folders in folders
MAX_LISTED_BYTES: Final = 8 << 20  # larger ones are read when they are opened, not to list them


class Entry(msgspec.Struct, frozen=True):
    """One file. All text in it is clean; `document` is not, it is what will be submitted."""

    path: Path
    group: str  # the folder it was found in, or "recent"
    name: str  # relative to that folder
    stamp: tuple[int, int] = (0, 0)  # (nanoseconds, bytes): the same stamp is the same file
    document: Document | None = None
    facts: Facts = Facts()
    classes: tuple[str, ...] = ()  # of its nodes
    error: str = ""
    fix: str = ""


class Found(msgspec.Struct, frozen=True):
    """What a search found. `notes` say what could not be searched."""

    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()


def find(folders: Iterable[tuple[str, Path]], recent: Iterable[Path] = (), known: Found | None = None) -> Found:
    """Every workflow file in the named folders, and the recent files that lie elsewhere.

    Blocking: run it in a thread. Files with the stamp they had in `known` are not read again. Never raises for what a
    disk can hold: a bad file is an entry with its reason, a missing folder a note.
    """
    cache = {(entry.path, entry.stamp): entry for entry in (known.entries if known else ())}
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
            seen.add(path)
            entries.append(_entry(path, shown, str(path.relative_to(folder)), cache))
    for path in recent:
        if path not in seen and path.is_file():
            seen.add(path)
            entries.append(_entry(path, "recent", _at_home(path), cache))
    return Found(tuple(entries), tuple(notes))


def read(path: Path, group: str = "recent") -> Entry:
    """Read one file; never raises, see `Entry.error`."""
    return _entry(path, group, _at_home(path), {}, limit=document.MAX_PICTURE)


def _files(folder: Path, notes: list[str], group: str) -> Iterator[Path]:
    """The JSON files below a folder, by name. Links to folders are not followed: they can lead in circles."""

    def cannot(error: OSError) -> None:
        notes.append(f"{group}: {sanitize.line(error.strerror or str(error))}")

    for top, below, files in os.walk(folder, onerror=cannot):
        depth = len(Path(top).relative_to(folder).parts)
        below[:] = sorted(name for name in below if not name.startswith(".")) if depth < MAX_DEPTH else []
        yield from (Path(top, name) for name in sorted(files) if name.lower().endswith(".json") and name[0] != ".")


def _entry(
    path: Path, group: str, name: str, cache: dict[tuple[Path, tuple[int, int]], Entry], limit: int = MAX_LISTED_BYTES
) -> Entry:
    name = sanitize.line(name)
    try:
        status = path.stat()
    except OSError as error:
        return Entry(path, group, name, error=sanitize.line(error.strerror or str(error)))
    stamp = (status.st_mtime_ns, status.st_size)
    if (known := cache.get((path, stamp))) is not None:
        return msgspec.structs.replace(known, group=group, name=name)
    if status.st_size > limit:
        return Entry(
            path, group, name, stamp, error=f"{status.st_size >> 20} MiB: too large to list", fix="Open it with o"
        )
    try:
        found = document.read(path)
    except WorkflowError as error:
        return Entry(path, group, name, stamp, error=sanitize.line(_why(error)), fix=sanitize.line(error.fix))
    clean = sanitize.json_value(found.graph)
    classes = tuple(node["class_type"] for node in clean.values())
    return Entry(path, group, name, stamp, found, facts(clean, path.stem), classes)


def _why(error: WorkflowError) -> str:
    return f"{error.place}: {error.problem}" if error.place else error.problem


def _at_home(path: Path) -> str:
    """The path with ~ for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)

"""The inputs of workflows that were marked as favourites, with the names they were given; kept in the state folder.

A workflow is known by its shape (`workflow.identity.shape`): with another prompt or seed it keeps its favourites.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from comfytui.settings.files import state_dir, write_whole

NAME = "favourites.json"
MAX_BYTES = 4 * 1024 * 1024
MAX_WORKFLOWS = 500  # the oldest are forgotten first
MAX_NAME = 60  # letters

Favourites = dict[str, str]  # "node.input" → name; "" for the usual one


class _File(msgspec.Struct):
    workflows: dict[str, Favourites] = {}  # newest last


def of(shape: str, path: Path | None = None) -> Favourites:
    """The favourites of a workflow; none if the file is damaged or absent. Reads a file: some milliseconds."""
    return dict(_read(path or state_dir() / NAME).workflows.get(shape, {})) if shape else {}


def keep(shape: str, favourites: Favourites, path: Path | None = None) -> None:
    """Remember the favourites of a workflow in place of those before; none of them forgets it. Raises OSError."""
    if not shape:
        return
    path = path or state_dir() / NAME
    held = _read(path)
    held.workflows.pop(shape, None)
    if favourites:
        held.workflows[shape] = {place: name[:MAX_NAME] for place, name in favourites.items()}
    for oldest in list(held.workflows)[: max(0, len(held.workflows) - MAX_WORKFLOWS)]:
        del held.workflows[oldest]
    write_whole(path, msgspec.json.format(msgspec.json.encode(held)))


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_BYTES), type=_File)
    except (OSError, msgspec.DecodeError, RecursionError):  # nothing in it is worth an error
        return _File()

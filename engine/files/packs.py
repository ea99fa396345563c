"""What the folders of custom node packs hold for a front end: workflow templates, translations and subgraphs.

Only files are read here, and none of a pack's code: a pack whose nodes cannot be loaded still shows its templates. The
places in a pack's folder are those that ComfyUI's documentation for authors of packs names.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files.safe import UnsafeNameError, inside

log = logging.getLogger(__name__)

_TEMPLATES = ("example_workflows", "example", "examples", "workflow", "workflows")
_TRANSLATIONS = "locales"
_MAIN, _PARTS = "main", ("commands", "nodeDefs", "settings")  # the first is merged, the others lie below their name
_SUBGRAPHS = "subgraphs"
_MAX_FILE = 8 * 1024 * 1024  # bytes of a JSON file
_MAX_FILES = 2_000  # of one kind in one pack


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A workflow that stands for a node. `id` is the same at every start, as long as the file stays where it is."""

    id: str
    name: str
    pack: str
    path: Path


def packs(roots: Sequence[Path]) -> dict[str, Path]:
    """Name → folder of every pack; of two with a name the first counts."""
    found: dict[str, Path] = {}
    for root in roots:
        for folder in _children(root):
            if folder.is_dir() and folder.name[0] not in "._" and not folder.name.endswith(".disabled"):
                found.setdefault(folder.name, folder)
    return found


def templates(roots: Sequence[Path]) -> dict[str, list[str]]:
    """Pack → the names of its workflows, without `.json`. Packs without any are left out."""
    found = {}
    for pack, folder in packs(roots).items():
        names = {path.stem for place in _TEMPLATES for path in _json_files(folder / place)}
        if names:
            found[pack] = sorted(names)
    return found


def template_file(roots: Sequence[Path], pack: str, name: str) -> Path | None:
    """A workflow of a pack, or a picture beside it; None if there is none. `name` comes from a client."""
    folder = packs(roots).get(pack)
    for place in _TEMPLATES if folder is not None else ():
        assert folder is not None  # noqa: S101 - there is a place
        try:
            path = inside(folder / place, name)
        except UnsafeNameError:
            return None
        if path.is_file():
            return path
    return None


def translations(roots: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Language → what all packs say in it, merged; the later pack wins where two say the same thing."""
    said: dict[str, dict[str, Any]] = {}
    for folder in packs(roots).values():
        for language in _children(folder / _TRANSLATIONS):
            if not language.is_dir():
                continue
            own = _object(language / f"{_MAIN}.json")
            own |= {part: content for part in _PARTS if (content := _object(language / f"{part}.json"))}
            if own:
                said[language.name] = _merged(said.get(language.name, {}), own)
    return said


def subgraphs(roots: Sequence[Path]) -> dict[str, Subgraph]:
    """Id → subgraph, of all packs."""
    found = {}
    for pack, folder in packs(roots).items():
        for path in _json_files(folder / _SUBGRAPHS):
            id_ = hashlib.sha256(f"{pack}/{path.name}".encode()).hexdigest()
            found[id_] = Subgraph(id_, path.stem, f"custom_nodes.{pack}", path)
    return found


def text_of(subgraph: Subgraph) -> str:
    """Its workflow. Raises `OSError`; `ValueError` if it is too large or not UTF-8."""
    with subgraph.path.open("rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise ValueError(f"{subgraph.path} is larger than {_MAX_FILE} bytes, which is the limit")
    return data.decode()


def _children(folder: Path) -> Iterator[Path]:
    """What lies in a folder, by name; nothing if it cannot be read."""
    try:
        yield from sorted(folder.iterdir())[:_MAX_FILES]
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("%s cannot be read: %s", folder, error)


def _json_files(folder: Path) -> Iterator[Path]:
    for path in _children(folder):
        if path.suffix == ".json" and path.is_file():
            yield path


def _object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object; empty without it. A broken one is named in the log, and the others count."""
    try:
        if path.stat().st_size > _MAX_FILE:
            raise ValueError(f"it is larger than {_MAX_FILE} bytes, which is the limit")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("The translation %s is left out: %s", path, error)
        return {}
    return found if isinstance(found, dict) else {}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        before = both.get(key)
        both[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both

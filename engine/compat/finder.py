"""Makes the modules below `names/` importable under the names that node packs use; each loads when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

NAMES = Path(__file__).resolve().parent / "names"
TOP = frozenset({"folder_paths", "nodes", "node_helpers", "comfy", "comfy_execution"})


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Top names only: those below a package are found through its `__path__`."""
        if path is not None or fullname not in TOP:
            return None
        return PathFinder.find_spec(fullname, [str(NAMES)], target)


def install() -> None:
    """Before everything else on the path: a `nodes.py` in the working directory is not what a pack means."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def hint(error: BaseException) -> str:
    """What to add to the report of an import that failed; empty if the reason speaks for itself."""
    if not isinstance(error, ImportError) or not error.name:
        return ""
    if error.name.partition(".")[0] in TOP:
        return "this engine does not answer that name"
    if isinstance(error, ModuleNotFoundError):
        return f"install what the pack needs: the module {error.name} is not there"
    return ""

"""Which module of ComfyUI a built-in node is from: clients group nodes by it, and tell by it which are not custom ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

USUAL = "nodes"
_FILE = Path(__file__).parents[1] / "data" / "origins.json"  # module → class names


def module_of(name: str) -> str:
    """The `python_module` of a class."""
    return _modules().get(name, USUAL)


@cache
def _modules() -> dict[str, str]:
    found: dict[str, list[str]] = json.loads(_FILE.read_text("utf-8"))
    return {name: module for module, names in found.items() for name in names}

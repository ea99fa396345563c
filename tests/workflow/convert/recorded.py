"""What was recorded of the official front end and of a real server, and the official templates; absent in most places."""

from __future__ import annotations

import collections
import functools
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[4] / "shared"
CASES = SHARED / "graph-to-prompt"
PACKAGE = "comfyui_workflow_templates_json"


@functools.cache
def object_info() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SHARED / "recordings" / "object_info.json").read_text())
    return found


def cases() -> list[str]:
    return sorted(path.stem for path in (CASES / "workflows").glob("*.json"))


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CASES / "workflows" / f"{name}.json").read_text())
    return found


def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CASES / "expected" / f"{name}.json").read_text())
    return found


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    """The official templates, where their package is installed, or unpacked where COMFYTUI_TEMPLATES says."""
    folder = os.environ.get("COMFYTUI_TEMPLATES")
    spec = None if folder else importlib.util.find_spec(PACKAGE)
    root = Path(folder) if folder else Path(spec.origin).parent / "templates" if spec and spec.origin else None
    for path in sorted(root.rglob("*.json")) if root is not None else ():
        found = json.loads(path.read_bytes())
        if isinstance(found, dict) and isinstance(found.get("nodes"), list):
            yield path.stem, found


def nodes(graph: Mapping[str, Any], info: Mapping[str, Any]) -> collections.Counter[str]:
    """The nodes that an output needs, each by its class, its declared values, and the same of all that it takes from.

    Two graphs with the same nodes differ in nothing that a server would do; ids do not count.
    """
    live: set[str] = set()
    waiting = [each for each, node in graph.items() if info.get(node["class_type"], {}).get("output_node")]
    while waiting:
        node_id = waiting.pop()
        if node_id not in live and node_id in graph:
            live.add(node_id)
            waiting.extend(value[0] for value in graph[node_id]["inputs"].values() if _is_link(value, graph))
    known: dict[str, str] = {}

    def name(node_id: str) -> str:
        if node_id not in known:
            known[node_id] = "in a circle"
            node = graph[node_id]
            declared = info.get(node["class_type"], {}).get("input", {})
            names = {each for section in ("required", "optional") for each in declared.get(section, {})}
            given = [
                (key, ["link", name(value[0]), value[1]] if _is_link(value, graph) else value)
                for key, value in sorted(node["inputs"].items())
                if key.partition(".")[0] in names
            ]
            given = [(key, int(v) if isinstance(v, float) and v.is_integer() else v) for key, v in given]
            text = json.dumps([node["class_type"], given], sort_keys=True)
            known[node_id] = node["class_type"] + hashlib.sha256(text.encode()).hexdigest()
        return known[node_id]

    return collections.Counter(name(each) for each in live)


def _is_link(value: Any, graph: Mapping[str, Any]) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] in graph

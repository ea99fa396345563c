"""What the clients run: the demo model's workflow, small, with names of their own for the files."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import REPOSITORY

_DEMO = json.loads((REPOSITORY / "examples/txt2img-demo.json").read_text(encoding="utf-8"))


@pytest.fixture
def graph(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The workflow; its picture is 64 pixels wide, and its names and its seed are the test's own."""
    made = copy.deepcopy(_DEMO)
    for node in made.values():
        match node["class_type"]:
            case "EmptyLatentImage":
                node["inputs"] |= {"width": 64, "height": 64, "batch_size": 1}
            case "KSampler":
                # Another seed a test: a result that is kept from before is another path through a client.
                node["inputs"] |= {"steps": 4, "seed": hash(request.node.name) & 0xFFFFFFFF}
            case "SaveImage":
                node["inputs"]["filename_prefix"] = f"clients/{request.node.name}"
    return made


@pytest.fixture
def graph_file(graph: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph), encoding="utf-8")
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For a client's process: a home of its own, and a word against counting its use."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMFY", "XDG_"))}
    return {**kept, "HOME": str(home), "DO_NOT_TRACK": "1", "NO_COLOR": "1"}

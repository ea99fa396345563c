"""What tests of nodes need: a context, and the entry of a node as ComfyUI recorded it, without its sentences."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from engine.files.folders import Folders
from engine.nodes.context import NodeContext

OBJECT_INFO = Path(__file__).parents[4] / "shared" / "recordings" / "object_info.json"


class Reports:
    """Keeps what a node tells; `stop_at` interrupts at that step."""

    def __init__(self, stop_at=None):
        self.steps, self.previews, self.stop_at, self.interrupt = [], [], stop_at, threading.Event()

    def progress(self, node_id, value, maximum, preview=None):
        self.steps.append((value, maximum))
        if preview is not None:
            self.previews.append(preview())
        if value == self.stop_at:
            self.interrupt.set()

    def text(self, node_id, text):
        raise AssertionError(text)


def folders(base: Path, checkpoints: Path | None = None) -> Folders:
    found = Folders(
        base=base,
        output=base / "output",
        input=base / "input",
        temp=base / "temp",
        user=base / "user",
        models={"checkpoints": (checkpoints or base / "checkpoints",), "embeddings": (base / "embeddings",)},
    )
    found.create()
    return found


def context(base: Path, reports: Reports | None = None, checkpoints: Path | None = None, **extra) -> NodeContext:
    reports = reports or Reports()
    return NodeContext("1", "p", folders(base, checkpoints), reports, reports.interrupt, **extra)


def assert_recorded(nodes, base: Path) -> None:
    """Names, types, order, defaults, bounds, outputs and flags are ComfyUI's; sentences are our own, where it has some."""
    if not OBJECT_INFO.exists():
        pytest.skip("needs the recordings")
    recorded = json.loads(OBJECT_INFO.read_text())
    for node in nodes:
        assert _shape(node.info(folders(base))) == _shape(recorded[node.name]), node.name


def _shape(entry: dict) -> str:
    entry = json.loads(json.dumps(entry))
    entry["description"] = bool(entry["description"])
    if "output_tooltips" in entry:
        entry["output_tooltips"] = [bool(t) for t in entry["output_tooltips"]]
    for section in entry["input"].values():
        for name, spec in section.items():
            if isinstance(spec, list) and len(spec) > 1 and "tooltip" in spec[1]:
                spec[1]["tooltip"] = bool(spec[1]["tooltip"])
            if name in ("ckpt_name", "latent"):
                spec[0] = "files"
    return json.dumps(entry)

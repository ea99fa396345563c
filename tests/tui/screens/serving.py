"""A small server for the screens' tests: a catalogue of its own, and what was submitted to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Static

from comfytui.client.messages import Submitted
from comfytui.state.model import ServerState
from comfytui.tui.app import Dashboard

from .. import sample

HOSTILE = "[red]x[/red] [@click=app.quit]y[/]"  # what a server may call something; cleaning leaves markup as text


def _node(category: str, required: dict[str, Any], output: list[str], **more: Any) -> dict[str, Any]:
    return {
        "input": {"required": required},
        "output": output,
        "output_name": output,
        "category": category,
        "python_module": "nodes",
        "description": "",
        **more,
    }


CATALOGUE = {
    "CheckpointLoaderSimple": _node(
        "loaders", {"ckpt_name": [["demo.safetensors", "other.safetensors"]]}, ["MODEL", "CLIP", "VAE"],
        display_name="Load Checkpoint",
    ),
    "CLIPTextEncode": _node("conditioning", {"text": ["STRING", {"multiline": True}], "clip": ["CLIP"]}, ["CONDITIONING"]),
    "EmptyLatentImage": _node(
        "latent",
        {name: ["INT", {"default": 512, "min": 16, "max": 16384, "step": 8}] for name in ("width", "height")}
        | {"batch_size": ["INT", {"default": 1, "min": 1, "max": 64}]},
        ["LATENT"],
    ),
    "KSampler": _node(
        "sampling",
        {
            "model": ["MODEL", {"tooltip": "The model that denoises."}],
            "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1}],
            "steps": ["INT", {"default": 20, "min": 1, "max": 10000}],
            "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1}],
            "sampler_name": [["euler", "heun"]],
            "scheduler": [["normal", "karras"]],
            "positive": ["CONDITIONING"],
            "negative": ["CONDITIONING"],
            "latent_image": ["LATENT"],
            "denoise": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0}],
        },
        ["LATENT"],
        description="Denoises a latent.",
    ),
    "VAEDecode": _node("latent", {"samples": ["LATENT"], "vae": ["VAE"]}, ["IMAGE"]),
    "Fancy": _node("image/fancy", {"image": ["IMAGE"], "strength": ["FLOAT", {"min": 0, "max": 2}]}, ["IMAGE"],
                   display_name=HOSTILE, python_module="custom_nodes.fancy", experimental=True),
    "OldScale": _node("image", {"image": ["IMAGE"]}, ["IMAGE"], deprecated=True),
    "SaveImage": _node("image", {"images": ["IMAGE"], "filename_prefix": ["STRING"]}, [], output_node=True),
}  # fmt: skip

GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red circle", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {"seed": 42, "steps": 20, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
                   "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]},
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "Fancy", "inputs": {"image": ["6", 0], "strength": 1.0}},
    "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "x"}},
}  # fmt: skip


class Server(sample.StubConnection):
    """Has a catalogue, and keeps what was submitted; `refuses` is raised instead."""

    def __init__(self, state: ServerState, catalogue: dict[str, Any]) -> None:
        super().__init__(state)
        self.catalogue = catalogue
        self.submitted: list[dict[str, Any]] = []
        self.refuses: Exception | None = None
        self.answers: list[Submitted] = []

    async def load_object_info(self, force: bool = False) -> dict[str, Any]:
        self.asked.append(("load_object_info",))
        self.become(replace(self.state, object_info=self.catalogue))
        return self.catalogue

    async def submit(self, graph: dict[str, Any], **_: Any) -> Submitted:
        if self.refuses is not None:
            raise self.refuses
        self.submitted.append(graph)
        return self.answers.pop(0) if self.answers else Submitted(f"id{len(self.submitted)}")


def serve(
    catalogue: dict[str, Any] | None = None,
    state: ServerState | None = None,
    workflow: Path | None = None,
    **given: Any,
) -> tuple[Dashboard, Server]:
    """A dashboard on such a server."""
    app, _ = sample.dashboard(state or sample.idle(), **given)
    server = Server(state or sample.idle(), CATALOGUE if catalogue is None else catalogue)
    app.workflow = workflow

    async def connect(_: str | None) -> None:
        app.session.attach(server)  # type: ignore[arg-type]

    app.session.connect = connect  # type: ignore[method-assign]
    return app, server


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings and memory of nobody; returns a folder with one workflow."""
    monkeypatch.setenv("COMFYTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "circle.json").write_text(json.dumps(GRAPH))
    return folder


async def until(pilot: Pilot[Any], true: Callable[[], object], what: str = "") -> None:
    """Let the program work until something is true; work in threads takes moments that no message announces."""
    for _ in range(400):
        if true():
            await pilot.pause()
            return
        await pilot.pause(0.01)
    raise AssertionError(f"never true: {what or true}")


async def ready(pilot: Pilot[Any]) -> None:
    """Let the program connect and draw its first screen."""
    app = cast(Dashboard, pilot.app)
    await until(pilot, lambda: app.session.state is not None and app.view is not None, "connected")


def screen_text(app: Dashboard) -> str:
    """What stands on the screen, line by line."""
    size = app.size
    lines = app.screen._compositor.render_strips(size)
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def said(app: Dashboard, selector: str) -> str:
    """The text of a static widget, however it is styled."""
    from rich.console import Console

    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(app.screen.query_one(selector, Static).content)
    return capture.get()

"""What tests say to each other about a server: graphs, node descriptions, frames, pictures, and recordings of a real one."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "recordings"  # absent in most checkouts; tests skip then
HOSTILE = (
    "evil\x1b]0;owned\x07\x1b[31m\u202egnp.exe\u2028\x9b2J\u200b[bold red]tag[/]"  # for names, titles and messages
)

Graph = dict[str, Any]


@dataclass(frozen=True)
class Drop:
    """End every socket without a goodbye."""


@dataclass(frozen=True)
class Hold:
    """Wait for `release`."""


@dataclass(frozen=True)
class Finish:
    """The end of a prompt as the server records it: success, error or interrupted."""

    outcome: str = "success"
    outputs: Mapping[str, Any] | None = None  # None: those of the `executed` frames before
    error: Mapping[str, Any] | None = None  # data of the last status message


Step = Mapping[str, Any] | str | bytes | Drop | Hold | Finish


def txt2img(*, seed: int = 1, steps: int = 4, text: str = "a red circle", prefix: str = "img") -> Graph:
    """A graph as everybody has: seven nodes, one picture."""
    return {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": text}, "_meta": {"title": "Positive"}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "blurry"}},
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
                "seed": seed, "steps": steps, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            },
        },
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": prefix}},
    }  # fmt: skip


def node_info(
    name: str, inputs: dict[str, Any], outputs: list[str], category: str, *, end: bool = False
) -> dict[str, Any]:
    return {
        "input": {"required": inputs},
        "input_order": {"required": list(inputs)},
        "output": outputs,
        "output_is_list": [False] * len(outputs),
        "output_name": outputs,
        "name": name,
        "display_name": name,
        "description": "",
        "python_module": "nodes",
        "category": category,
        "output_node": end,
    }


OBJECT_INFO: dict[str, Any] = {
    node["name"]: node
    for node in (
        node_info("CheckpointLoaderSimple", {"ckpt_name": [["demo.safetensors"]]}, ["MODEL", "CLIP", "VAE"], "loaders"),
        node_info("EmptyLatentImage", {
            "width": ["INT", {"default": 512, "min": 16, "max": 16384, "step": 8}],
            "height": ["INT", {"default": 512, "min": 16, "max": 16384, "step": 8}],
            "batch_size": ["INT", {"default": 1, "min": 1, "max": 4096}],
        }, ["LATENT"], "latent"),
        node_info("CLIPTextEncode", {"text": ["STRING", {"multiline": True}], "clip": ["CLIP"]}, ["CONDITIONING"], "conditioning"),
        node_info("KSampler", {
            "model": ["MODEL"],
            "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}],
            "steps": ["INT", {"default": 20, "min": 1, "max": 10000}],
            "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}],
            "sampler_name": [["euler", "heun"]],
            "scheduler": [["normal", "karras"]],
            "positive": ["CONDITIONING"],
            "negative": ["CONDITIONING"],
            "latent_image": ["LATENT"],
            "denoise": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}],
        }, ["LATENT"], "sampling"),
        node_info("VAEDecode", {"samples": ["LATENT"], "vae": ["VAE"]}, ["IMAGE"], "latent"),
        node_info("LoadImage", {"image": [["example.png"], {"image_upload": True}]}, ["IMAGE", "MASK"], "image"),
        node_info("EmptyImage", {
            "width": ["INT", {"default": 512}], "height": ["INT", {"default": 512}],
            "batch_size": ["INT", {"default": 1}], "color": ["INT", {"default": 0}],
        }, ["IMAGE"], "image"),
        node_info("ImageInvert", {"image": ["IMAGE"]}, ["IMAGE"], "image"),
        node_info("SaveImage", {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "ComfyUI"}]}, [], "image", end=True),
        node_info("PreviewImage", {"images": ["IMAGE"]}, [], "image", end=True),
    )
}  # fmt: skip


def picture(width: int = 64, height: int = 64, *, kind: str = "PNG", colour: str = "#c04030") -> bytes:
    """A real picture with a second colour in it, so that a renderer has something to show."""
    image = Image.new("RGB", (width, height), colour)
    image.paste("#3050c0", (width // 4, height // 4, width // 2, height // 2))
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


def html(status: int = 200) -> web.Response:
    return web.Response(
        status=status, text="<!DOCTYPE html><html><body>Welcome to nginx</body></html>", content_type="text/html"
    )


def text(body: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=body)


def status(code: int) -> web.Response:
    return web.Response(status=code)


def frame(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


def preview_frame(prompt_id: str, node_id: str, image: bytes) -> bytes:
    """A binary frame of type 4."""
    about = json.dumps({
        "node_id": node_id, "prompt_id": prompt_id, "display_node_id": node_id, "parent_node_id": None,
        "real_node_id": node_id, "image_type": "image/jpeg",
    }).encode()  # fmt: skip
    return (4).to_bytes(4, "big") + len(about).to_bytes(4, "big") + about + image


def plain_preview_frame(image: bytes) -> bytes:
    """A binary frame of type 1: JPEG, without metadata."""
    return (1).to_bytes(4, "big") + (1).to_bytes(4, "big") + image


@dataclass
class Recording:
    """One prompt of a real server: its graph, the frames that followed, and its history entry."""

    name: str
    graph: Graph
    frames: list[dict[str, Any] | bytes]
    prompt_id: str
    history: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> Recording:
        """`ws-NAME.jsonl` of ../shared/recordings, joined with http.json. Raises FileNotFoundError without them."""
        exchanges = json.loads((SHARED / "http.json").read_text())
        noted = [item for item in exchanges if item.get("note") == f"ws:{name}"]
        posts = [item for item in noted if item["request"]["method"] == "POST"]
        entries: dict[str, Any] = {}
        for item in noted:
            if item["request"]["method"] == "GET":
                entries |= item["response"]["json"]
        prompt_id = posts[0]["response"]["json"]["prompt_id"]
        frames: list[dict[str, Any] | bytes] = []
        for row in (SHARED / f"ws-{name}.jsonl").read_text().splitlines():
            item = json.loads(row)
            frames.append(item["text"] if "text" in item else base64.b64decode(item["binary_base64"]))
        return cls(name, posts[0]["request"]["json"]["prompt"], frames, prompt_id, entries)

    def steps(self) -> list[Step]:
        """As a script: the frames between `execution_start` and the end, with the id made replaceable."""
        own = [
            item for item in self.frames if isinstance(item, bytes) or item["type"] not in ("status", "feature_flags")
        ]
        entry = self.history.get(self.prompt_id, {})
        messages = entry.get("status", {}).get("messages", [["execution_success", {}]])
        outcome = {"execution_success": "success", "execution_error": "error"}.get(messages[-1][0], "interrupted")
        steps: list[Step] = []
        for item in own:
            if isinstance(item, bytes):
                steps.append(item.replace(self.prompt_id.encode(), b"$id-" + b"-" * 32) if item[3] == 4 else item)
            elif item["type"] == "executing" and item["data"].get("node") is None:
                steps.append(Finish(outcome, entry.get("outputs", {}), messages[-1][1]))
                break
            elif item["data"].get("prompt_id") == self.prompt_id:
                steps.append(json.loads(json.dumps(item).replace(self.prompt_id, "$id")))
        return steps


@dataclass
class Queued:
    number: float
    prompt_id: str
    graph: Graph
    extra_data: dict[str, Any]
    outputs: list[str]

    def item(self) -> list[Any]:
        return [self.number, self.prompt_id, self.graph, self.extra_data, self.outputs]


def with_id(step: Any, prompt_id: str) -> Any:
    """A frame of a script with the prompt's id in it."""
    if isinstance(step, bytes):
        if step[:4] != b"\0\0\0\4" or b"$id" not in step:
            return step
        length = int.from_bytes(step[4:8], "big")
        about = step[8 : 8 + length].replace(b"$id-" + b"-" * 32, b"$id").replace(b"$id", prompt_id.encode())
        return step[:4] + len(about).to_bytes(4, "big") + about + step[8 + length :]
    if isinstance(step, str):
        return step.replace("$id", prompt_id)
    return json.loads(json.dumps(step).replace("$id", prompt_id))


def now() -> int:
    return int(time.time() * 1000)

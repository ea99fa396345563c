"""Node catalogues of any size: those of a recorded server where there is one, else made up, each copy a package's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "object_info.json"
TYPES = ("MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CONTROL_NET")
VERBS = ("Load", "Save", "Encode", "Decode", "Mix", "Scale", "Crop", "Sample", "Blend", "Sharpen", "Mask", "Upscale")
THINGS = ("Image", "Latent", "Text", "Model", "Lora", "Mask", "Batch", "Video", "Audio", "Depth", "Pose", "Noise")


def catalogue(count: int) -> dict[str, Any]:
    """`count` node classes; the first ones are core, the others from packages of some hundred nodes."""
    real = msgspec.json.decode(RECORDED.read_bytes()) if RECORDED.exists() else made_up()
    found: dict[str, Any] = {}
    copy = 0
    while len(found) < count:
        for name, info in real.items():
            if len(found) >= count:
                break
            more = {"category": f"pack {copy}/{info.get('category', '')}", "python_module": f"custom_nodes.pack_{copy}"}
            found[f"{name}_{copy}" if copy else name] = {**info, **more} if copy else info
        copy += 1
    return found


def made_up(count: int = 440) -> dict[str, Any]:
    """A server's worth of nodes that nobody has."""
    return {f"{VERBS[n % 12]}{THINGS[n // 12 % 12]}{n // 144 or ''}": _node(n) for n in range(count)}


def _node(number: int) -> dict[str, Any]:
    takes, gives = TYPES[number % 8], TYPES[number // 8 % 8]
    choices = [f"file_{number}_{each}.safetensors" for each in range(number % 40)]
    return {
        "input": {
            "required": {
                "what": [takes],
                "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1}],
                "strength": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 2.0, "step": 0.05, "tooltip": "How much."}],
                "file": [choices],
            },
            "optional": {"text": ["STRING", {"multiline": True}]},
        },
        "output": [gives],
        "output_name": [gives],
        "display_name": f"{VERBS[number % 12]} {THINGS[number // 12 % 12]} {number}",
        "description": "Does to what it is given what its name says, and gives it on to the next.",
        "category": f"{THINGS[number % 12].lower()}/{VERBS[number // 12 % 12].lower()}",
        "python_module": "nodes",
    }

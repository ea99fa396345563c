"""Nodes on latents: making, resizing, masking, repeating, saving and loading them.

A latent is a dict with `samples` (B, 4, H/8, W/8) and, where needed, `noise_mask` and `batch_index`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.files.folders import Folders
from engine.files.naming import save, save_place
from engine.files.safe import UnsafeNameError
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

Latent = dict[str, Any]
MAX_SIDE = 16384  # pixels
METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]
OLD_SCALE = 0.18215  # latents saved without a version are already in the network's scale


@node(
    "EmptyLatentImage",
    display_name="Empty Latent Image",
    category="latent",
    description="An empty latent to start drawing from.",
    inputs=[
        Input(
            "width",
            "INT",
            {"default": 512, "min": 16, "max": MAX_SIDE, "step": 8, "tooltip": "Width of the picture, in pixels."},
        ),
        Input(
            "height",
            "INT",
            {"default": 512, "min": 16, "max": MAX_SIDE, "step": 8, "tooltip": "Height of the picture, in pixels."},
        ),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096, "tooltip": "How many pictures at once."}),
    ],
    outputs=[Output("LATENT", tooltip="The empty latents.")],
)
def empty_latent_image(width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
    import torch

    return ({"samples": torch.zeros(batch_size, 4, height // 8, width // 8)},)


@node(
    "LatentUpscale",
    display_name="Upscale Latent",
    category="latent",
    inputs=[
        Input("samples", "LATENT"),
        Input("upscale_method", METHODS),
        Input("width", "INT", {"default": 512, "min": 0, "max": MAX_SIDE, "step": 8}),
        Input("height", "INT", {"default": 512, "min": 0, "max": MAX_SIDE, "step": 8}),
        Input("crop", ["disabled", "center"]),
    ],
    outputs=[Output("LATENT")],
)
def latent_upscale(samples: Latent, upscale_method: str, width: int, height: int, crop: str) -> tuple[Latent]:
    from engine.models.latents import resize

    old_height, old_width = samples["samples"].shape[-2:]
    if not width and not height:
        return (samples,)
    if not width:  # a side of 0 follows the other one
        width = max(64, round(old_width * height / old_height))
    elif not height:
        height = max(64, round(old_height * width / old_width))
    size = max(64, width) // 8, max(64, height) // 8
    return ({**samples, "samples": resize(samples["samples"], *size, upscale_method, crop)},)


@node(
    "LatentUpscaleBy",
    display_name="Upscale Latent By",
    category="latent",
    inputs=[
        Input("samples", "LATENT"),
        Input("upscale_method", METHODS),
        Input("scale_by", "FLOAT", {"default": 1.5, "min": 0.01, "max": 8.0, "step": 0.01}),
    ],
    outputs=[Output("LATENT")],
)
def latent_upscale_by(samples: Latent, upscale_method: str, scale_by: float) -> tuple[Latent]:
    from engine.models.latents import resize

    height, width = (round(n * scale_by) for n in samples["samples"].shape[-2:])
    if width < 1 or height < 1:  # ComfyUI fails here too
        old_height, old_width = samples["samples"].shape[-2:]
        raise ValueError(f"scale_by {scale_by} leaves nothing of a latent of {old_width}x{old_height}")
    return ({**samples, "samples": resize(samples["samples"], width, height, upscale_method)},)


@node(
    "SetLatentNoiseMask",
    display_name="Set Latent Noise Mask",
    category="latent/inpaint",
    inputs=[Input("samples", "LATENT"), Input("mask", "MASK")],
    outputs=[Output("LATENT")],
)
def set_latent_noise_mask(samples: Latent, mask: Tensor) -> tuple[Latent]:
    return ({**samples, "noise_mask": mask.reshape(-1, 1, *mask.shape[-2:])},)


@node(
    "LatentFromBatch",
    display_name="Latent From Batch",
    category="latent/batch",
    inputs=[
        Input("samples", "LATENT"),
        Input("batch_index", "INT", {"default": 0, "min": 0, "max": 63}),
        Input("length", "INT", {"default": 1, "min": 1, "max": 64}),
    ],
    outputs=[Output("LATENT")],
)
def latent_from_batch(samples: Latent, batch_index: int, length: int) -> tuple[Latent]:
    whole = samples["samples"]
    start = min(len(whole) - 1, batch_index)
    end = min(len(whole), start + length)
    result = {**samples, "samples": whole[start:end].clone()}
    if (mask := samples.get("noise_mask")) is not None:
        repeated = mask.repeat(-(-len(whole) // len(mask)), *[1] * (mask.ndim - 1))
        result["noise_mask"] = mask.clone() if len(mask) == 1 else repeated[start:end].clone()
    # each item keeps the noise that it had in the whole batch
    result["batch_index"] = list(samples.get("batch_index", range(len(whole))))[start:end]
    return (result,)


@node(
    "RepeatLatentBatch",
    display_name="Repeat Latent Batch",
    category="latent/batch",
    inputs=[Input("samples", "LATENT"), Input("amount", "INT", {"default": 1, "min": 1, "max": 64})],
    outputs=[Output("LATENT")],
)
def repeat_latent_batch(samples: Latent, amount: int) -> tuple[Latent]:
    whole = samples["samples"]
    result = {**samples, "samples": whole.repeat(amount, 1, 1, 1)}
    if (mask := samples.get("noise_mask")) is not None and len(mask) > 1:
        full = mask.repeat(-(-len(whole) // len(mask)), *[1] * (mask.ndim - 1))[: len(whole)]
        result["noise_mask"] = full.repeat(amount, *[1] * (mask.ndim - 1))
    if (index := samples.get("batch_index")) is not None:
        span = max(index) - min(index) + 1  # repeats get noise of their own
        result["batch_index"] = [i + span * k for k in range(amount) for i in index]
    return (result,)


@node(
    "SaveLatent",
    category="_for_testing",
    output_node=True,
    inputs=[Input("samples", "LATENT"), Input("filename_prefix", "STRING", {"default": "latents/ComfyUI"})],
    hidden={"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
)
def save_latent(
    samples: Latent, filename_prefix: str, context: NodeContext, prompt: Any = None, extra_pnginfo: Any = None
) -> dict[str, Any]:
    import torch
    from safetensors.torch import save as to_bytes

    metadata = {}
    if context.metadata:
        if prompt is not None:
            metadata["prompt"] = json.dumps(prompt)
        metadata |= {key: json.dumps(value) for key, value in (extra_pnginfo or {}).items()}
    tensors = {"latent_tensor": samples["samples"].contiguous(), "latent_format_version_0": torch.tensor([])}
    place = save_place(context.folders.output, filename_prefix)
    name = save(place, to_bytes(tensors, metadata), ".latent", durable=True)
    return {"ui": {"latents": [{"filename": name, "subfolder": place.subfolder, "type": "output"}]}}


def _latent_files(folders: Folders) -> list[str]:
    return [name for name in folders.input_files() if name.endswith(".latent")]


def _version(latent: str, folders: Folders) -> tuple[int, int, int]:
    """Changes when the file does. Its state and not its contents: a stat costs microseconds, a hash a read."""
    state = folders.annotated_input(latent).stat()
    return state.st_mtime_ns, state.st_size, state.st_ino


def _exists(latent: Any, folders: Folders) -> bool | str:
    try:
        if isinstance(latent, str) and folders.annotated_input(latent).is_file():
            return True
    except UnsafeNameError as error:
        return f"Invalid latent file: {latent} ({error})"
    return f"Invalid latent file: {latent}"


@node(
    "LoadLatent",
    category="_for_testing",
    inputs=[Input("latent", _latent_files)],
    outputs=[Output("LATENT")],
    is_changed=_version,
    validate_inputs=_exists,
)
def load_latent(latent: str, context: NodeContext) -> tuple[Latent]:
    import torch

    from engine.models.checkpoint import ModelFileError, open_weights

    path: Path = context.folders.annotated_input(latent)
    weights = open_weights(path)
    if "latent_tensor" not in weights.shapes:
        raise ModelFileError(
            f"{path.name} is not a saved latent: expected latent_tensor in it, found {', '.join(weights.shapes) or 'nothing'}"[
                :300
            ]
        )
    samples = weights.read({"latent_tensor": "latent_tensor"}, torch.float32)["latent_tensor"]
    if "latent_format_version_0" not in weights.shapes:
        samples = samples / OLD_SCALE
    return ({"samples": samples},)


NODES: tuple[NodeDefinition, ...] = (
    empty_latent_image,
    latent_upscale,
    latent_upscale_by,
    set_latent_noise_mask,
    latent_from_batch,
    repeat_latent_batch,
    save_latent,
    load_latent,
)

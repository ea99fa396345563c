"""Nodes that change where things are in a latent: crop, flip, rotate, composite, frames of a video."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Latent = dict[str, Any]
SMALLEST = 8  # latent pixels that a crop leaves at least


@node(
    "LatentCrop",
    display_name="Crop Latent",
    category="latent/transform",
    description="A part of a latent; sizes in pixels of the picture.",
    inputs=[
        Input("samples", "LATENT"),
        Input("width", "INT", {"default": 512, "min": 64, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 512, "min": 64, "max": 16384, "step": 8}),
        Input("x", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("y", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_crop(samples: Latent, width: int, height: int, x: int, y: int) -> tuple[Latent]:
    whole = samples["samples"]
    left = max(0, min(x // 8, whole.shape[-1] - SMALLEST))
    top = max(0, min(y // 8, whole.shape[-2] - SMALLEST))
    return ({**samples, "samples": whole[..., top : top + height // 8, left : left + width // 8]},)


@node(
    "LatentFlip",
    display_name="Flip Latent",
    category="latent/transform",
    description="A latent upside down, or mirrored.",
    inputs=[
        Input("samples", "LATENT"),
        Input("flip_method", ["x-axis: vertically", "y-axis: horizontally"]),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_flip(samples: Latent, flip_method: str) -> tuple[Latent]:
    import torch

    dim = -2 if flip_method.startswith("x") else -1
    return ({**samples, "samples": torch.flip(samples["samples"], dims=[dim])},)


@node(
    "LatentRotate",
    display_name="Rotate Latent",
    category="latent/transform",
    description="A latent turned clockwise.",
    inputs=[
        Input("samples", "LATENT"),
        Input("rotation", ["none", "90 degrees", "180 degrees", "270 degrees"]),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_rotate(samples: Latent, rotation: str) -> tuple[Latent]:
    import torch

    turns = 0 if rotation == "none" else int(rotation.split(maxsplit=1)[0]) // 90
    return ({**samples, "samples": torch.rot90(samples["samples"], k=turns, dims=[-1, -2])},)


@node(
    "LatentComposite",
    display_name="Latent Composite",
    category="latent",
    description="One latent laid over another, with soft edges; places in pixels of the picture.",
    inputs=[
        Input("samples_to", "LATENT"),
        Input("samples_from", "LATENT"),
        Input("x", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("y", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("feather", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_composite(samples_to: Latent, samples_from: Latent, x: int, y: int, feather: int) -> tuple[Latent]:
    from engine.models.latent_ops import paste, to_batch

    under = samples_to["samples"]
    over = to_batch(samples_from["samples"], len(under))
    if over.shape[1:-2] != under.shape[1:-2]:
        raise ValueError(f"a latent {tuple(over.shape)} does not go onto one of {tuple(under.shape)}")
    return ({**samples_to, "samples": paste(under, over, x // 8, y // 8, feather // 8)},)


@node(
    "LatentCompositeMasked",
    schema="v3",
    category="latent",
    description="One latent laid over another where a mask says so.",
    inputs=[
        Input("destination", "LATENT"),
        Input("source", "LATENT"),
        Input("x", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("y", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("resize_source", "BOOLEAN", {"default": False}),
        Input("mask", "MASK", optional=True),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_composite_masked(
    destination: Latent, source: Latent, x: int, y: int, resize_source: bool, mask: Tensor | None = None
) -> tuple[Latent]:
    from engine.models.latent_ops import paste_masked

    done = paste_masked(destination["samples"], source["samples"], x // 8, y // 8, mask, resize_source)
    return ({**destination, "samples": done},)


@node(
    "ReplaceVideoLatentFrames",
    schema="v3",
    category="latent/batch",
    description="Puts the frames of one latent video into another, from a frame on.",
    inputs=[
        Input("destination", "LATENT", {"tooltip": "The film."}),
        Input(
            "index",
            "INT",
            {
                "default": 0,
                "min": -16384,
                "max": 16384,
                "step": 1,
                "tooltip": "The first frame that is replaced; below 0 from the end.",
            },
        ),
        Input("source", "LATENT", {"tooltip": "What is put there; without it the film stays."}, optional=True),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def replace_video_latent_frames(destination: Latent, index: int, source: Latent | None = None) -> tuple[Latent]:
    if source is None:
        return (destination,)
    whole, piece = destination["samples"], source["samples"]
    start = index + whole.shape[2] if index < 0 else index
    if start < 0 or start + piece.shape[2] > whole.shape[2]:
        log.warning(
            "%s frames from frame %s do not fit into %s: the video stays as it is",
            piece.shape[2],
            index,
            whole.shape[2],
        )
        return (destination,)
    whole = whole.clone()
    whole[:, :, start : start + piece.shape[2]] = piece
    return ({**destination, "samples": whole},)


@node(
    "TrimVideoLatent",
    schema="v3",
    category="latent/video",
    description="A latent video without its first frames.",
    inputs=[
        Input("samples", "LATENT"),
        Input("trim_amount", "INT", {"default": 0, "min": 0, "max": 99999}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def trim_video_latent(samples: Latent, trim_amount: int) -> tuple[Latent]:
    return ({**samples, "samples": samples["samples"][:, :, trim_amount:]},)


NODES: tuple[NodeDefinition, ...] = (
    latent_crop,
    latent_flip,
    latent_rotate,
    latent_composite,
    latent_composite_masked,
    replace_video_latent_frames,
    trim_video_latent,
)

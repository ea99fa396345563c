"""Nodes that make, change and combine masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.nodes.pixels import MAX_SIDE

if TYPE_CHECKING:
    from torch import Tensor

_PLACE = {"default": 0, "min": 0, "max": MAX_SIDE, "step": 1}
_SIZE = {"default": 512, "min": 1, "max": MAX_SIDE, "step": 1}


@node(
    "SolidMask",
    schema="v3",
    category="mask",
    description="A mask of one value.",
    inputs=[
        Input("value", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}),
        Input("width", "INT", _SIZE),
        Input("height", "INT", _SIZE),
    ],
    outputs=[Output("MASK")],
)
def solid(value: float, width: int, height: int) -> tuple[Tensor]:
    import torch

    return (torch.full((1, height, width), value, dtype=torch.float32),)


@node(
    "InvertMask",
    schema="v3",
    category="mask",
    description="What was masked is not, and the other way round.",
    inputs=[Input("mask", "MASK")],
    outputs=[Output("MASK")],
)
def invert(mask: Tensor) -> tuple[Tensor]:
    return (1.0 - mask,)


@node(
    "CropMask",
    schema="v3",
    category="mask",
    description="A part of a mask.",
    inputs=[
        Input("mask", "MASK"),
        Input("x", "INT", _PLACE),
        Input("y", "INT", _PLACE),
        Input("width", "INT", _SIZE),
        Input("height", "INT", _SIZE),
    ],
    outputs=[Output("MASK")],
)
def crop(mask: Tensor, x: int, y: int, width: int, height: int) -> tuple[Tensor]:
    from engine.pixels import masks

    return (masks.crop(mask, x, y, width, height),)


@node(
    "GrowMask",
    display_name="Grow Mask",
    schema="v3",
    category="mask",
    description="Makes a mask larger by so many pixels, or smaller by as many below 0.",
    inputs=[
        Input("mask", "MASK"),
        Input("expand", "INT", {"default": 0, "min": -MAX_SIDE, "max": MAX_SIDE, "step": 1}),
        Input("tapered_corners", "BOOLEAN", {"default": True}),
    ],
    outputs=[Output("MASK")],
)
def grow(mask: Tensor, expand: int, tapered_corners: bool, context: NodeContext) -> tuple[Tensor]:
    from engine.pixels import masks

    return (masks.grow(mask, expand, tapered_corners, context.check),)


@node(
    "FeatherMask",
    schema="v3",
    category="mask",
    description="Lets a mask fade towards its edges.",
    inputs=[
        Input("mask", "MASK"),
        Input("left", "INT", _PLACE),
        Input("top", "INT", _PLACE),
        Input("right", "INT", _PLACE),
        Input("bottom", "INT", _PLACE),
    ],
    outputs=[Output("MASK")],
)
def feather(mask: Tensor, left: int, top: int, right: int, bottom: int) -> tuple[Tensor]:
    from engine.pixels import masks

    return (masks.feather(mask, left, top, right, bottom),)


@node(
    "MaskToImage",
    display_name="Convert Mask to Image",
    schema="v3",
    category="mask",
    description="A mask as a grey picture.",
    inputs=[Input("mask", "MASK")],
    outputs=[Output("IMAGE")],
)
def to_image(mask: Tensor) -> tuple[Tensor]:
    from engine.pixels import masks

    found = masks.flat(mask)
    return (found[..., None].expand(*found.shape, 3),)


@node(
    "ImageToMask",
    display_name="Convert Image to Mask",
    schema="v3",
    category="mask",
    description="One channel of a picture as a mask.",
    inputs=[Input("image", "IMAGE"), Input("channel", ["red", "green", "blue", "alpha"])],
    outputs=[Output("MASK")],
)
def from_image(image: Tensor, channel: str) -> tuple[Tensor]:
    index = ("red", "green", "blue", "alpha").index(channel)
    if index >= image.shape[-1]:
        raise ValueError(f"the picture has no {channel} channel: it has {image.shape[-1]}")
    return (image[..., index],)


@node(
    "ImageColorToMask",
    schema="v3",
    category="mask",
    description="A mask of where a picture has exactly this colour (0xRRGGBB).",
    inputs=[
        Input("image", "IMAGE"),
        Input("color", "INT", {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1, "display": "number"}),
    ],
    outputs=[Output("MASK")],
)
def of_colour(image: Tensor, color: int) -> tuple[Tensor]:
    from engine.pixels import masks

    return (masks.of_colour(image, color),)


@node(
    "MaskComposite",
    schema="v3",
    category="mask",
    description="Works one mask into another at a place.",
    inputs=[
        Input("destination", "MASK"),
        Input("source", "MASK"),
        Input("x", "INT", _PLACE),
        Input("y", "INT", _PLACE),
        Input("operation", ["multiply", "add", "subtract", "and", "or", "xor"]),
    ],
    outputs=[Output("MASK")],
)
def combine(destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> tuple[Tensor]:
    from engine.pixels import masks

    return (masks.combine(destination, source, x, y, operation),)


@node(
    "ThresholdMask",
    schema="v3",
    category="mask",
    description="1 where a mask is above a value, else 0.",
    inputs=[Input("mask", "MASK"), Input("value", "FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01})],
    outputs=[Output("MASK")],
)
def threshold(mask: Tensor, value: float) -> tuple[Tensor]:
    return ((mask > value).float(),)


NODES: tuple[NodeDefinition, ...] = (
    solid,
    invert,
    crop,
    grow,
    feather,
    to_image,
    from_image,
    of_colour,
    combine,
    threshold,
)

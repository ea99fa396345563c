"""Nodes that cut, pad, turn, batch and lay pictures over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.nodes.pixels import MAX_SIDE

if TYPE_CHECKING:
    from torch import Tensor

_PLACE = {"default": 0, "min": 0, "max": MAX_SIDE, "step": 1}
_SIZE = {"default": 512, "min": 1, "max": MAX_SIDE, "step": 1}
_PAD = {"default": 0, "min": 0, "max": MAX_SIDE, "step": 8}


@node(
    "ImageCrop",
    display_name="Image Crop",
    schema="v3",
    category="image/transform",
    description="A part of a picture.",
    inputs=[
        Input("image", "IMAGE"),
        Input("width", "INT", _SIZE),
        Input("height", "INT", _SIZE),
        Input("x", "INT", _PLACE),
        Input("y", "INT", _PLACE),
    ],
    outputs=[Output("IMAGE")],
)
def crop(image: Tensor, width: int, height: int, x: int, y: int) -> tuple[Tensor]:
    from engine.pixels import placing

    return (placing.crop(image, x, y, width, height),)


@node(
    "ImageFlip",
    schema="v3",
    category="image/transform",
    description="A mirrored picture.",
    inputs=[Input("image", "IMAGE"), Input("flip_method", ["x-axis: vertically", "y-axis: horizontally"])],
    outputs=[Output("IMAGE")],
)
def flip(image: Tensor, flip_method: str) -> tuple[Tensor]:
    from engine.pixels import placing

    return (placing.flip(image, flip_method.startswith("x")),)


@node(
    "ImageRotate",
    schema="v3",
    category="image/transform",
    description="A picture turned clockwise.",
    inputs=[Input("image", "IMAGE"), Input("rotation", ["none", "90 degrees", "180 degrees", "270 degrees"])],
    outputs=[Output("IMAGE")],
)
def rotate(image: Tensor, rotation: str) -> tuple[Tensor]:
    from engine.pixels import placing

    quarters = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}[rotation]
    return (placing.rotate(image, quarters),)


@node(
    "ImagePadForOutpaint",
    display_name="Pad Image for Outpainting",
    category="image",
    description="Grey around a picture, and a mask of what is to be painted there.",
    inputs=[
        Input("image", "IMAGE"),
        Input("left", "INT", _PAD),
        Input("top", "INT", _PAD),
        Input("right", "INT", _PAD),
        Input("bottom", "INT", _PAD),
        Input("feathering", "INT", {"default": 40, "min": 0, "max": MAX_SIDE, "step": 1}),
    ],
    outputs=[Output("IMAGE"), Output("MASK")],
)
def pad_for_outpaint(
    image: Tensor, left: int, top: int, right: int, bottom: int, feathering: int
) -> tuple[Tensor, Tensor]:
    from engine.pixels import placing

    return placing.pad(image, left, top, right, bottom, feathering)


@node(
    "ImageCompositeMasked",
    schema="v3",
    category="image",
    description="Lays one picture over another at a place, through a mask if there is one.",
    inputs=[
        Input("destination", "IMAGE"),
        Input("source", "IMAGE"),
        Input("x", "INT", _PLACE),
        Input("y", "INT", _PLACE),
        Input("resize_source", "BOOLEAN", {"default": False}),
        Input("mask", "MASK", optional=True),
    ],
    outputs=[Output("IMAGE")],
)
def composite(
    destination: Tensor, source: Tensor, x: int, y: int, resize_source: bool, mask: Tensor | None = None
) -> tuple[Tensor]:
    from engine.pixels import placing

    return (placing.composite(destination, source, x, y, mask, resize_source),)


@node(
    "ImageBatch",
    display_name="Batch Images",
    category="image",
    deprecated=True,
    description="Two pictures as one batch; the second gets the size of the first.",
    inputs=[Input("image1", "IMAGE"), Input("image2", "IMAGE")],
    outputs=[Output("IMAGE")],
)
def batch(image1: Tensor, image2: Tensor) -> tuple[Tensor]:
    import torch

    from engine.nodes import pixels
    from engine.pixels import placing

    first, second = placing.same_channels(image1, image2)
    if first.shape[1:3] != second.shape[1:3]:
        second = pixels.resize(second, first.shape[2], first.shape[1], "bilinear", "center")
    return (torch.cat((first, second)),)


@node(
    "ImageFromBatch",
    schema="v3",
    category="image/batch",
    description="Some pictures of a batch.",
    inputs=[
        Input("image", "IMAGE"),
        Input("batch_index", "INT", {"default": 0, "min": 0, "max": 4095}),
        Input("length", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[Output("IMAGE")],
)
def from_batch(image: Tensor, batch_index: int, length: int) -> tuple[Tensor]:
    first = min(len(image) - 1, batch_index)
    return (image[first : first + length].clone(),)


@node(
    "RepeatImageBatch",
    schema="v3",
    category="image/batch",
    description="A batch several times over.",
    inputs=[Input("image", "IMAGE"), Input("amount", "INT", {"default": 1, "min": 1, "max": 4096})],
    outputs=[Output("IMAGE")],
)
def repeat(image: Tensor, amount: int) -> tuple[Tensor]:
    return (image.repeat(amount, 1, 1, 1),)


@node(
    "GetImageSize",
    display_name="Get Image Size",
    schema="v3",
    category="image",
    description="Width, height and number of pictures; they are also shown on the node.",
    inputs=[Input("image", "IMAGE")],
    outputs=[Output("INT", "width"), Output("INT", "height"), Output("INT", "batch_size")],
    hidden={"unique_id": "UNIQUE_ID"},
)
def size(image: Tensor, unique_id: str, context: NodeContext) -> tuple[int, int, int]:
    count, height, width = (int(each) for each in image.shape[:3])
    context.reporter.text(unique_id, f"width: {width}, height: {height}\n batch size: {count}")
    return width, height, count


@node(
    "SplitImageWithAlpha",
    display_name="Split Image with Alpha",
    schema="v3",
    category="mask/compositing",
    description="The colours of a picture, and its transparency as a mask.",
    inputs=[Input("image", "IMAGE")],
    outputs=[Output("IMAGE"), Output("MASK")],
)
def split_alpha(image: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    alpha = image[..., 3] if image.shape[-1] > 3 else torch.ones_like(image[..., 0])
    return image[..., :3], 1.0 - alpha


@node(
    "JoinImageWithAlpha",
    display_name="Join Image with Alpha",
    schema="v3",
    category="mask/compositing",
    description="A picture that is transparent where the mask is 1.",
    inputs=[Input("image", "IMAGE"), Input("alpha", "MASK")],
    outputs=[Output("IMAGE")],
)
def join_alpha(image: Tensor, alpha: Tensor) -> tuple[Tensor]:
    import torch
    import torch.nn.functional as F

    from engine.pixels import masks, placing

    count = max(len(image), len(alpha))
    fitted = F.interpolate(masks.flat(alpha)[:, None].float(), size=tuple(image.shape[1:3]), mode="bilinear")[:, 0]
    opaque = 1.0 - placing.repeated(fitted, count)
    return (torch.cat((placing.repeated(image, count)[..., :3], opaque[..., None]), dim=-1),)


NODES: tuple[NodeDefinition, ...] = (
    crop,
    flip,
    rotate,
    pad_for_outpaint,
    composite,
    batch,
    from_batch,
    repeat,
    size,
    split_alpha,
    join_alpha,
)

"""Nodes that load, make, change and save pictures."""

from __future__ import annotations

import mimetypes
import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from engine.files import naming, pictures
from engine.files.folders import Folders
from engine.nodes import pixels
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.nodes.inputs import exists, version

Tensor = torch.Tensor

_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
_SIZE = {"default": 512, "min": 0, "max": pixels.MAX_SIDE, "step": 1}
_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
# Previews of two workers, or of one before and after a crash, share a folder.
_TEMP_PREFIX = "ComfyUI_temp_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))


def _pictures(folders: Folders) -> list[str]:
    return [name for name in folders.input_files() if (mimetypes.guess_type(name)[0] or "").startswith("image/")]


def _exists(image: Any, folders: Folders) -> bool | str:
    return exists(image, folders, "image")


def _version(image: str, folders: Folders, **_: Any) -> tuple[int, int, int]:
    return version(image, folders)


@node(
    "LoadImage",
    display_name="Load Image",
    category="image",
    description="A picture of the input folder, and its transparency as a mask.",
    inputs=[Input("image", _pictures, {"image_upload": True})],
    outputs=[Output("IMAGE"), Output("MASK")],
    is_changed=_version,
    validate_inputs=_exists,
)
def load_image(image: str, context: NodeContext) -> tuple[Tensor, Tensor]:
    return pixels.read(context.folders.annotated_input(image))


@node(
    "LoadImageMask",
    display_name="Load Image (as Mask)",
    category="mask",
    description="One channel of a picture of the input folder as a mask.",
    inputs=[
        Input("image", Folders.input_files, {"image_upload": True}),
        Input("channel", ("alpha", "red", "green", "blue")),
    ],
    outputs=[Output("MASK")],
    is_changed=_version,
    validate_inputs=_exists,
)
def load_image_mask(image: str, channel: str, context: NodeContext) -> tuple[Tensor]:
    return (pixels.read_channel(context.folders.annotated_input(image), channel),)


@node(
    "EmptyImage",
    category="image",
    description="A picture of one colour, given as 0xRRGGBB.",
    inputs=[
        Input("width", "INT", {"default": 512, "min": 1, "max": pixels.MAX_SIDE, "step": 1}),
        Input("height", "INT", {"default": 512, "min": 1, "max": pixels.MAX_SIDE, "step": 1}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
        Input("color", "INT", {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1, "display": "color"}),
    ],
    outputs=[Output("IMAGE")],
)
def empty_image(width: int, height: int, batch_size: int = 1, color: int = 0) -> tuple[Tensor]:
    rgb = torch.tensor([color >> 16 & 255, color >> 8 & 255, color & 255], dtype=torch.float32) / 255.0
    return (rgb.expand(batch_size, height, width, 3).contiguous(),)


@node(
    "ImageInvert",
    display_name="Invert Image",
    category="image",
    description="The negative of a picture.",
    inputs=[Input("image", "IMAGE")],
    outputs=[Output("IMAGE")],
)
def image_invert(image: Tensor) -> tuple[Tensor]:
    return (1.0 - image,)


@node(
    "ImageScale",
    display_name="Upscale Image",
    category="image/upscaling",
    description="Resizes to a width and a height; 0 for one of them keeps the proportions, 0 for both the picture.",
    inputs=[
        Input("image", "IMAGE"),
        Input("upscale_method", _METHODS),
        Input("width", "INT", _SIZE),
        Input("height", "INT", _SIZE),
        Input("crop", ("disabled", "center")),
    ],
    outputs=[Output("IMAGE")],
)
def image_scale(image: Tensor, upscale_method: str, width: int, height: int, crop: str) -> tuple[Tensor]:
    if width == 0 and height == 0:
        return (image,)
    old_height, old_width = image.shape[1:3]
    width = width or max(1, round(old_width * height / old_height))
    height = height or max(1, round(old_height * width / old_width))
    return (pixels.resize(image, width, height, upscale_method, crop),)


@node(
    "ImageScaleBy",
    display_name="Upscale Image By",
    category="image/upscaling",
    description="Resizes by a factor.",
    inputs=[
        Input("image", "IMAGE"),
        Input("upscale_method", _METHODS),
        Input("scale_by", "FLOAT", {"default": 1.0, "min": 0.01, "max": 8.0, "step": 0.01}),
    ],
    outputs=[Output("IMAGE")],
)
def image_scale_by(image: Tensor, upscale_method: str, scale_by: float) -> tuple[Tensor]:
    width, height = round(image.shape[2] * scale_by), round(image.shape[1] * scale_by)
    if width < 1 or height < 1:
        raise ValueError(f"scale_by {scale_by} leaves nothing of a picture of {image.shape[2]}x{image.shape[1]}")
    return (pixels.resize(image, width, height, upscale_method),)


def _save(
    root: Path, kind: str, images: Tensor, prefix: str, chunks: Mapping[str, str], compress_level: int
) -> dict[str, Any]:
    height, width = images.shape[1:3]
    place = naming.save_place(root, prefix, width, height)
    saved = []
    for index, picture in enumerate(images):
        levels = pixels.to_bytes(picture)
        image = Image.fromarray(levels.squeeze(-1) if levels.shape[-1] == 1 else levels)
        data = pictures.encode_png(image, chunks, compress_level)
        name = naming.save(place, data, ".png", index, durable=kind == "output")
        saved.append({"filename": name, "subfolder": place.subfolder, "type": kind})
    return {"ui": {"images": saved}}


def _chunks(context: NodeContext, prompt: Any, extra_pnginfo: Any) -> dict[str, str]:
    return pictures.text_chunks(prompt, extra_pnginfo) if context.metadata else {}


@node(
    "SaveImage",
    display_name="Save Image",
    category="image",
    description="Writes pictures to the output folder, with the workflow that made them inside.",
    inputs=[
        Input("images", "IMAGE", {"tooltip": "What to save."}),
        Input(
            "filename_prefix",
            "STRING",
            {
                "default": "ComfyUI",
                "tooltip": "How names begin; folders and %year%, %month%, %day%, %width% may be in it.",
            },
        ),
    ],
    hidden=_HIDDEN,
    output_node=True,
)
def save_image(
    images: Tensor,
    context: NodeContext,
    filename_prefix: str = "ComfyUI",
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    chunks = _chunks(context, prompt, extra_pnginfo)
    return _save(context.folders.output, "output", images, filename_prefix, chunks, compress_level=4)


@node(
    "PreviewImage",
    display_name="Preview Image",
    category="image",
    description="Shows pictures; they are kept until the engine stops.",
    inputs=[Input("images", "IMAGE")],
    hidden=_HIDDEN,
    output_node=True,
)
def preview_image(
    images: Tensor, context: NodeContext, prompt: Any = None, extra_pnginfo: Any = None
) -> dict[str, Any]:
    chunks = _chunks(context, prompt, extra_pnginfo)
    return _save(context.folders.temp, "temp", images, _TEMP_PREFIX, chunks, compress_level=1)


NODES: tuple[NodeDefinition, ...] = (
    load_image,
    load_image_mask,
    save_image,
    preview_image,
    image_scale,
    image_scale_by,
    image_invert,
    empty_image,
)

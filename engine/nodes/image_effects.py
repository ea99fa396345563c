"""Nodes that blend, blur, sharpen and quantize pictures, and find their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

_RADIUS = {"default": 1, "min": 1, "max": 31, "step": 1}


@node(
    "ImageBlend",
    schema="v3",
    category="image/postprocessing",
    description="Mixes two pictures; the second gets the size of the first.",
    inputs=[
        Input("image1", "IMAGE"),
        Input("image2", "IMAGE"),
        Input("blend_factor", "FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}),
        Input("blend_mode", ["normal", "multiply", "screen", "overlay", "soft_light", "difference"]),
    ],
    outputs=[Output("IMAGE")],
)
def blend(image1: Tensor, image2: Tensor, blend_factor: float, blend_mode: str) -> tuple[Tensor]:
    from engine.nodes import pixels
    from engine.pixels import effects, placing

    first, second = placing.same_channels(image1, image2)
    if first.shape[1:3] != second.shape[1:3]:
        second = pixels.resize(second, first.shape[2], first.shape[1], "bicubic", "center")
    return (effects.blend(first, second, blend_factor, blend_mode),)


@node(
    "ImageBlur",
    schema="v3",
    category="image/postprocessing",
    description="A Gaussian blur.",
    inputs=[
        Input("image", "IMAGE"),
        Input("blur_radius", "INT", _RADIUS),
        Input("sigma", "FLOAT", {"default": 1.0, "min": 0.1, "max": 10.0, "step": 0.1}),
    ],
    outputs=[Output("IMAGE")],
)
def blur(image: Tensor, blur_radius: int, sigma: float) -> tuple[Tensor]:
    from engine.pixels import effects

    return (effects.blur(image, blur_radius, sigma),)


@node(
    "ImageSharpen",
    schema="v3",
    category="image/postprocessing",
    description="Unsharp masking.",
    inputs=[
        Input("image", "IMAGE"),
        Input("sharpen_radius", "INT", _RADIUS),
        Input("sigma", "FLOAT", {"default": 1.0, "min": 0.1, "max": 10.0, "step": 0.01}),
        Input("alpha", "FLOAT", {"default": 1.0, "min": 0.0, "max": 5.0, "step": 0.01}),
    ],
    outputs=[Output("IMAGE")],
)
def sharpen(image: Tensor, sharpen_radius: int, sigma: float, alpha: float) -> tuple[Tensor]:
    from engine.pixels import effects

    return (effects.sharpen(image, sharpen_radius, sigma, alpha),)


@node(
    "ImageQuantize",
    schema="v3",
    category="image/postprocessing",
    description="Reduces a picture to few colours.",
    inputs=[
        Input("image", "IMAGE"),
        Input("colors", "INT", {"default": 256, "min": 1, "max": 256, "step": 1}),
        Input("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"]),
    ],
    outputs=[Output("IMAGE")],
)
def quantize(image: Tensor, colors: int, dither: str) -> tuple[Tensor]:
    from engine.pixels import effects

    return (effects.quantize(image, colors, dither),)


@node(
    "Morphology",
    display_name="ImageMorphology",
    schema="v3",
    category="image/postprocessing",
    description="Grows or shrinks what is bright, or shows what that changes.",
    inputs=[
        Input("image", "IMAGE"),
        Input("operation", ["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"]),
        Input("kernel_size", "INT", {"default": 3, "min": 3, "max": 999, "step": 1}),
    ],
    outputs=[Output("IMAGE")],
)
def morphology(image: Tensor, operation: str, kernel_size: int) -> tuple[Tensor]:
    from engine.pixels import effects

    return (effects.morphology(image, operation, kernel_size),)


@node(
    "Canny",
    schema="v3",
    category="image/preprocessors",
    description="The edges of a picture, white on black.",
    inputs=[
        Input("image", "IMAGE"),
        Input("low_threshold", "FLOAT", {"default": 0.4, "min": 0.01, "max": 0.99, "step": 0.01}),
        Input("high_threshold", "FLOAT", {"default": 0.8, "min": 0.01, "max": 0.99, "step": 0.01}),
    ],
    outputs=[Output("IMAGE")],
)
def canny(image: Tensor, low_threshold: float, high_threshold: float) -> tuple[Tensor]:
    from engine.pixels import effects

    return (effects.canny(image, low_threshold, high_threshold),)


NODES: tuple[NodeDefinition, ...] = (blend, blur, sharpen, quantize, morphology, canny)

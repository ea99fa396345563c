"""Nodes that make conditioning from prompts and combine it.

A conditioning is a list of `[tensor (B, tokens, width), options]`, as custom nodes know it; the
options are never changed in place, because other nodes hold the same list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.clip import Clip

Conditioning = list[list[Any]]
STRENGTH = {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}
PERCENT = {"min": 0.0, "max": 1.0, "step": 0.001}


def with_options(conditioning: Conditioning, options: Mapping[str, Any]) -> Conditioning:
    """The same conditioning with these options set on every piece."""
    return [[tensor, {**old, **options}] for tensor, old in conditioning]


@node(
    "CLIPTextEncode",
    display_name="CLIP Text Encode (Prompt)",
    category="conditioning",
    description="Reads a prompt with the text encoder; what comes out tells the diffusion model what to draw.",
    inputs=[
        Input("text", "STRING", {"multiline": True, "dynamicPrompts": True, "tooltip": "The prompt."}),
        Input("clip", "CLIP", {"tooltip": "The text encoder that reads it."}),
    ],
    outputs=[Output("CONDITIONING", tooltip="The prompt, as the diffusion model reads it.")],
)
def clip_text_encode(text: str, clip: Clip | None) -> tuple[Conditioning]:
    if clip is None:
        raise ValueError("there is no CLIP: the checkpoint before has no text encoder in it")
    states, pooled = clip.encode(text)
    return ([[states, {"pooled_output": pooled}]],)


@node(
    "CLIPSetLastLayer",
    display_name="CLIP Set Last Layer",
    category="conditioning",
    inputs=[
        Input("clip", "CLIP"),
        Input("stop_at_clip_layer", "INT", {"default": -1, "min": -24, "max": -1, "step": 1}),
    ],
    outputs=[Output("CLIP")],
)
def clip_set_last_layer(clip: Clip, stop_at_clip_layer: int) -> tuple[Clip]:
    return (clip.with_layer(stop_at_clip_layer),)


@node(
    "ConditioningCombine",
    display_name="Conditioning (Combine)",
    category="conditioning",
    inputs=[Input("conditioning_1", "CONDITIONING"), Input("conditioning_2", "CONDITIONING")],
    outputs=[Output("CONDITIONING")],
)
def conditioning_combine(conditioning_1: Conditioning, conditioning_2: Conditioning) -> tuple[Conditioning]:
    return (conditioning_1 + conditioning_2,)


@node(
    "ConditioningConcat",
    display_name="Conditioning (Concat)",
    category="conditioning",
    inputs=[Input("conditioning_to", "CONDITIONING"), Input("conditioning_from", "CONDITIONING")],
    outputs=[Output("CONDITIONING")],
)
def conditioning_concat(conditioning_to: Conditioning, conditioning_from: Conditioning) -> tuple[Conditioning]:
    import torch

    second = conditioning_from[0][0]  # further pieces have no place of their own behind each of the first
    return ([[torch.cat((first, second), dim=1), dict(options)] for first, options in conditioning_to],)


@node(
    "ConditioningAverage",
    display_name="ConditioningAverage",
    category="conditioning",
    inputs=[
        Input("conditioning_to", "CONDITIONING"),
        Input("conditioning_from", "CONDITIONING"),
        Input("conditioning_to_strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}),
    ],
    outputs=[Output("CONDITIONING")],
)
def conditioning_average(
    conditioning_to: Conditioning, conditioning_from: Conditioning, conditioning_to_strength: float
) -> tuple[Conditioning]:
    other, other_options = conditioning_from[0]
    share = conditioning_to_strength
    result: Conditioning = []
    for tensor, options in conditioning_to:
        mixed = dict(options)
        pooled, other_pooled = options.get("pooled_output"), other_options.get("pooled_output")
        if other_pooled is not None:
            mixed["pooled_output"] = other_pooled if pooled is None else pooled * share + other_pooled * (1 - share)
        result.append([tensor * share + _as_long(other, tensor) * (1 - share), mixed])
    return (result,)


def _as_long(other: Tensor, tensor: Tensor) -> Tensor:
    """`other` with as many tokens as `tensor`: cut, or zeros behind."""
    import torch.nn.functional as F

    other = other[:, : tensor.shape[1]]
    return F.pad(other, (0, 0, 0, tensor.shape[1] - other.shape[1]))


@node(
    "ConditioningSetArea",
    display_name="Conditioning (Set Area)",
    category="conditioning",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("width", "INT", {"default": 64, "min": 64, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 64, "min": 64, "max": 16384, "step": 8}),
        Input("x", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("y", "INT", {"default": 0, "min": 0, "max": 16384, "step": 8}),
        Input("strength", "FLOAT", STRENGTH),
    ],
    outputs=[Output("CONDITIONING")],
)
def conditioning_set_area(
    conditioning: Conditioning, width: int, height: int, x: int, y: int, strength: float
) -> tuple[Conditioning]:
    area = (height // 8, width // 8, y // 8, x // 8)
    return (with_options(conditioning, {"area": area, "strength": strength, "set_area_to_bounds": False}),)


@node(
    "ConditioningSetMask",
    display_name="Conditioning (Set Mask)",
    category="conditioning",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("mask", "MASK"),
        Input("strength", "FLOAT", STRENGTH),
        Input("set_cond_area", ["default", "mask bounds"]),
    ],
    outputs=[Output("CONDITIONING")],
)
def conditioning_set_mask(
    conditioning: Conditioning, mask: Tensor, strength: float, set_cond_area: str
) -> tuple[Conditioning]:
    bounds = set_cond_area != "default"
    mask = mask[None] if mask.ndim < 3 else mask
    return (with_options(conditioning, {"mask": mask, "set_area_to_bounds": bounds, "mask_strength": strength}),)


@node(
    "ConditioningZeroOut",
    display_name="ConditioningZeroOut",
    category="advanced/conditioning",
    inputs=[Input("conditioning", "CONDITIONING")],
    outputs=[Output("CONDITIONING")],
)
def conditioning_zero_out(conditioning: Conditioning) -> tuple[Conditioning]:
    import torch

    result: Conditioning = []
    for tensor, options in conditioning:
        pooled = options.get("pooled_output")
        kept = dict(options) if pooled is None else {**options, "pooled_output": torch.zeros_like(pooled)}
        result.append([torch.zeros_like(tensor), kept])
    return (result,)


@node(
    "ConditioningSetTimestepRange",
    display_name="ConditioningSetTimestepRange",
    category="advanced/conditioning",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("start", "FLOAT", {"default": 0.0, **PERCENT}),
        Input("end", "FLOAT", {"default": 1.0, **PERCENT}),
    ],
    outputs=[Output("CONDITIONING")],
)
def conditioning_set_timestep_range(conditioning: Conditioning, start: float, end: float) -> tuple[Conditioning]:
    return (with_options(conditioning, {"start_percent": start, "end_percent": end}),)


NODES: tuple[NodeDefinition, ...] = (
    clip_text_encode,
    clip_set_last_layer,
    conditioning_average,
    conditioning_combine,
    conditioning_concat,
    conditioning_set_area,
    conditioning_set_mask,
    conditioning_zero_out,
    conditioning_set_timestep_range,
)

"""Nodes that say where a prompt counts in shares of the picture, and how much."""

from __future__ import annotations

from engine.nodes.conditioning import Conditioning, with_options
from engine.nodes.definition import Input, NodeDefinition, Output, node


@node(
    "ConditioningSetAreaPercentage",
    display_name="Conditioning (Set Area with Percentage)",
    category="conditioning",
    description="The prompt counts in a part of the picture, told in shares of its sides.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("width", "FLOAT", {"default": 1.0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("height", "FLOAT", {"default": 1.0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("x", "FLOAT", {"default": 0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("y", "FLOAT", {"default": 0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def set_area_percentage(
    conditioning: Conditioning, width: float, height: float, x: float, y: float, strength: float
) -> tuple[Conditioning]:
    area = ("percentage", height, width, y, x)
    return (with_options(conditioning, {"area": area, "strength": strength, "set_area_to_bounds": False}),)


@node(
    "ConditioningSetAreaPercentageVideo",
    category="conditioning",
    description="The prompt counts in a part of the video, told in shares of its sides and length.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("width", "FLOAT", {"default": 1.0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("height", "FLOAT", {"default": 1.0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("temporal", "FLOAT", {"default": 1.0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("x", "FLOAT", {"default": 0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("y", "FLOAT", {"default": 0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("z", "FLOAT", {"default": 0, "min": 0, "max": 1.0, "step": 0.01}),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def set_area_percentage_video(
    conditioning: Conditioning,
    width: float,
    height: float,
    temporal: float,
    x: float,
    y: float,
    z: float,
    strength: float,
) -> tuple[Conditioning]:
    area = ("percentage", temporal, height, width, z, y, x)
    return (with_options(conditioning, {"area": area, "strength": strength, "set_area_to_bounds": False}),)


@node(
    "ConditioningSetAreaStrength",
    category="conditioning",
    description="How much the prompt counts beside others.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def set_area_strength(conditioning: Conditioning, strength: float) -> tuple[Conditioning]:
    return (with_options(conditioning, {"strength": strength}),)


NODES: tuple[NodeDefinition, ...] = (
    set_area_percentage,
    set_area_percentage_video,
    set_area_strength,
)

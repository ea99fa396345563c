"""Nodes that calculate with latents: sums, mixes, cuts, operations on their vectors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.diffusion import DiffusionModel
    from engine.models.latent_ops import Operation
    from engine.sampling.hooks import Answer

Latent = dict[str, Any]


def _pair(samples1: Latent, samples2: Latent) -> tuple[Tensor, Tensor]:
    """Both tensors, the second with the size and the batch of the first. Raises `ValueError`."""
    from engine.models.latent_ops import fit, to_batch

    first, second = samples1["samples"], samples2["samples"]
    if first.ndim != second.ndim or first.shape[1] != second.shape[1]:
        raise ValueError(f"latents of two families do not go together: {tuple(first.shape)} and {tuple(second.shape)}")
    return first, to_batch(fit(second, first), len(first))


@node(
    "LatentAdd",
    schema="v3",
    category="latent/advanced",
    description="The sum of two latents.",
    inputs=[
        Input("samples1", "LATENT"),
        Input("samples2", "LATENT"),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_add(samples1: Latent, samples2: Latent) -> tuple[Latent]:
    first, second = _pair(samples1, samples2)
    return ({**samples1, "samples": first + second},)


@node(
    "LatentSubtract",
    schema="v3",
    category="latent/advanced",
    description="The first latent less the second.",
    inputs=[
        Input("samples1", "LATENT"),
        Input("samples2", "LATENT"),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_subtract(samples1: Latent, samples2: Latent) -> tuple[Latent]:
    first, second = _pair(samples1, samples2)
    return ({**samples1, "samples": first - second},)


@node(
    "LatentMultiply",
    schema="v3",
    category="latent/advanced",
    description="A latent times a number.",
    inputs=[
        Input("samples", "LATENT"),
        Input("multiplier", "FLOAT", {"default": 1.0, "min": -10.0, "max": 10.0, "step": 0.01}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_multiply(samples: Latent, multiplier: float) -> tuple[Latent]:
    return ({**samples, "samples": samples["samples"] * multiplier},)


@node(
    "LatentInterpolate",
    schema="v3",
    category="latent/advanced",
    description="Between two latents, keeping the length of their vectors; ratio is the first one's share.",
    inputs=[
        Input("samples1", "LATENT"),
        Input("samples2", "LATENT"),
        Input("ratio", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_interpolate(samples1: Latent, samples2: Latent, ratio: float) -> tuple[Latent]:
    from engine.models.latent_ops import between

    return ({**samples1, "samples": between(*_pair(samples1, samples2), ratio)},)


@node(
    "LatentBlend",
    display_name="Latent Blend",
    category="_for_testing",
    description="Two latents mixed; blend_factor is the first one's share.",
    inputs=[
        Input("samples1", "LATENT"),
        Input("samples2", "LATENT"),
        Input("blend_factor", "FLOAT", {"default": 0.5, "min": 0, "max": 1, "step": 0.01}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_blend(samples1: Latent, samples2: Latent, blend_factor: float) -> tuple[Latent]:
    from engine.models.latents import resize

    first, second = samples1["samples"], samples2["samples"]
    if first.shape != second.shape:
        second = resize(second, first.shape[-1], first.shape[-2], "bicubic", "center")
    return ({**samples1, "samples": first * blend_factor + second * (1 - blend_factor)},)


@node(
    "LatentConcat",
    schema="v3",
    category="latent/advanced",
    description="One latent beside, below or after the other; a minus puts the second one first.",
    inputs=[
        Input("samples1", "LATENT"),
        Input("samples2", "LATENT"),
        Input("dim", ["x", "-x", "y", "-y", "t", "-t"]),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_concat(samples1: Latent, samples2: Latent, dim: str) -> tuple[Latent]:
    import torch

    from engine.models.latent_ops import AXES, to_batch

    first = samples1["samples"]
    second = to_batch(samples2["samples"], len(first))
    axis = AXES[dim[-1]]
    if first.ndim != second.ndim or any(
        a != b for i, (a, b) in enumerate(zip(first.shape, second.shape, strict=True)) if i != first.ndim + axis
    ):
        raise ValueError(f"{tuple(first.shape)} and {tuple(second.shape)} do not line up along {dim[-1]}")
    return ({**samples1, "samples": torch.cat((second, first) if dim[0] == "-" else (first, second), dim=axis)},)


@node(
    "LatentCut",
    schema="v3",
    category="latent/advanced",
    description="Some rows, columns or frames of a latent.",
    inputs=[
        Input("samples", "LATENT"),
        Input("dim", ["x", "y", "t"]),
        Input("index", "INT", {"default": 0, "min": -16384, "max": 16384, "step": 1}),
        Input("amount", "INT", {"default": 1, "min": 1, "max": 16384, "step": 1}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_cut(samples: Latent, dim: str, index: int, amount: int) -> tuple[Latent]:
    from engine.models.latent_ops import cut

    return ({**samples, "samples": cut(samples["samples"], dim, index, amount)},)


@node(
    "LatentCutToBatch",
    schema="v3",
    category="latent/advanced",
    description="A latent in slices, as a batch.",
    inputs=[
        Input("samples", "LATENT"),
        Input("dim", ["t", "x", "y"]),
        Input("slice_size", "INT", {"default": 1, "min": 1, "max": 16384, "step": 1}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_cut_to_batch(samples: Latent, dim: str, slice_size: int) -> tuple[Latent]:
    from engine.models.latent_ops import cut_to_batch

    return ({**samples, "samples": cut_to_batch(samples["samples"], dim, slice_size)},)


@node(
    "LatentApplyOperation",
    schema="v3",
    category="latent/advanced/operations",
    description="Does an operation on a latent.",
    experimental=True,
    inputs=[
        Input("samples", "LATENT"),
        Input("operation", "LATENT_OPERATION"),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_apply_operation(samples: Latent, operation: Operation) -> tuple[Latent]:
    return ({**samples, "samples": operation(samples["samples"])},)


@node(
    "LatentOperationTonemapReinhard",
    schema="v3",
    category="latent/advanced/operations",
    description="Tames values that are too large, as high guidance makes them.",
    experimental=True,
    inputs=[
        Input("multiplier", "FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0, "step": 0.01}),
    ],
    outputs=[
        Output("LATENT_OPERATION"),
    ],
)
def latent_operation_tonemap(multiplier: float) -> tuple[Operation]:
    from engine.models.latent_ops import tonemap_reinhard

    return (partial(tonemap_reinhard, multiplier=multiplier),)


@node(
    "LatentOperationSharpen",
    schema="v3",
    category="latent/advanced/operations",
    description="Sharpens a latent.",
    experimental=True,
    inputs=[
        Input("sharpen_radius", "INT", {"default": 9, "min": 1, "max": 31, "step": 1}),
        Input("sigma", "FLOAT", {"default": 1.0, "min": 0.1, "max": 10.0, "step": 0.1}),
        Input("alpha", "FLOAT", {"default": 0.1, "min": 0.0, "max": 5.0, "step": 0.01}),
    ],
    outputs=[
        Output("LATENT_OPERATION"),
    ],
)
def latent_operation_sharpen(sharpen_radius: int, sigma: float, alpha: float) -> tuple[Operation]:
    from engine.models.latent_ops import sharpen

    return (partial(sharpen, radius=sharpen_radius, sigma=sigma, alpha=alpha),)


@node(
    "LatentApplyOperationCFG",
    schema="v3",
    category="latent/advanced/operations",
    description="Does an operation on what guidance adds to the negative prompt, at each step.",
    experimental=True,
    inputs=[
        Input("model", "MODEL"),
        Input("operation", "LATENT_OPERATION"),
    ],
    outputs=[
        Output("MODEL"),
    ],
)
def latent_apply_operation_cfg(model: DiffusionModel, operation: Operation) -> tuple[DiffusionModel]:
    from dataclasses import replace

    def change(answer: Answer) -> Answer:
        if answer.negative is answer.positive:  # at a CFG of 1 there is one side only
            changed = operation(answer.positive)
            return replace(answer, positive=changed, negative=changed)
        return replace(answer, positive=operation(answer.positive - answer.negative) + answer.negative)

    return (model.with_hooks(pre=(change,)),)


NODES: tuple[NodeDefinition, ...] = (
    latent_add,
    latent_subtract,
    latent_multiply,
    latent_interpolate,
    latent_blend,
    latent_concat,
    latent_cut,
    latent_cut_to_batch,
    latent_apply_operation,
    latent_operation_tonemap,
    latent_operation_sharpen,
    latent_apply_operation_cfg,
)

"""Nodes that weigh a UNet's attention: its queries, keys, values and outputs multiplied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.diffusion import DiffusionModel

FACTOR = {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}
INPUTS = [Input("model", "MODEL", {}), *(Input(name, "FLOAT", FACTOR) for name in ("q", "k", "v", "out"))]


def _multiplied(model: DiffusionModel, attention: str, factors: dict[str, float]) -> DiffusionModel:
    """The model with the weights of every `attention` (`attn1`: self, `attn2`: cross) multiplied."""
    from engine.models.patches import WeightPatch

    def nothing(weight: Tensor) -> Tensor:
        return weight.new_zeros(weight.shape)

    patches = [
        WeightPatch(key, nothing, keep=factor)
        for key, _ in model.network.named_parameters()
        for part, factor in factors.items()
        if factor != 1 and f".{attention}.{part}." in key
    ]
    return model.with_weights(*patches)


@node(
    "UNetSelfAttentionMultiply",
    schema="v3",
    category="_for_testing/attention_experiments",
    experimental=True,
    inputs=INPUTS,
    outputs=[Output("MODEL")],
)
def self_attention(model: DiffusionModel, q: float, k: float, v: float, out: float) -> tuple[DiffusionModel]:
    return (_multiplied(model, "attn1", {"to_q": q, "to_k": k, "to_v": v, "to_out.0": out}),)


@node(
    "UNetCrossAttentionMultiply",
    schema="v3",
    category="_for_testing/attention_experiments",
    experimental=True,
    inputs=INPUTS,
    outputs=[Output("MODEL")],
)
def cross_attention(model: DiffusionModel, q: float, k: float, v: float, out: float) -> tuple[DiffusionModel]:
    return (_multiplied(model, "attn2", {"to_q": q, "to_k": k, "to_v": v, "to_out.0": out}),)


NODES: tuple[NodeDefinition, ...] = (self_attention, cross_attention)

"""Nodes that give a model other noise levels: shifted paths of flow matching, and continuous ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from engine.models.diffusion import DiffusionModel

MODEL = Input("model", "MODEL")
OUT = [Output("MODEL")]
SHIFT = {"min": 0.0, "max": 100.0, "step": 0.01}
END = {"min": 0.0, "max": 1000.0, "step": 0.001, "round": False}


@node(
    "ModelSamplingAuraFlow",
    category="advanced/model",
    inputs=[MODEL, Input("shift", "FLOAT", {"default": 1.73, **SHIFT})],
    outputs=OUT,
)
def aura_flow(model: DiffusionModel, shift: float) -> tuple[DiffusionModel]:
    from engine.sampling.parametrization import Prediction, flow_sigmas

    if shift <= 0:
        raise ValueError("shift must be above 0")
    return (model.with_parametrization(sigmas=flow_sigmas(shift, multiplier=1.0), prediction=Prediction.FLOW),)


@node(
    "ModelSamplingFlux",
    category="advanced/model",
    inputs=[
        MODEL,
        Input("max_shift", "FLOAT", {"default": 1.15, **SHIFT}),
        Input("base_shift", "FLOAT", {"default": 0.5, **SHIFT}),
        Input("width", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 8}),
    ],
    outputs=OUT,
)
def flux(model: DiffusionModel, max_shift: float, base_shift: float, width: int, height: int) -> tuple[DiffusionModel]:
    from engine.sampling.parametrization import Prediction, flow_sigmas

    # linear in the number of tokens (16×16 pixels each), from 256 tokens to 4096
    tokens = width * height / 256
    shift = base_shift + (max_shift - base_shift) * (tokens - 256) / (4096 - 256)
    sigmas = flow_sigmas(shift, multiplier=1.0, steps=10000, exponential=True)
    return (model.with_parametrization(sigmas=sigmas, prediction=Prediction.FLOW),)


@node(
    "ModelSamplingContinuousEDM",
    category="advanced/model",
    inputs=[
        MODEL,
        Input("sampling", ["v_prediction", "edm", "edm_playground_v2.5", "eps", "cosmos_rflow"]),
        Input("sigma_max", "FLOAT", {"default": 120.0, **END}),
        Input("sigma_min", "FLOAT", {"default": 0.002, **END}),
    ],
    outputs=OUT,
)
def continuous_edm(model: DiffusionModel, sampling: str, sigma_max: float, sigma_min: float) -> tuple[DiffusionModel]:
    from engine.sampling.parametrization import Prediction, log_sigmas

    kinds = {
        "v_prediction": (Prediction.V, 1.0),
        "edm": (Prediction.EDM, 0.5),
        "eps": (Prediction.EPS, 1.0),
    }
    if sampling not in kinds:
        family = "Playground v2.5" if sampling.startswith("edm_playground") else "Cosmos"
        raise ValueError(f"{sampling} is made for {family}, a family that this engine does not load yet")
    prediction, data = kinds[sampling]
    sigmas = log_sigmas(sigma_min, sigma_max)
    if not math.isfinite(sigmas.maximum):
        raise ValueError(f"sigma_max {sigma_max} is too large")
    return (model.with_parametrization(sigmas=sigmas, prediction=prediction, data=data),)


NODES: tuple[NodeDefinition, ...] = (aura_flow, flux, continuous_edm)

"""Nodes that make and cut noise levels (type `SIGMAS`: float32, falling)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.sampling.schedules import SCHEDULES

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.diffusion import DiffusionModel

MAKE, CUT = "sampling/custom_sampling/schedulers", "sampling/custom_sampling/sigmas"
SIGMAS = [Output("SIGMAS")]
STEPS = Input("steps", "INT", {"default": 20, "min": 1, "max": 10000})
MODEL = Input("model", "MODEL", {})
GIVEN = Input("sigmas", "SIGMAS", {})
SHARE: dict[str, Any] = {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}
FINE: dict[str, Any] = {"step": 0.01, "round": False}
ENDS = [
    Input("sigma_max", "FLOAT", {"default": 14.614642, "min": 0.0, "max": 5000.0, **FINE}),
    Input("sigma_min", "FLOAT", {"default": 0.0291675, "min": 0.0, "max": 5000.0, **FINE}),
]


@node(
    "BasicScheduler",
    schema="v3",
    category=MAKE,
    inputs=[
        MODEL,
        Input("scheduler", "COMBO", {"multiselect": False, "options": list(SCHEDULES)}),
        STEPS,
        Input("denoise", "FLOAT", SHARE),
    ],
    outputs=SIGMAS,
)
def basic(model: DiffusionModel, scheduler: str, steps: int, denoise: float) -> tuple[Tensor]:
    import torch

    if denoise <= 0:
        return (torch.empty(0),)
    total = steps if denoise >= 1 else int(steps / denoise)
    return (SCHEDULES[scheduler](model.sigmas, total)[-(steps + 1) :],)


@node(
    "BetaSamplingScheduler",
    schema="v3",
    category=MAKE,
    inputs=[
        MODEL,
        STEPS,
        Input("alpha", "FLOAT", {"default": 0.6, "min": 0.0, "max": 50.0, **FINE}),
        Input("beta", "FLOAT", {"default": 0.6, "min": 0.0, "max": 50.0, **FINE}),
    ],
    outputs=SIGMAS,
)
def beta_(model: DiffusionModel, steps: int, alpha: float, beta: float) -> tuple[Tensor]:
    from engine.sampling import schedules

    return (schedules.beta(model.sigmas, steps, alpha, beta),)


@node("ExponentialScheduler", schema="v3", category=MAKE, inputs=[STEPS, *ENDS], outputs=SIGMAS)
def exponential(steps: int, sigma_max: float, sigma_min: float) -> tuple[Tensor]:
    from engine.sampling.ramps import polyexponential

    return (polyexponential(steps, sigma_max, sigma_min, 1.0),)


@node(
    "KarrasScheduler",
    schema="v3",
    category=MAKE,
    inputs=[STEPS, *ENDS, Input("rho", "FLOAT", {"default": 7.0, "min": 0.0, "max": 100.0, **FINE})],
    outputs=SIGMAS,
)
def karras(steps: int, sigma_max: float, sigma_min: float, rho: float) -> tuple[Tensor]:
    from engine.sampling.ramps import karras

    return (karras(steps, sigma_max, sigma_min, rho),)


@node(
    "PolyexponentialScheduler",
    schema="v3",
    category=MAKE,
    inputs=[STEPS, *ENDS, Input("rho", "FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0, **FINE})],
    outputs=SIGMAS,
)
def polyexponential(steps: int, sigma_max: float, sigma_min: float, rho: float) -> tuple[Tensor]:
    from engine.sampling.ramps import polyexponential

    return (polyexponential(steps, sigma_max, sigma_min, rho),)


@node(
    "LaplaceScheduler",
    schema="v3",
    category=MAKE,
    inputs=[
        STEPS,
        *ENDS,
        Input("mu", "FLOAT", {"default": 0.0, "min": -10.0, "max": 10.0, "step": 0.1, "round": False}),
        Input("beta", "FLOAT", {"default": 0.5, "min": 0.0, "max": 10.0, "step": 0.1, "round": False}),
    ],
    outputs=SIGMAS,
)
def laplace(steps: int, sigma_max: float, sigma_min: float, mu: float, beta: float) -> tuple[Tensor]:
    from engine.sampling.ramps import laplace

    return (laplace(steps, sigma_max, sigma_min, mu, beta),)


@node(
    "VPScheduler",
    schema="v3",
    category=MAKE,
    inputs=[
        STEPS,
        Input("beta_d", "FLOAT", {"default": 19.9, "min": 0.0, "max": 5000.0, **FINE}),
        Input("beta_min", "FLOAT", {"default": 0.1, "min": 0.0, "max": 5000.0, **FINE}),
        Input("eps_s", "FLOAT", {"default": 0.001, "min": 0.0, "max": 1.0, "step": 0.0001, "round": False}),
    ],
    outputs=SIGMAS,
)
def vp(steps: int, beta_d: float, beta_min: float, eps_s: float) -> tuple[Tensor]:
    from engine.sampling.ramps import vp

    return (vp(steps, beta_d, beta_min, eps_s),)


@node(
    "SDTurboScheduler",
    schema="v3",
    category=MAKE,
    inputs=[
        MODEL,
        Input("steps", "INT", {"default": 1, "min": 1, "max": 10}),
        Input("denoise", "FLOAT", {"default": 1.0, "min": 0, "max": 1.0, "step": 0.01}),
    ],
    outputs=SIGMAS,
)
def sd_turbo(model: DiffusionModel, steps: int, denoise: float) -> tuple[Tensor]:
    import torch

    # the ten steps that SD Turbo was distilled on (Sauer et al. 2023, arXiv:2311.17042)
    start = 10 - int(10 * denoise)
    trained = torch.arange(999, 0, -100)[start : start + steps]
    return (torch.cat([model.sigmas.sigma(trained), torch.zeros(1)]),)


@node("FlipSigmas", schema="v3", category=CUT, inputs=[GIVEN], outputs=SIGMAS)
def flip(sigmas: Tensor) -> tuple[Tensor]:
    if not len(sigmas):
        return (sigmas,)
    turned = sigmas.flip(0).clone()
    if turned[0] == 0:
        turned[0] = 0.0001  # samplers divide by the first level
    return (turned,)


HALVES = [Output("SIGMAS", "high_sigmas"), Output("SIGMAS", "low_sigmas")]


@node(
    "SplitSigmas",
    schema="v3",
    category=CUT,
    inputs=[GIVEN, Input("step", "INT", {"default": 0, "min": 0, "max": 10000})],
    outputs=HALVES,
)
def split(sigmas: Tensor, step: int) -> tuple[Tensor, Tensor]:
    return sigmas[: step + 1], sigmas[step:]


@node("SplitSigmasDenoise", schema="v3", category=CUT, inputs=[GIVEN, Input("denoise", "FLOAT", SHARE)], outputs=HALVES)
def split_denoise(sigmas: Tensor, denoise: float) -> tuple[Tensor, Tensor]:
    steps = max(len(sigmas) - 1, 0)
    first = steps - round(steps * denoise)
    return sigmas[: first + 1], sigmas[first:]


@node(
    "SetFirstSigma",
    schema="v3",
    category=CUT,
    inputs=[
        GIVEN,
        Input("sigma", "FLOAT", {"default": 136.0, "min": 0.0, "max": 20000.0, "step": 0.001, "round": False}),
    ],
    outputs=SIGMAS,
)
def set_first(sigmas: Tensor, sigma: float) -> tuple[Tensor]:
    changed = sigmas.clone()
    changed[:1] = sigma
    return (changed,)


@node(
    "SamplingPercentToSigma",
    schema="v3",
    category=CUT,
    inputs=[
        MODEL,
        Input("sampling_percent", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.0001}),
        Input(
            "return_actual_sigma",
            "BOOLEAN",
            {"tooltip": "At 0 and 1, give the model's own ends instead of values beyond all levels.", "default": False},
        ),
    ],
    outputs=[Output("FLOAT", "sigma_value")],
)
def percent_to_sigma(model: DiffusionModel, sampling_percent: float, return_actual_sigma: bool) -> tuple[float]:
    if return_actual_sigma and sampling_percent <= 0:
        return (model.sigmas.maximum,)
    if return_actual_sigma and sampling_percent >= 1:
        return (model.sigmas.minimum,)
    return (model.sigmas.at_percent(sampling_percent),)


@node(
    "ManualSigmas",
    schema="v3",
    category="_for_testing/custom_sampling",
    experimental=True,
    inputs=[Input("sigmas", "STRING", {"default": "1, 0.5", "multiline": False})],
    outputs=SIGMAS,
)
def manual(sigmas: str) -> tuple[Tensor]:
    import torch

    return (torch.tensor([float(n) for n in re.findall(r"[-+]?(?:\d*\.\d+|\d+\.?)(?:[eE][-+]?\d+)?", sigmas)]),)


NODES: tuple[NodeDefinition, ...] = (
    basic,
    beta_,
    exponential,
    karras,
    polyexponential,
    laplace,
    vp,
    sd_turbo,
    flip,
    split,
    split_denoise,
    set_first,
    percent_to_sigma,
    manual,
)

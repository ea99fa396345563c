"""Nodes of sampling in pieces: guiders, noise, samplers, and the two that put them together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.nodes.sampling import CFG, SEED, Latent, fitting, told
from engine.sampling.samplers import SAMPLERS, Entry

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.diffusion import DiffusionModel
    from engine.sampling.run import Guider, Noise

GROUP = "sampling/custom_sampling"
TWO = [Output("LATENT", "output"), Output("LATENT", "denoised_output")]
REAL = {"min": 0.0, "max": 100.0, "step": 0.01, "round": False}


def _sample(
    guider: Guider, noise: Noise, sampler: Entry, sigmas: Tensor, latent: Latent, context: NodeContext, seed: int = 0
) -> tuple[Latent, Latent]:
    from engine.sampling.run import sample_levels

    model: Any = guider.model
    found, last = sample_levels(
        guider,
        fitting(latent["samples"], model),
        sampler,
        sigmas,
        noise,
        seed=seed,
        mask=latent.get("noise_mask"),
        batch_index=latent.get("batch_index"),
        on_step=told(model, context),
        check=context.check,
    )
    return {**latent, "samples": found}, {**latent, "samples": last}


@node(
    "SamplerCustom",
    schema="v3",
    category=GROUP,
    inputs=[
        Input("model", "MODEL", {}),
        Input("add_noise", "BOOLEAN", {"default": True}),
        Input("noise_seed", "INT", SEED),
        Input("cfg", "FLOAT", CFG),
        Input("positive", "CONDITIONING", {}),
        Input("negative", "CONDITIONING", {}),
        Input("sampler", "SAMPLER", {}),
        Input("sigmas", "SIGMAS", {}),
        Input("latent_image", "LATENT", {}),
    ],
    outputs=TWO,
)
def sampler_custom(
    model: DiffusionModel,
    add_noise: bool,
    noise_seed: int,
    cfg: float,
    positive: list[Any],
    negative: list[Any],
    sampler: Entry,
    sigmas: Tensor,
    latent_image: Latent,
    context: NodeContext,
) -> tuple[Latent, Latent]:
    from engine.sampling.run import Guider, Noise

    guider = Guider(model, positive, negative, cfg)
    noise = Noise(noise_seed if add_noise else None)
    return _sample(guider, noise, sampler, sigmas, latent_image, context, noise_seed)


@node(
    "SamplerCustomAdvanced",
    schema="v3",
    category=GROUP,
    inputs=[
        Input("noise", "NOISE", {}),
        Input("guider", "GUIDER", {}),
        Input("sampler", "SAMPLER", {}),
        Input("sigmas", "SIGMAS", {}),
        Input("latent_image", "LATENT", {}),
    ],
    outputs=TWO,
)
def sampler_custom_advanced(
    noise: Noise, guider: Guider, sampler: Entry, sigmas: Tensor, latent_image: Latent, context: NodeContext
) -> tuple[Latent, Latent]:
    return _sample(guider, noise, sampler, sigmas, latent_image, context, noise.seed or 0)


@node(
    "BasicGuider",
    schema="v3",
    category=f"{GROUP}/guiders",
    inputs=[Input("model", "MODEL", {}), Input("conditioning", "CONDITIONING", {})],
    outputs=[Output("GUIDER")],
)
def basic_guider(model: DiffusionModel, conditioning: list[Any]) -> tuple[Guider]:
    from engine.sampling.run import Guider

    return (Guider(model, conditioning, conditioning, 1.0),)


@node(
    "CFGGuider",
    schema="v3",
    category=f"{GROUP}/guiders",
    inputs=[
        Input("model", "MODEL", {}),
        Input("positive", "CONDITIONING", {}),
        Input("negative", "CONDITIONING", {}),
        Input("cfg", "FLOAT", CFG),
    ],
    outputs=[Output("GUIDER")],
)
def cfg_guider(model: DiffusionModel, positive: list[Any], negative: list[Any], cfg: float) -> tuple[Guider]:
    from engine.sampling.run import Guider

    return (Guider(model, positive, negative, cfg),)


@node(
    "DualCFGGuider",
    schema="v3",
    category=f"{GROUP}/guiders",
    inputs=[
        Input("model", "MODEL", {}),
        Input("cond1", "CONDITIONING", {}),
        Input("cond2", "CONDITIONING", {}),
        Input("negative", "CONDITIONING", {}),
        Input("cfg_conds", "FLOAT", CFG),
        Input("cfg_cond2_negative", "FLOAT", CFG),
        Input("style", "COMBO", {"multiselect": False, "options": ["regular", "nested"]}),
    ],
    outputs=[Output("GUIDER")],
)
def dual_cfg_guider(
    model: DiffusionModel,
    cond1: list[Any],
    cond2: list[Any],
    negative: list[Any],
    cfg_conds: float,
    cfg_cond2_negative: float,
    style: str,
) -> tuple[Guider]:
    from engine.sampling.methods import dual
    from engine.sampling.run import Guider

    return (Guider(model, cond1, negative, cfg_conds, cond2, dual(cfg_conds, cfg_cond2_negative, style == "nested")),)


@node(
    "PerpNegGuider",
    schema="v3",
    category="_for_testing",
    experimental=True,
    inputs=[
        Input("model", "MODEL", {}),
        Input("positive", "CONDITIONING", {}),
        Input("negative", "CONDITIONING", {}),
        Input("empty_conditioning", "CONDITIONING", {}),
        Input("cfg", "FLOAT", CFG),
        Input("neg_scale", "FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0, "step": 0.01}),
    ],
    outputs=[Output("GUIDER")],
)
def perp_neg_guider(
    model: DiffusionModel,
    positive: list[Any],
    negative: list[Any],
    empty_conditioning: list[Any],
    cfg: float,
    neg_scale: float,
) -> tuple[Guider]:
    from engine.sampling.methods import perpendicular
    from engine.sampling.run import Guider

    return (Guider(model, positive, negative, cfg, empty_conditioning, perpendicular(neg_scale)),)


@node("DisableNoise", schema="v3", category=f"{GROUP}/noise", outputs=[Output("NOISE")])
def disable_noise() -> tuple[Noise]:
    from engine.sampling.run import Noise

    return (Noise(None),)


@node(
    "RandomNoise",
    schema="v3",
    category=f"{GROUP}/noise",
    inputs=[Input("noise_seed", "INT", SEED)],
    outputs=[Output("NOISE")],
)
def random_noise(noise_seed: int) -> tuple[Noise]:
    from engine.sampling.run import Noise

    return (Noise(noise_seed),)


@node(
    "KSamplerSelect",
    schema="v3",
    category=f"{GROUP}/samplers",
    inputs=[Input("sampler_name", "COMBO", {"multiselect": False, "options": list(SAMPLERS)})],
    outputs=[Output("SAMPLER")],
)
def ksampler_select(sampler_name: str) -> tuple[Entry]:
    return (SAMPLERS[sampler_name],)


@node(
    "SamplerSEEDS2",
    schema="v3",
    category=f"{GROUP}/samplers",
    description="SEEDS-2 with its options; exponential Heun is solver phi_2 with r = 1.",
    inputs=[
        Input("solver_type", "COMBO", {"multiselect": False, "options": ["phi_1", "phi_2"]}),
        Input("eta", "FLOAT", {**REAL, "default": 1.0, "tooltip": "How much noise comes back at each step."}),
        Input("s_noise", "FLOAT", {**REAL, "default": 1.0, "tooltip": "The strength of that noise."}),
        Input(
            "r",
            "FLOAT",
            {"default": 0.5, "min": 0.01, "max": 1.0, "step": 0.01, "round": False, "tooltip": "The inner point."},
        ),
    ],
    outputs=[Output("SAMPLER")],
)
def sampler_seeds_2(solver_type: str, eta: float, s_noise: float, r: float) -> tuple[Entry]:
    from engine.sampling.options import with_noise
    from engine.sampling.stochastic import seeds_2

    return (Entry(with_noise(partial(seeds_2, eta=eta, r=r, second=solver_type == "phi_2"), s_noise)),)


@node(
    "SamplerEulerAncestral",
    schema="v3",
    category=f"{GROUP}/samplers",
    inputs=[Input("eta", "FLOAT", {**REAL, "default": 1.0}), Input("s_noise", "FLOAT", {**REAL, "default": 1.0})],
    outputs=[Output("SAMPLER")],
)
def sampler_euler_ancestral(eta: float, s_noise: float) -> tuple[Entry]:
    from engine.sampling.euler import euler_ancestral
    from engine.sampling.options import with_noise

    return (Entry(with_noise(partial(euler_ancestral, eta=eta), s_noise)),)


@node(
    "SamplerDPMPP_2S_Ancestral",
    schema="v3",
    category=f"{GROUP}/samplers",
    inputs=[Input("eta", "FLOAT", {**REAL, "default": 1.0}), Input("s_noise", "FLOAT", {**REAL, "default": 1.0})],
    outputs=[Output("SAMPLER")],
)
def sampler_dpmpp_2s_ancestral(eta: float, s_noise: float) -> tuple[Entry]:
    from engine.sampling.dpm_solver import dpmpp_2s_ancestral
    from engine.sampling.options import with_noise

    return (Entry(with_noise(partial(dpmpp_2s_ancestral, eta=eta), s_noise)),)


@node(
    "SamplerEulerAncestralCFGPP",
    display_name="SamplerEulerAncestralCFG++",
    schema="v3",
    category=f"{GROUP}/samplers",
    inputs=[
        Input("eta", "FLOAT", {**REAL, "default": 1.0, "max": 1.0}),
        Input("s_noise", "FLOAT", {**REAL, "default": 1.0, "max": 10.0}),
    ],
    outputs=[Output("SAMPLER")],
)
def sampler_euler_ancestral_cfg_pp(eta: float, s_noise: float) -> tuple[Entry]:
    from engine.sampling.cfg_pp import euler_ancestral_cfg_pp
    from engine.sampling.options import with_noise

    return (Entry(with_noise(partial(euler_ancestral_cfg_pp, eta=eta), s_noise)),)


@node(
    "SamplerLMS",
    schema="v3",
    category=f"{GROUP}/samplers",
    inputs=[Input("order", "INT", {"default": 4, "min": 1, "max": 100})],
    outputs=[Output("SAMPLER")],
)
def sampler_lms(order: int) -> tuple[Entry]:
    from engine.sampling.euler import lms

    return (Entry(partial(lms, order=order)),)


NODES: tuple[NodeDefinition, ...] = (
    sampler_custom,
    sampler_custom_advanced,
    basic_guider,
    cfg_guider,
    dual_cfg_guider,
    perp_neg_guider,
    disable_noise,
    random_noise,
    ksampler_select,
    sampler_seeds_2,
    sampler_euler_ancestral,
    sampler_dpmpp_2s_ancestral,
    sampler_euler_ancestral_cfg_pp,
    sampler_lms,
)

"""Nodes that give back a changed copy of a model: its parametrization, guidance, or network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.diffusion import DiffusionModel
    from engine.sampling.hooks import Answer

MODEL = Input("model", "MODEL", {})
OLD = Input("model", "MODEL")
OUT, PATCHED = [Output("MODEL")], [Output("MODEL", "patched_model")]
ADVANCED, UNET = "advanced/model", "model_patches/unet"


def _four(defaults: tuple[float, ...]) -> list[Input]:
    names = ("b1", "b2", "s1", "s2")
    return [
        Input(n, "FLOAT", {"default": d, "min": 0.0, "max": 10.0, "step": 0.01})
        for n, d in zip(names, defaults, strict=True)
    ]


@node("FreeU", schema="v3", category=UNET, inputs=[MODEL, *_four((1.1, 1.2, 0.9, 0.2))], outputs=OUT)
def freeu_1(model: DiffusionModel, b1: float, b2: float, s1: float, s2: float) -> tuple[DiffusionModel]:
    from engine.models.patches_unet import freeu

    return (model.with_network(freeu(b1, b2, s1, s2, second=False)),)


@node("FreeU_V2", schema="v3", category=UNET, inputs=[MODEL, *_four((1.3, 1.4, 0.9, 0.2))], outputs=OUT)
def freeu_2(model: DiffusionModel, b1: float, b2: float, s1: float, s2: float) -> tuple[DiffusionModel]:
    from engine.models.patches_unet import freeu

    return (model.with_network(freeu(b1, b2, s1, s2)),)


@node(
    "PerturbedAttentionGuidance",
    schema="v3",
    category=UNET,
    inputs=[MODEL, Input("scale", "FLOAT", {"default": 3.0, "min": 0.0, "max": 100.0, "step": 0.01, "round": 0.01})],
    outputs=OUT,
)
def perturbed_attention(model: DiffusionModel, scale: float) -> tuple[DiffusionModel]:
    from engine.models.patches_unet import ValuesOnly, middle_self_attention
    from engine.sampling.methods import perturbed

    weak = model.changed([middle_self_attention(ValuesOnly())])
    return (model.with_hooks(post=(perturbed(scale, lambda answer: answer.again(weak)),)),)


@node(
    "RescaleCFG",
    category=ADVANCED,
    inputs=[OLD, Input("multiplier", "FLOAT", {"default": 0.7, "min": 0.0, "max": 1.0, "step": 0.01})],
    outputs=OUT,
)
def rescale_cfg(model: DiffusionModel, multiplier: float) -> tuple[DiffusionModel]:
    from engine.sampling.methods import rescale

    return (model.with_hooks(cfg=rescale(multiplier)),)


@node(
    "ModelSamplingDiscrete",
    category=ADVANCED,
    inputs=[
        OLD,
        Input("sampling", ["eps", "v_prediction", "lcm", "x0", "img_to_img"]),
        Input("zsnr", "BOOLEAN", {"default": False}),
    ],
    outputs=OUT,
)
def discrete(model: DiffusionModel, sampling: str, zsnr: bool) -> tuple[DiffusionModel]:
    from engine.sampling.parametrization import Prediction, strided, zero_terminal_snr
    from engine.sampling.sigmas import from_alphas, stable_diffusion_sigmas

    sigmas = stable_diffusion_sigmas()
    if zsnr:
        sigmas = from_alphas(zero_terminal_snr(1 / (sigmas.table.double() ** 2 + 1)))
    if sampling == "lcm":
        sigmas = strided(sigmas)
    return (model.with_parametrization(sigmas=sigmas, prediction=Prediction(sampling), data=1.0),)


def _ends(high: float, low: float) -> list[Input]:
    shared: dict[str, Any] = {"min": 0.0, "max": 1000.0, "step": 0.001, "round": False}
    return [
        Input("sigma_max", "FLOAT", {"default": high, **shared}),
        Input("sigma_min", "FLOAT", {"default": low, **shared}),
    ]


@node(
    "ModelSamplingContinuousV",
    category=ADVANCED,
    inputs=[OLD, Input("sampling", ["v_prediction"]), *_ends(500.0, 0.03)],
    outputs=OUT,
)
def continuous_v(model: DiffusionModel, sampling: str, sigma_max: float, sigma_min: float) -> tuple[DiffusionModel]:
    from engine.sampling.parametrization import Prediction, log_sigmas

    sigmas = log_sigmas(sigma_min, sigma_max, angle=True)
    return (model.with_parametrization(sigmas=sigmas, prediction=Prediction.V, data=1.0),)


@node(
    "ModelSamplingSD3",
    category=ADVANCED,
    inputs=[OLD, Input("shift", "FLOAT", {"default": 3.0, "min": 0.0, "max": 100.0, "step": 0.01})],
    outputs=OUT,
)
def shifted(model: DiffusionModel, shift: float) -> tuple[DiffusionModel]:
    from engine.sampling.parametrization import Prediction, flow_sigmas

    if shift <= 0:
        raise ValueError("shift must be above 0")
    return (model.with_parametrization(sigmas=flow_sigmas(shift), prediction=Prediction.FLOW),)


@node(
    "DifferentialDiffusion",
    display_name="Differential Diffusion",
    schema="v3",
    category="_for_testing",
    experimental=True,
    inputs=[
        MODEL,
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}, optional=True),
    ],
    outputs=OUT,
)
def differential_diffusion(model: DiffusionModel, strength: float = 1.0) -> tuple[DiffusionModel]:
    from engine.sampling.methods import differential

    sigmas = model.sigmas
    high, low = (float(sigmas.timestep(sigmas.table[i].reshape(1))) for i in (-1, 0))

    def mask(given: Tensor, sigma: Tensor) -> Tensor:
        left = (float(sigmas.timestep(sigma.reshape(1))) - low) / (high - low)
        return differential(given, left, strength)

    return (model.with_hooks(mask=mask),)


@node(
    "CFGNorm",
    schema="v3",
    category="advanced/guidance",
    experimental=True,
    inputs=[MODEL, Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0, "step": 0.01})],
    outputs=PATCHED,
)
def norm(model: DiffusionModel, strength: float) -> tuple[DiffusionModel]:
    from engine.sampling.methods import cfg_norm

    return (model.with_hooks(post=(cfg_norm(strength),)),)


@node("CFGZeroStar", schema="v3", category="advanced/guidance", inputs=[MODEL], outputs=PATCHED)
def zero_star_(model: DiffusionModel) -> tuple[DiffusionModel]:
    from engine.sampling.methods import zero_star

    return (model.with_hooks(post=(zero_star,)),)


@node(
    "TCFG",
    display_name="Tangential Damping CFG",
    schema="v3",
    category="advanced/guidance",
    description="Damps what of the negative side does not lie along the positive one (arXiv:2503.18137).",
    inputs=[MODEL],
    outputs=PATCHED,
)
def tcfg(model: DiffusionModel) -> tuple[DiffusionModel]:
    from engine.sampling.methods import tangential

    return (model.with_hooks(pre=(tangential,)),)


@node(
    "APG",
    display_name="Adaptive Projected Guidance",
    schema="v3",
    category="sampling/custom_sampling",
    inputs=[
        MODEL,
        Input(
            "eta",
            "FLOAT",
            {
                "tooltip": "Weight of the guidance along the positive answer; 1 is plain guidance.",
                "default": 1.0,
                "min": -10.0,
                "max": 10.0,
                "step": 0.01,
            },
        ),
        Input(
            "norm_threshold",
            "FLOAT",
            {
                "tooltip": "The most that guidance may measure; 0 sets no limit.",
                "default": 5.0,
                "min": 0.0,
                "max": 50.0,
                "step": 0.1,
            },
        ),
        Input(
            "momentum",
            "FLOAT",
            {
                "tooltip": "How much of the steps before is kept; 0 keeps nothing.",
                "default": 0.0,
                "min": -5.0,
                "max": 1.0,
                "step": 0.01,
            },
        ),
    ],
    outputs=OUT,
)
def apg(model: DiffusionModel, eta: float, norm_threshold: float, momentum: float) -> tuple[DiffusionModel]:
    from engine.sampling.methods import projected

    change = projected(eta, norm_threshold, momentum)

    def guided(answer: Answer) -> Answer:
        return answer if answer.cfg == 1 else change(answer)

    return (model.with_hooks(pre=(guided,)),)


NODES: tuple[NodeDefinition, ...] = (
    freeu_1,
    freeu_2,
    perturbed_attention,
    rescale_cfg,
    discrete,
    continuous_v,
    shifted,
    differential_diffusion,
    norm,
    zero_star_,
    tcfg,
    apg,
)

"""Nodes that sample: they turn their inputs into one run, and its steps into progress and previews."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULES

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.diffusion import DiffusionModel
    from engine.sampling.run import Settings

Latent = dict[str, Any]
SEED = {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "control_after_generate": True}
STEPS = {"default": 20, "min": 1, "max": 10000}
CFG = {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}


@node(
    "KSampler",
    category="sampling",
    description="Takes the noise out of a latent step by step, towards the positive prompt and away from the negative one.",
    inputs=[
        Input("model", "MODEL", {"tooltip": "The diffusion model."}),
        Input("seed", "INT", {**SEED, "tooltip": "Which noise to start from; the same seed gives the same picture."}),
        Input("steps", "INT", {**STEPS, "tooltip": "How many steps; more cost time and change less and less."}),
        Input(
            "cfg",
            "FLOAT",
            {
                **CFG,
                "tooltip": "How hard the prompts pull (classifier-free guidance). At 1 the negative one is not used; too much burns the picture.",
            },
        ),
        Input(
            "sampler_name", list(SAMPLERS), {"tooltip": "The method that takes the steps: a matter of speed and style."}
        ),
        Input("scheduler", list(SCHEDULES), {"tooltip": "How the noise falls from step to step."}),
        Input("positive", "CONDITIONING", {"tooltip": "What the picture should show."}),
        Input("negative", "CONDITIONING", {"tooltip": "What it should not show."}),
        Input("latent_image", "LATENT", {"tooltip": "The latent to start from."}),
        Input(
            "denoise",
            "FLOAT",
            {
                "default": 1.0,
                "min": 0.0,
                "max": 1.0,
                "step": 0.01,
                "tooltip": "How much of the latent is drawn anew; less keeps more of what it shows.",
            },
        ),
    ],
    outputs=[Output("LATENT", tooltip="The latent without its noise.")],
)
def ksampler(
    model: DiffusionModel,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: list[Any],
    negative: list[Any],
    latent_image: Latent,
    denoise: float,
    context: NodeContext,
) -> tuple[Latent]:
    from engine.sampling.run import Settings

    settings = Settings(seed, steps, cfg, sampler_name, scheduler, denoise)
    return (run(model, positive, negative, latent_image, settings, context),)


@node(
    "KSamplerAdvanced",
    display_name="KSampler (Advanced)",
    category="sampling",
    inputs=[
        Input("model", "MODEL"),
        Input("add_noise", ["enable", "disable"]),
        Input("noise_seed", "INT", SEED),
        Input("steps", "INT", STEPS),
        Input("cfg", "FLOAT", CFG),
        Input("sampler_name", list(SAMPLERS)),
        Input("scheduler", list(SCHEDULES)),
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("latent_image", "LATENT"),
        Input("start_at_step", "INT", {"default": 0, "min": 0, "max": 10000}),
        Input("end_at_step", "INT", {"default": 10000, "min": 0, "max": 10000}),
        Input("return_with_leftover_noise", ["disable", "enable"]),
    ],
    outputs=[Output("LATENT")],
)
def ksampler_advanced(
    model: DiffusionModel,
    add_noise: str,
    noise_seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: list[Any],
    negative: list[Any],
    latent_image: Latent,
    start_at_step: int,
    end_at_step: int,
    return_with_leftover_noise: str,
    context: NodeContext,
) -> tuple[Latent]:
    from engine.sampling.run import Settings

    settings = Settings(
        noise_seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        start=start_at_step,
        end=end_at_step,
        add_noise=add_noise != "disable",
        to_zero=return_with_leftover_noise != "enable",
    )
    return (run(model, positive, negative, latent_image, settings, context),)


def run(
    model: DiffusionModel,
    positive: list[Any],
    negative: list[Any],
    latent: Latent,
    settings: Settings,
    context: NodeContext,
) -> Latent:
    """Sample, and tell the steps. Raises `SamplingError`, `Interrupted`, and `ValueError` for a latent of another family."""
    from engine.sampling.run import sample

    result = sample(
        model,
        positive,
        negative,
        fitting(latent["samples"], model),
        settings,
        mask=latent.get("noise_mask"),
        batch_index=latent.get("batch_index"),
        on_step=told(model, context),
        check=context.check,
    )
    return {**latent, "samples": result}


def fitting(samples: Tensor, model: DiffusionModel) -> Tensor:
    """The latent as this model takes it: an empty one of four channels is widened, any other must fit (`ValueError`)."""
    if samples.ndim in (4, 5):
        if samples.shape[1] == model.in_channels:
            return samples
        if samples.shape[1] == 4 and not samples.any():
            return samples.new_zeros((len(samples), model.in_channels, *samples.shape[2:]))
    raise ValueError(
        f"the latent has the shape {tuple(samples.shape)}; this model takes (batch, {model.in_channels}, height, width)"
    )


def told(model: DiffusionModel, context: NodeContext) -> Callable[[int, int, Tensor], None]:
    """What tells a run's steps to the client, with a preview."""
    from engine.models.latents import preview

    def on_step(step: int, total: int, denoised: Tensor) -> None:
        context.progress(step + 1, total, lambda: preview(denoised, model.latent_format))

    return on_step


NODES: tuple[NodeDefinition, ...] = (ksampler, ksampler_advanced)

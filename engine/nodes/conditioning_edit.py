"""Nodes that give a model pictures and numbers beside the prompt: guidance, references, masks, originals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.nodes.conditioning import Conditioning, with_options
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.vae import VAE

Latent = dict[str, Any]
Triple = tuple[Conditioning, Conditioning, Latent]

# The sizes (width, height) that Flux Kontext was trained at, wide ones mirrored below (Black Forest Labs, 2025).
_TALL = ((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104))
KONTEXT_SIZES = (*_TALL, (1024, 1024), *((height, width) for width, height in reversed(_TALL)))


def appended(conditioning: Conditioning, key: str, value: Any) -> Conditioning:
    """The same conditioning with `value` behind what the list under `key` holds, on every piece."""
    return [[tensor, {**options, key: [*options.get(key, ()), value]}] for tensor, options in conditioning]


def both(
    positive: Conditioning, negative: Conditioning, options: Mapping[str, Any]
) -> tuple[Conditioning, Conditioning]:
    return with_options(positive, options), with_options(negative, options)


@node(
    "FluxGuidance",
    schema="v3",
    category="advanced/conditioning/flux",
    description="How closely a model with distilled guidance follows the prompt.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("guidance", "FLOAT", {"default": 3.5, "min": 0.0, "max": 100.0, "step": 0.1}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def flux_guidance(conditioning: Conditioning, guidance: float) -> tuple[Conditioning]:
    return (with_options(conditioning, {"guidance": guidance}),)


@node(
    "FluxDisableGuidance",
    schema="v3",
    category="advanced/conditioning/flux",
    description="Takes distilled guidance off, for models that were trained without it.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def flux_disable_guidance(conditioning: Conditioning) -> tuple[Conditioning]:
    return (with_options(conditioning, {"guidance": None}),)


@node(
    "ReferenceLatent",
    schema="v3",
    category="advanced/conditioning/edit_models",
    description="A picture, as a latent, that an editing model works from; several may follow each other.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("latent", "LATENT", optional=True),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def reference_latent(conditioning: Conditioning, latent: Latent | None = None) -> tuple[Conditioning]:
    if latent is None:
        return (conditioning,)
    return (appended(conditioning, "reference_latents", latent["samples"]),)


@node(
    "FluxKontextImageScale",
    schema="v3",
    category="advanced/conditioning/flux",
    description="Scales a picture to the size nearest in shape that Flux Kontext was trained at.",
    inputs=[
        Input("image", "IMAGE"),
    ],
    outputs=[
        Output("IMAGE"),
    ],
)
def flux_kontext_image_scale(image: Tensor) -> tuple[Tensor]:
    from engine.nodes.pixels import resize

    aspect = image.shape[2] / image.shape[1]
    width, height = min(KONTEXT_SIZES, key=lambda size: abs(aspect - size[0] / size[1]))
    return (resize(image, width, height, "lanczos", "center"),)


@node(
    "FluxKontextMultiReferenceLatentMethod",
    display_name="Edit Model Reference Method",
    schema="v3",
    category="advanced/conditioning/flux",
    description="Where an editing model places its reference pictures.",
    experimental=True,
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("reference_latents_method", ["offset", "index", "uxo/uno", "index_timestep_zero"]),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def reference_latents_method(conditioning: Conditioning, reference_latents_method: str) -> tuple[Conditioning]:
    method = "uxo" if "uxo" in reference_latents_method else reference_latents_method
    return (with_options(conditioning, {"reference_latents_method": method}),)


@node(
    "InpaintModelConditioning",
    category="conditioning/inpaint",
    description="What a model made for inpainting needs: the picture without the masked part, and the mask.",
    inputs=[
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("vae", "VAE"),
        Input("pixels", "IMAGE"),
        Input("mask", "MASK"),
        Input(
            "noise_mask", "BOOLEAN", {"default": True, "tooltip": "Also keep what lies outside of the mask as it is."}
        ),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def inpaint_model_conditioning(
    positive: Conditioning, negative: Conditioning, vae: VAE, pixels: Tensor, mask: Tensor, noise_mask: bool = True
) -> Triple:
    from engine.models.inpaint import fit_mask, greyed

    pixels, mask = fit_mask(pixels, mask, vae.shape.factor)
    options = {"concat_latent_image": vae.encode(greyed(pixels, mask)), "concat_mask": mask}
    latent: Latent = {"samples": vae.encode(pixels)}
    if noise_mask:
        latent["noise_mask"] = mask
    return *both(positive, negative, options), latent


@node(
    "InstructPixToPixConditioning",
    schema="v3",
    category="conditioning/instructpix2pix",
    description="The picture that a model made for instructions changes.",
    inputs=[
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("vae", "VAE"),
        Input("pixels", "IMAGE"),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def instruct_pix_to_pix(positive: Conditioning, negative: Conditioning, vae: VAE, pixels: Tensor) -> Triple:
    import torch

    original = vae.encode(pixels)
    return *both(positive, negative, {"concat_latent_image": original}), {"samples": torch.zeros_like(original)}


@node(
    "unCLIPConditioning",
    category="conditioning",
    description="A picture, as CLIP sees it, that an unCLIP model follows beside the prompt.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("clip_vision_output", "CLIP_VISION_OUTPUT"),
        Input("strength", "FLOAT", {"default": 1.0, "min": -10.0, "max": 10.0, "step": 0.01}),
        Input("noise_augmentation", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.01}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def unclip_conditioning(
    conditioning: Conditioning, clip_vision_output: Any, strength: float, noise_augmentation: float
) -> tuple[Conditioning]:
    if strength == 0:
        return (conditioning,)
    picture = {
        "clip_vision_output": clip_vision_output,
        "strength": strength,
        "noise_augmentation": noise_augmentation,
    }
    return (appended(conditioning, "unclip_conditioning", picture),)


@node(
    "ConditioningStableAudio",
    schema="v3",
    category="conditioning",
    description="When the sound begins, and how long all of it is, in seconds.",
    inputs=[
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("seconds_start", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1000.0, "step": 0.1}),
        Input("seconds_total", "FLOAT", {"default": 47.0, "min": 0.0, "max": 1000.0, "step": 0.1}),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
    ],
)
def conditioning_stable_audio(
    positive: Conditioning, negative: Conditioning, seconds_start: float, seconds_total: float
) -> tuple[Conditioning, Conditioning]:
    return both(positive, negative, {"seconds_start": seconds_start, "seconds_total": seconds_total})


@node(
    "LTXVConditioning",
    schema="v3",
    category="conditioning/video_models",
    description="Frames a second of the video.",
    inputs=[
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("frame_rate", "FLOAT", {"default": 25.0, "min": 0.0, "max": 1000.0, "step": 0.01}),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
    ],
)
def ltxv_conditioning(
    positive: Conditioning, negative: Conditioning, frame_rate: float
) -> tuple[Conditioning, Conditioning]:
    return both(positive, negative, {"frame_rate": frame_rate})


@node(
    "StableCascade_StageB_Conditioning",
    schema="v3",
    category="conditioning/stable_cascade",
    description="The latent of stage C that stage B works out.",
    inputs=[
        Input("conditioning", "CONDITIONING"),
        Input("stage_c", "LATENT"),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def stage_b_conditioning(conditioning: Conditioning, stage_c: Latent) -> tuple[Conditioning]:
    return (with_options(conditioning, {"stable_cascade_prior": stage_c["samples"]}),)


@node(
    "SD_4XUpscale_Conditioning",
    schema="v3",
    category="conditioning/upscale_diffusion",
    description="The small picture that the 4× upscaling model makes large.",
    inputs=[
        Input("images", "IMAGE"),
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("scale_ratio", "FLOAT", {"default": 4.0, "min": 0.0, "max": 10.0, "step": 0.01}),
        Input("noise_augmentation", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.001}),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def sd_4x_upscale(
    images: Tensor, positive: Conditioning, negative: Conditioning, scale_ratio: float, noise_augmentation: float
) -> Triple:
    import torch

    from engine.nodes.pixels import resize

    width, height = (max(1, round(n * scale_ratio)) for n in (images.shape[2], images.shape[1]))
    if min(width, height) < 4:
        raise ValueError(f"scale_ratio {scale_ratio} leaves {width}x{height} pixels; 4x4 are needed at least")
    small = resize(images * 2 - 1, width // 4, height // 4, "bilinear", "center").movedim(-1, 1)
    options = {"concat_image": small, "noise_augmentation": noise_augmentation}
    return *both(positive, negative, options), {"samples": torch.zeros(len(images), 4, height // 4, width // 4)}


NODES: tuple[NodeDefinition, ...] = (
    flux_guidance,
    flux_disable_guidance,
    reference_latent,
    flux_kontext_image_scale,
    reference_latents_method,
    inpaint_model_conditioning,
    instruct_pix_to_pix,
    unclip_conditioning,
    conditioning_stable_audio,
    ltxv_conditioning,
    stage_b_conditioning,
    sd_4x_upscale,
)

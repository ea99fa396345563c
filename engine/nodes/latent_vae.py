"""Nodes between pictures and latents: the autoencoder whole, in tiles, and for inpainting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.vae import VAE

Latent = dict[str, Any]


def _pictures(images: Tensor) -> Tensor:
    """A video's frames (B, T, H, W, C) one after the other, as pictures are passed around."""
    return images.flatten(0, 1) if images.ndim == 5 else images


@node(
    "VAEDecode",
    display_name="VAE Decode",
    category="latent",
    description="Turns latents into pictures.",
    inputs=[
        Input("samples", "LATENT", {"tooltip": "The latent to turn into a picture."}),
        Input("vae", "VAE", {"tooltip": "The VAE that does it."}),
    ],
    outputs=[Output("IMAGE", tooltip="The picture.")],
)
def vae_decode(samples: Latent, vae: VAE) -> tuple[Tensor]:
    return (_pictures(vae.decode(samples["samples"])),)


@node(
    "VAEEncode",
    display_name="VAE Encode",
    category="latent",
    inputs=[Input("pixels", "IMAGE"), Input("vae", "VAE")],
    outputs=[Output("LATENT")],
)
def vae_encode(pixels: Tensor, vae: VAE) -> tuple[Latent]:
    return ({"samples": vae.encode(pixels)},)


@node(
    "VAEDecodeTiled",
    display_name="VAE Decode (Tiled)",
    category="_for_testing",
    description="Turns latents into pictures piece by piece, for less memory.",
    inputs=[
        Input("samples", "LATENT"),
        Input("vae", "VAE"),
        Input("tile_size", "INT", {"default": 512, "min": 64, "max": 4096, "step": 32}),
        Input("overlap", "INT", {"default": 64, "min": 0, "max": 4096, "step": 32}),
        Input(
            "temporal_size",
            "INT",
            {"default": 64, "min": 8, "max": 4096, "step": 4, "tooltip": "Of films: frames at a time."},
        ),
        Input(
            "temporal_overlap",
            "INT",
            {"default": 8, "min": 4, "max": 4096, "step": 4, "tooltip": "Of films: frames that two tiles share."},
        ),
    ],
    outputs=[
        Output("IMAGE"),
    ],
)
def vae_decode_tiled(
    samples: Latent,
    vae: VAE,
    tile_size: int,
    overlap: int = 64,
    temporal_size: int = 64,
    temporal_overlap: int = 8,
    *,
    context: NodeContext,
) -> tuple[Tensor]:
    from engine.models.tiling import decode_tiled

    return (_pictures(decode_tiled(vae, samples["samples"], tile_size, overlap, context.progress)),)


@node(
    "VAEEncodeTiled",
    display_name="VAE Encode (Tiled)",
    category="_for_testing",
    description="Turns pictures into latents piece by piece, for less memory.",
    inputs=[
        Input("pixels", "IMAGE"),
        Input("vae", "VAE"),
        Input("tile_size", "INT", {"default": 512, "min": 64, "max": 4096, "step": 64}),
        Input("overlap", "INT", {"default": 64, "min": 0, "max": 4096, "step": 32}),
        Input(
            "temporal_size",
            "INT",
            {"default": 64, "min": 8, "max": 4096, "step": 4, "tooltip": "Of films: frames at a time."},
        ),
        Input(
            "temporal_overlap",
            "INT",
            {"default": 8, "min": 4, "max": 4096, "step": 4, "tooltip": "Of films: frames that two tiles share."},
        ),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def vae_encode_tiled(
    pixels: Tensor,
    vae: VAE,
    tile_size: int,
    overlap: int,
    temporal_size: int = 64,
    temporal_overlap: int = 8,
    *,
    context: NodeContext,
) -> tuple[Latent]:
    from engine.models.tiling import encode_tiled

    return ({"samples": encode_tiled(vae, pixels, tile_size, overlap, context.progress)},)


@node(
    "VAEEncodeForInpaint",
    display_name="VAE Encode (for Inpainting)",
    category="latent/inpaint",
    description="Turns a picture into a latent in which the masked part is made anew.",
    inputs=[
        Input("pixels", "IMAGE"),
        Input("vae", "VAE"),
        Input("mask", "MASK"),
        Input("grow_mask_by", "INT", {"default": 6, "min": 0, "max": 64, "step": 1}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def vae_encode_for_inpaint(pixels: Tensor, vae: VAE, mask: Tensor, grow_mask_by: int = 6) -> tuple[Latent]:
    from engine.models.inpaint import fit_mask, greyed, grown

    pixels, mask = fit_mask(pixels, mask, vae.shape.factor)
    return ({"samples": vae.encode(greyed(pixels, mask)), "noise_mask": grown(mask, grow_mask_by).round()},)


@node(
    "StableCascade_StageC_VAEEncode",
    schema="v3",
    category="latent/stable_cascade",
    description="A picture as the latent of Stable Cascade's stage C, and an empty one for stage B.",
    inputs=[
        Input("image", "IMAGE"),
        Input("vae", "VAE"),
        Input("compression", "INT", {"default": 42, "min": 4, "max": 128, "step": 1}),
    ],
    outputs=[
        Output("LATENT", "stage_c"),
        Output("LATENT", "stage_b"),
    ],
)
def stage_c_vae_encode(image: Tensor, vae: VAE, compression: int) -> tuple[Latent, Latent]:
    import torch

    from engine.models.latents import resize

    height, width = image.shape[1:3]
    wide, high = ((n // compression) * vae.shape.factor for n in (width, height))
    small = resize(image.movedim(-1, 1), wide, high, "bicubic", "center").movedim(1, -1)
    stage_b = torch.zeros(len(image), 4, height // 8 * 2, width // 8 * 2)
    return {"samples": vae.encode(small)}, {"samples": stage_b}


NODES: tuple[NodeDefinition, ...] = (
    vae_decode,
    vae_encode,
    vae_decode_tiled,
    vae_encode_tiled,
    vae_encode_for_inpaint,
    stage_c_vae_encode,
)

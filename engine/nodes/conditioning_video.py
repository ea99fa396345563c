"""Nodes that give a model a first picture, as CLIP sees it and as a latent, to make views or frames from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from engine.nodes.conditioning import Conditioning
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.vae import VAE

Latent = dict[str, Any]
Triple = tuple[Conditioning, Conditioning, Latent]


def _seen(
    clip_vision: Any, vae: VAE, picture: Tensor, width: int, height: int, noise: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The picture as CLIP sees it (1, 1, width) and as a latent of the video's size."""
    import torch

    from engine.nodes.pixels import resize

    embedding: Tensor = clip_vision.encode_image(picture).image_embeds.unsqueeze(0)
    pixels = resize(picture, width, height, "bilinear", "center")[..., :3]
    if noise > 0:
        pixels = pixels + torch.randn_like(pixels) * noise
    return embedding, vae.encode(pixels)


def _sides(embedding: Tensor, latent: Tensor, options: dict[str, Any]) -> tuple[Conditioning, Conditioning]:
    """The picture for the positive side, nothing for the negative one."""
    import torch

    return (
        [[embedding, {**options, "concat_latent_image": latent}]],
        [[torch.zeros_like(embedding), {**options, "concat_latent_image": torch.zeros_like(latent)}]],
    )


def _views(elevation: float, azimuth: float, count: int, step_up: float, step_round: float) -> Tensor:
    """Camera places (count, 1, 4) relative to the picture's: elevation, sine and cosine of azimuth, the picture's own
    polar angle; in radians (Liu et al. 2023, "Zero-1-to-3"). The inputs are degrees."""
    import torch

    rows = []
    for i in range(count):
        up, around = math.radians(elevation + step_up * i), math.radians(azimuth + step_round * i)
        rows.append([-up, math.sin(around), math.cos(around), math.pi / 2])
    return torch.tensor(rows)[:, None]


@node(
    "SVD_img2vid_Conditioning",
    category="conditioning/video_models",
    description="The picture that Stable Video Diffusion sets in motion.",
    inputs=[
        Input("clip_vision", "CLIP_VISION"),
        Input("init_image", "IMAGE"),
        Input("vae", "VAE"),
        Input("width", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 576, "min": 16, "max": 16384, "step": 8}),
        Input("video_frames", "INT", {"default": 14, "min": 1, "max": 4096}),
        Input("motion_bucket_id", "INT", {"default": 127, "min": 1, "max": 1023}),
        Input("fps", "INT", {"default": 6, "min": 1, "max": 1024}),
        Input("augmentation_level", "FLOAT", {"default": 0.0, "min": 0.0, "max": 10.0, "step": 0.01}),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def svd_img2vid(
    clip_vision: Any,
    init_image: Tensor,
    vae: VAE,
    width: int,
    height: int,
    video_frames: int,
    motion_bucket_id: int,
    fps: int,
    augmentation_level: float,
) -> Triple:
    import torch

    embedding, latent = _seen(clip_vision, vae, init_image, width, height, augmentation_level)
    options = {"motion_bucket_id": motion_bucket_id, "fps": fps, "augmentation_level": augmentation_level}
    return *_sides(embedding, latent, options), {"samples": torch.zeros(video_frames, 4, height // 8, width // 8)}


@node(
    "StableZero123_Conditioning",
    schema="v3",
    category="conditioning/3d_models",
    description="The picture of a thing that Stable Zero123 turns to another side.",
    inputs=[
        Input("clip_vision", "CLIP_VISION"),
        Input("init_image", "IMAGE"),
        Input("vae", "VAE"),
        Input("width", "INT", {"default": 256, "min": 16, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 256, "min": 16, "max": 16384, "step": 8}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
        Input("elevation", "FLOAT", {"default": 0.0, "min": -180.0, "max": 180.0, "step": 0.1, "round": False}),
        Input("azimuth", "FLOAT", {"default": 0.0, "min": -180.0, "max": 180.0, "step": 0.1, "round": False}),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def stable_zero123(
    clip_vision: Any,
    init_image: Tensor,
    vae: VAE,
    width: int,
    height: int,
    batch_size: int,
    elevation: float,
    azimuth: float,
) -> Triple:
    import torch

    embedding, latent = _seen(clip_vision, vae, init_image, width, height)
    place = torch.cat((embedding, _views(elevation, azimuth, 1, 0, 0).to(embedding)), dim=-1)
    return *_sides(place, latent, {}), {"samples": torch.zeros(batch_size, 4, height // 8, width // 8)}


@node(
    "StableZero123_Conditioning_Batched",
    schema="v3",
    category="conditioning/3d_models",
    description="The picture of a thing that Stable Zero123 turns to several sides, step by step.",
    inputs=[
        Input("clip_vision", "CLIP_VISION"),
        Input("init_image", "IMAGE"),
        Input("vae", "VAE"),
        Input("width", "INT", {"default": 256, "min": 16, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 256, "min": 16, "max": 16384, "step": 8}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
        Input("elevation", "FLOAT", {"default": 0.0, "min": -180.0, "max": 180.0, "step": 0.1, "round": False}),
        Input("azimuth", "FLOAT", {"default": 0.0, "min": -180.0, "max": 180.0, "step": 0.1, "round": False}),
        Input(
            "elevation_batch_increment",
            "FLOAT",
            {"default": 0.0, "min": -180.0, "max": 180.0, "step": 0.1, "round": False},
        ),
        Input(
            "azimuth_batch_increment",
            "FLOAT",
            {"default": 0.0, "min": -180.0, "max": 180.0, "step": 0.1, "round": False},
        ),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def stable_zero123_batched(
    clip_vision: Any,
    init_image: Tensor,
    vae: VAE,
    width: int,
    height: int,
    batch_size: int,
    elevation: float,
    azimuth: float,
    elevation_batch_increment: float,
    azimuth_batch_increment: float,
) -> Triple:
    import torch

    embedding, latent = _seen(clip_vision, vae, init_image, width, height)
    views = _views(elevation, azimuth, batch_size, elevation_batch_increment, azimuth_batch_increment).to(embedding)
    places = torch.cat((embedding.repeat(batch_size, 1, 1), views), dim=-1)
    empty: Latent = {
        "samples": torch.zeros(batch_size, 4, height // 8, width // 8),
        "batch_index": [0] * batch_size,  # the same noise for every side
    }
    return *_sides(places, latent, {}), empty


@node(
    "SV3D_Conditioning",
    schema="v3",
    category="conditioning/3d_models",
    description="The picture of a thing that SV3D films from all around.",
    inputs=[
        Input("clip_vision", "CLIP_VISION"),
        Input("init_image", "IMAGE"),
        Input("vae", "VAE"),
        Input("width", "INT", {"default": 576, "min": 16, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 576, "min": 16, "max": 16384, "step": 8}),
        Input("video_frames", "INT", {"default": 21, "min": 1, "max": 4096}),
        Input("elevation", "FLOAT", {"default": 0.0, "min": -90.0, "max": 90.0, "step": 0.1, "round": False}),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
        Output("LATENT", "latent"),
    ],
)
def sv3d(
    clip_vision: Any, init_image: Tensor, vae: VAE, width: int, height: int, video_frames: int, elevation: float
) -> Triple:
    import torch

    embedding, latent = _seen(clip_vision, vae, init_image, width, height)
    step = 360 / (max(video_frames, 2) - 1)
    options = {
        "elevation": [elevation] * video_frames,
        "azimuth": [step * i for i in range(video_frames)],
    }
    return *_sides(embedding, latent, options), {"samples": torch.zeros(video_frames, 4, height // 8, width // 8)}


NODES: tuple[NodeDefinition, ...] = (
    svd_img2vid,
    stable_zero123,
    stable_zero123_batched,
    sv3d,
)

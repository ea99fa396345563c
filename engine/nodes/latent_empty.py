"""Empty latents, a node a family: what differs is channels, shrink factors and frames.

All zero, float32 on the CPU, as `{"samples": (B, C, …)}`.
"""

from __future__ import annotations

from typing import Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

Latent = dict[str, Any]


def _zeros(*shape: int, **more: Any) -> Latent:
    import torch

    return {"samples": torch.zeros(shape), **more}


def _video(channels: int, every: int, factor: int, width: int, height: int, length: int, batch: int) -> Latent:
    """The first frame stands alone, then `every` frames make one of the latent."""
    return _zeros(batch, channels, (length - 1) // every + 1, height // factor, width // factor)


@node(
    "EmptySD3LatentImage",
    schema="v3",
    category="latent/sd3",
    description="An empty latent for SD 3, SD 3.5, Flux 1 and others with 16 channels.",
    inputs=[
        Input("width", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_sd3(width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
    return (_zeros(batch_size, 16, height // 8, width // 8),)


@node(
    "EmptyFlux2LatentImage",
    display_name="Empty Flux 2 Latent",
    schema="v3",
    category="latent",
    description="An empty latent for Flux 2: 128 channels, a sixteenth of the size.",
    inputs=[
        Input("width", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_flux2(width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
    return (_zeros(batch_size, 128, height // 16, width // 16),)


@node(
    "EmptyHunyuanImageLatent",
    schema="v3",
    category="latent",
    description="An empty latent for HunyuanImage 2.1: 64 channels, a thirty-second of the size.",
    inputs=[
        Input("width", "INT", {"default": 2048, "min": 64, "max": 16384, "step": 32}),
        Input("height", "INT", {"default": 2048, "min": 64, "max": 16384, "step": 32}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_hunyuan_image(width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
    return (_zeros(batch_size, 64, height // 32, width // 32),)


@node(
    "EmptyQwenImageLayeredLatentImage",
    display_name="Empty Qwen Image Layered Latent",
    schema="v3",
    category="latent/qwen",
    description="An empty latent for Qwen Image Layered: the whole picture, then its layers.",
    inputs=[
        Input("width", "INT", {"default": 640, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 640, "min": 16, "max": 16384, "step": 16}),
        Input("layers", "INT", {"default": 3, "min": 0, "max": 16384, "step": 1}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_qwen_layered(width: int, height: int, layers: int, batch_size: int = 1) -> tuple[Latent]:
    return (_zeros(batch_size, 16, layers + 1, height // 8, width // 8),)


@node(
    "EmptyChromaRadianceLatentImage",
    schema="v3",
    category="latent/chroma_radiance",
    description="An empty picture for Chroma Radiance, which works on pixels.",
    inputs=[
        Input("width", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_chroma_radiance(width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
    return (_zeros(batch_size, 3, height, width),)


@node(
    "StableCascade_EmptyLatentImage",
    schema="v3",
    category="latent/stable_cascade",
    description="Empty latents for both stages of Stable Cascade.",
    inputs=[
        Input("width", "INT", {"default": 1024, "min": 256, "max": 16384, "step": 8}),
        Input("height", "INT", {"default": 1024, "min": 256, "max": 16384, "step": 8}),
        Input("compression", "INT", {"default": 42, "min": 4, "max": 128, "step": 1}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT", "stage_c"),
        Output("LATENT", "stage_b"),
    ],
)
def empty_stable_cascade(width: int, height: int, compression: int, batch_size: int = 1) -> tuple[Latent, Latent]:
    return (
        _zeros(batch_size, 16, height // compression, width // compression),
        _zeros(batch_size, 4, height // 4, width // 4),
    )


@node(
    "EmptyCosmosLatentVideo",
    schema="v3",
    category="latent/video",
    description="An empty latent video for Cosmos.",
    inputs=[
        Input("width", "INT", {"default": 1280, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 704, "min": 16, "max": 16384, "step": 16}),
        Input("length", "INT", {"default": 121, "min": 1, "max": 16384, "step": 8}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_cosmos(width: int, height: int, length: int, batch_size: int = 1) -> tuple[Latent]:
    return (_video(16, 8, 8, width, height, length, batch_size),)


@node(
    "EmptyHunyuanLatentVideo",
    display_name="Empty HunyuanVideo 1.0 Latent",
    schema="v3",
    category="latent/video",
    description="An empty latent video for HunyuanVideo, Wan 2.1 and others of their shape.",
    inputs=[
        Input("width", "INT", {"default": 848, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 480, "min": 16, "max": 16384, "step": 16}),
        Input("length", "INT", {"default": 25, "min": 1, "max": 16384, "step": 4}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_hunyuan_video(width: int, height: int, length: int, batch_size: int = 1) -> tuple[Latent]:
    return (_video(16, 4, 8, width, height, length, batch_size),)


@node(
    "EmptyHunyuanVideo15Latent",
    display_name="Empty HunyuanVideo 1.5 Latent",
    schema="v3",
    category="latent/video",
    description="An empty latent video for HunyuanVideo 1.5.",
    inputs=[
        Input("width", "INT", {"default": 848, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 480, "min": 16, "max": 16384, "step": 16}),
        Input("length", "INT", {"default": 25, "min": 1, "max": 16384, "step": 4}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_hunyuan_video_15(width: int, height: int, length: int, batch_size: int = 1) -> tuple[Latent]:
    return (_video(32, 4, 16, width, height, length, batch_size),)


@node(
    "EmptyMochiLatentVideo",
    schema="v3",
    category="latent/video",
    description="An empty latent video for Mochi.",
    inputs=[
        Input("width", "INT", {"default": 848, "min": 16, "max": 16384, "step": 16}),
        Input("height", "INT", {"default": 480, "min": 16, "max": 16384, "step": 16}),
        Input("length", "INT", {"default": 25, "min": 7, "max": 16384, "step": 6}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_mochi(width: int, height: int, length: int, batch_size: int = 1) -> tuple[Latent]:
    return (_video(12, 6, 8, width, height, length, batch_size),)


@node(
    "EmptyLTXVLatentVideo",
    schema="v3",
    category="latent/video/ltxv",
    description="An empty latent video for LTX-Video.",
    inputs=[
        Input("width", "INT", {"default": 768, "min": 64, "max": 16384, "step": 32}),
        Input("height", "INT", {"default": 512, "min": 64, "max": 16384, "step": 32}),
        Input("length", "INT", {"default": 97, "min": 1, "max": 16384, "step": 8}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_ltxv(width: int, height: int, length: int, batch_size: int = 1) -> tuple[Latent]:
    return (_video(128, 8, 32, width, height, length, batch_size),)


@node(
    "EmptyAceStepLatentAudio",
    schema="v3",
    category="latent/audio",
    description="An empty latent of sound for ACE-Step.",
    inputs=[
        Input("seconds", "FLOAT", {"default": 120.0, "min": 1.0, "max": 1000.0, "step": 0.1}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096, "tooltip": "How many at once."}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_ace_step(seconds: float, batch_size: int) -> tuple[Latent]:
    return (_zeros(batch_size, 8, 16, int(seconds * 44100 / 512 / 8), type="audio"),)


@node(
    "EmptyLatentAudio",
    display_name="Empty Latent Audio",
    schema="v3",
    category="latent/audio",
    description="An empty latent of sound for Stable Audio.",
    inputs=[
        Input("seconds", "FLOAT", {"default": 47.6, "min": 1.0, "max": 1000.0, "step": 0.1}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096, "tooltip": "How many at once."}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_audio(seconds: float, batch_size: int) -> tuple[Latent]:
    return (_zeros(batch_size, 64, round(seconds * 44100 / 2048 / 2) * 2, type="audio"),)


@node(
    "EmptyLatentHunyuan3Dv2",
    schema="v3",
    category="latent/3d",
    description="An empty latent of a shape for Hunyuan3D 2.",
    inputs=[
        Input("resolution", "INT", {"default": 3072, "min": 1, "max": 8192}),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096, "tooltip": "How many at once."}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def empty_hunyuan3d(resolution: int, batch_size: int) -> tuple[Latent]:
    return (_zeros(batch_size, 64, resolution, type="hunyuan3dv2"),)


NODES: tuple[NodeDefinition, ...] = (
    empty_sd3,
    empty_flux2,
    empty_hunyuan_image,
    empty_qwen_layered,
    empty_chroma_radiance,
    empty_stable_cascade,
    empty_cosmos,
    empty_hunyuan_video,
    empty_hunyuan_video_15,
    empty_mochi,
    empty_ltxv,
    empty_ace_step,
    empty_audio,
    empty_hunyuan3d,
)

"""Reads the family and the shape of networks from a checkpoint's keys and shapes, without a table of known models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.models.checkpoint import ModelFileError, Shape, Weights

UNET, VAE, CLIP = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
HEADS = 8  # of SD 1.x, whatever the width
HEAD_WIDTH = 64  # of networks with linear projections, and of every CLIP


@dataclass(frozen=True, slots=True)
class UNetShape:
    """A cross-attention UNet; the tuples have one entry a level, from the picture down."""

    in_channels: int
    out_channels: int
    channels: tuple[int, ...]
    blocks: int  # residual blocks a level on the way down (one more on the way up)
    depths: tuple[int, ...]  # transformer layers after each residual block, 0 for none
    middle_depth: int
    context: int  # width of a text token
    linear: bool  # projections into the attention are matrices, not 1×1 convolutions

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads of each level."""
        return tuple(c // HEAD_WIDTH if self.linear else HEADS for c in self.channels)


@dataclass(frozen=True, slots=True)
class VAEShape:
    """A KL autoencoder; each level but the last halves the picture."""

    channels: tuple[int, ...]
    blocks: int  # residual blocks a level in the encoder (one more in the decoder)
    latent_channels: int
    picture_channels: int

    @property
    def factor(self) -> int:
        """Picture pixels along one latent pixel."""
        return 1 << (len(self.channels) - 1)


@dataclass(frozen=True, slots=True)
class ClipShape:
    """A CLIP text transformer."""

    vocabulary: int
    positions: int
    width: int
    inner: int
    layers: int

    @property
    def heads(self) -> int:
        return self.width // HEAD_WIDTH


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a single-file checkpoint of the SD 1.x layout holds."""

    unet: UNetShape
    vae: VAEShape
    clip: ClipShape
    v_prediction: bool = False


def detect(weights: Weights) -> Checkpoint:
    """The networks of an SD 1.x checkpoint. Raises `ModelFileError`, saying what the file seems to be instead."""
    unet, vae, clip = weights.under(UNET), weights.under(VAE), weights.under(CLIP)
    missing = [
        name for name, part in (("a UNet", unet), ("an autoencoder", vae), ("a CLIP text encoder", clip)) if not part
    ]
    if missing:
        raise ModelFileError(
            f"{weights.path.name} is not a Stable Diffusion 1.x checkpoint: expected a UNet ({UNET}…), an autoencoder "
            f"({VAE}…) and a CLIP text encoder ({CLIP}…), found {describe(weights.shapes)}; missing: {', '.join(missing)}"
        )
    try:
        return Checkpoint(unet_shape(unet), vae_shape(vae), clip_shape(clip), v_prediction="v_pred" in weights.shapes)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        reason = f"the weight {error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{weights.path.name} does not have the shape of a Stable Diffusion 1.x checkpoint: {reason}"
        ) from error


def unet_shape(keys: Mapping[str, Shape]) -> UNetShape:
    """The shape of a UNet from its keys, without prefix. Raises `KeyError` or `ValueError` for another network."""
    if any(k.startswith("label_emb.") for k in keys):
        raise ValueError(
            "its UNet takes a size and a pooled text (an SDXL checkpoint), and only SD 1.x is supported so far"
        )
    first = keys["input_blocks.0.0.weight"]
    channels, depths, blocks, level_blocks = [first[0]], [0], [], 0
    for number in range(1, count(keys, r"input_blocks\.(\d+)\.")):
        if f"input_blocks.{number}.0.op.weight" in keys:
            blocks.append(level_blocks)
            channels.append(0)
            depths.append(0)
            level_blocks = 0
            continue
        level_blocks += 1
        channels[-1] = keys[f"input_blocks.{number}.0.in_layers.2.weight"][0]
        depths[-1] = count(keys, rf"input_blocks\.{number}\.1\.transformer_blocks\.(\d+)\.")
    blocks.append(level_blocks)
    if len(set(blocks)) != 1:
        raise ValueError(f"its UNet has {blocks} residual blocks on its levels; equal numbers were expected")
    middle = count(keys, r"middle_block\.1\.transformer_blocks\.(\d+)\.")
    if not middle:
        raise ValueError("its UNet has no attention in the middle block")
    return UNetShape(
        in_channels=first[1],
        out_channels=keys["out.2.weight"][0],
        channels=tuple(channels),
        blocks=blocks[0],
        depths=tuple(depths),
        middle_depth=middle,
        context=keys["middle_block.1.transformer_blocks.0.attn2.to_k.weight"][1],
        linear=len(keys["middle_block.1.proj_in.weight"]) == 2,
    )


def vae_shape(keys: Mapping[str, Shape]) -> VAEShape:
    """The shape of a KL autoencoder from its keys, without prefix. Raises `KeyError` or `ValueError`."""
    levels = count(keys, r"decoder\.up\.(\d+)\.")
    if not levels:
        raise KeyError("decoder.up.0.block.0.conv1.weight")
    blocks = {count(keys, rf"decoder\.up\.{i}\.block\.(\d+)\.") for i in range(levels)}
    down = {count(keys, rf"encoder\.down\.{i}\.block\.(\d+)\.") for i in range(levels)}
    if len(blocks) != 1 or down != {n - 1 for n in blocks}:
        raise ValueError(
            f"its autoencoder has {sorted(down)} and {sorted(blocks)} residual blocks on its levels; expected n and n + 1"
        )
    return VAEShape(
        channels=tuple(keys[f"decoder.up.{i}.block.0.conv1.weight"][0] for i in range(levels)),
        blocks=down.pop(),
        latent_channels=keys["decoder.conv_in.weight"][1],
        picture_channels=keys["encoder.conv_in.weight"][1],
    )


def clip_shape(keys: Mapping[str, Shape]) -> ClipShape:
    """The shape of a CLIP text transformer from its keys, below `text_model.`. Raises `KeyError`."""
    vocabulary, width = keys["embeddings.token_embedding.weight"]
    return ClipShape(
        vocabulary=vocabulary,
        positions=keys["embeddings.position_embedding.weight"][0],
        width=width,
        inner=keys["encoder.layers.0.mlp.fc1.weight"][0],
        layers=count(keys, r"encoder\.layers\.(\d+)\."),
    )


def count(keys: Iterable[str], pattern: str) -> int:
    """How many different numbers stand where `pattern` has its group."""
    compiled = re.compile(pattern)
    return len({m[1] for k in keys if (m := compiled.match(k))})


# What people put into the wrong folder, by a key that only it has; the first that fits is named.
_KINDS = (
    (r"lora_(unet|te\d?)_|.*\.lora_(A|B|up|down)\b|.*\.lora\.(up|down)\.", "a LoRA (it belongs into loras)"),
    (r"control_model\.|controlnet_cond_embedding\.|.*zero_convs?\.", "a ControlNet (it belongs into controlnet)"),
    (r"conditioner\.embedders\.1\.", "an SDXL checkpoint, which is not supported yet"),
    (r"cond_stage_model\.model\.", "an SD 2.x checkpoint, which is not supported yet"),
    (r"(model\.diffusion_model\.)?double_blocks\.", "a Flux network, which is not supported yet"),
    (r"(model\.diffusion_model\.)?joint_blocks\.", "an SD 3 network, which is not supported yet"),
    (r"model\.diffusion_model\.", "a diffusion network alone"),
    (r"(down_blocks|mid_block)\.", "a network in the diffusers layout (single-file checkpoints are read, not folders)"),
    (r"(first_stage_model\.)?(encoder|decoder)\.(conv_in|down|up|mid)\.", "an autoencoder alone (it belongs into vae)"),
    (r"(text_model\.|cond_stage_model\.|encoder\.block\.)", "a text encoder alone (it belongs into text_encoders)"),
    (r"(emb_params|string_to_param|clip_[lg])$", "a textual inversion (it belongs into embeddings)"),
)


def describe(keys: Iterable[str]) -> str:
    """In a few words, what a file with these keys seems to be; for error messages."""
    names = list(keys)
    if not names:
        return "a file without weights"
    for pattern, kind in _KINDS:
        compiled = re.compile(pattern)
        if any(compiled.match(k) for k in names):
            return kind
    first = min(names)[:80]
    return (
        f"{len(names)} weights of another kind (the first is {''.join(c if c.isprintable() else '?' for c in first)})"
    )

"""Builds diffusers' UNet and autoencoder from the key names of single-file (latent diffusion) checkpoints.

diffusers' own converters are private and want a hub or a configuration file; these rules need the
shape alone, and each network is made without first filling it with random numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from engine.models.checkpoint import ModelFileError, Weights
from engine.models.detect import UNET, VAE, UNetShape, VAEShape

# Nothing here may ask a hub, whatever the user's environment says: a network is either in the file or missing.
os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"

Pairs = Iterator[tuple[str, str]]  # (prefix in the file, prefix in diffusers)

_UNET_INNER = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_VAE_INNER = {"nin_shortcut": "conv_shortcut"}
_VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def load_unet(weights: Weights, shape: UNetShape, dtype: torch.dtype) -> nn.Module:
    """diffusers' `UNet2DConditionModel` with the file's weights, for inference. Raises `ModelFileError`."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    names = unet_names(weights.under(UNET), shape)
    state = weights.read({UNET + k: v for k, v in names.items()}, dtype)
    return _build(UNet2DConditionModel, unet_config(shape), state, weights)


def load_vae(weights: Weights, shape: VAEShape, dtype: torch.dtype, prefix: str = VAE) -> nn.Module:
    """diffusers' `AutoencoderKL` with the file's weights, for inference. Raises `ModelFileError`."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    names = vae_names(weights.under(prefix), shape)
    state = weights.read({prefix + k: v for k, v in names.items()}, dtype)
    for name, value in state.items():
        if ".attentions." in name and value.ndim == 4:  # stored as 1×1 convolutions
            state[name] = value[:, :, 0, 0].contiguous()
    return _build(AutoencoderKL, vae_config(shape), state, weights)


def _build(
    network_class: Any, config: Mapping[str, Any], state: dict[str, torch.Tensor], weights: Weights
) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = network_class(**config)
    wanted = {k: v.shape for k, v in network.state_dict().items()}
    for name in sorted(wanted.keys() | state.keys()):
        if name not in state or name not in wanted or state[name].shape != wanted[name]:
            found = tuple(state[name].shape) if name in state else "nothing"
            expected = tuple(wanted[name]) if name in wanted else "nothing"
            raise ModelFileError(
                f"{weights.path.name} does not fit the network that its other weights describe: at {name} expected {expected}, found {found}"
            )
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def unet_config(shape: UNetShape) -> dict[str, Any]:
    """Arguments of `UNet2DConditionModel` for a shape."""
    attends = [depth > 0 for depth in shape.depths]
    return {
        "in_channels": shape.in_channels,
        "out_channels": shape.out_channels,
        "block_out_channels": shape.channels,
        "down_block_types": tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        "up_block_types": tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        "layers_per_block": shape.blocks,
        "transformer_layers_per_block": (*(max(1, d) for d in shape.depths[:-1]), shape.middle_depth),
        "cross_attention_dim": shape.context,
        # the argument is named for the width of a head and means their number: a mistake that diffusers keeps for its old files
        "attention_head_dim": shape.heads,
        "use_linear_projection": shape.linear,
    }


def vae_config(shape: VAEShape) -> dict[str, Any]:
    """Arguments of `AutoencoderKL` for a shape."""
    levels = len(shape.channels)
    return {
        "in_channels": shape.picture_channels,
        "out_channels": shape.picture_channels,
        "block_out_channels": shape.channels,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": shape.blocks,
        "latent_channels": shape.latent_channels,
        "norm_num_groups": 32,
    }


def unet_names(keys: Mapping[str, Any], shape: UNetShape) -> dict[str, str]:
    """Name in diffusers of each key of a UNet; the file numbers its blocks through all levels."""
    return _rename(keys, dict(_unet_prefixes(shape)), lambda prefix: {} if "attentions" in prefix else _UNET_INNER)


def vae_names(keys: Mapping[str, Any], shape: VAEShape) -> dict[str, str]:
    """Name in diffusers of each key of an autoencoder; losses and averages left over from training are skipped."""
    used = {k: v for k, v in keys.items() if k.split(".")[0] in ("encoder", "decoder", "quant_conv", "post_quant_conv")}
    return _rename(
        used, dict(_vae_prefixes(shape)), lambda prefix: _VAE_ATTENTION if "attentions" in prefix else _VAE_INNER
    )


def _unet_prefixes(shape: UNetShape) -> Pairs:
    yield "time_embed.0", "time_embedding.linear_1"
    yield "time_embed.2", "time_embedding.linear_2"
    yield "input_blocks.0.0", "conv_in"
    yield "out.0", "conv_norm_out"
    yield "out.2", "conv_out"
    for i, name in enumerate(("resnets.0", "attentions.0", "resnets.1")):
        yield f"middle_block.{i}", f"mid_block.{name}"
    number, last = 0, len(shape.channels) - 1
    for level in range(last + 1):
        for i in range(shape.blocks):
            number += 1
            yield f"input_blocks.{number}.0", f"down_blocks.{level}.resnets.{i}"
            yield f"input_blocks.{number}.1", f"down_blocks.{level}.attentions.{i}"
        if level != last:
            number += 1
            yield f"input_blocks.{number}.0.op", f"down_blocks.{level}.downsamplers.0.conv"
    number = -1
    for step in range(last + 1):
        attends = shape.depths[last - step] > 0
        for i in range(shape.blocks + 1):
            number += 1
            yield f"output_blocks.{number}.0", f"up_blocks.{step}.resnets.{i}"
            if attends:
                yield f"output_blocks.{number}.1", f"up_blocks.{step}.attentions.{i}"
        yield f"output_blocks.{number}.{1 + attends}.conv", f"up_blocks.{step}.upsamplers.0.conv"


def _vae_prefixes(shape: VAEShape) -> Pairs:
    levels = len(shape.channels)
    for name in ("quant_conv", "post_quant_conv"):
        yield name, name
    for half in ("encoder", "decoder"):
        for name, other in (("conv_in", "conv_in"), ("norm_out", "conv_norm_out"), ("conv_out", "conv_out")):
            yield f"{half}.{name}", f"{half}.{other}"
        for name, other in (("block_1", "resnets.0"), ("attn_1", "attentions.0"), ("block_2", "resnets.1")):
            yield f"{half}.mid.{name}", f"{half}.mid_block.{other}"
    for level in range(levels):
        for i in range(shape.blocks):
            yield f"encoder.down.{level}.block.{i}", f"encoder.down_blocks.{level}.resnets.{i}"
        yield f"encoder.down.{level}.downsample.conv", f"encoder.down_blocks.{level}.downsamplers.0.conv"
        for i in range(shape.blocks + 1):  # the decoder's levels are numbered from the picture's side
            yield f"decoder.up.{level}.block.{i}", f"decoder.up_blocks.{levels - 1 - level}.resnets.{i}"
        yield f"decoder.up.{level}.upsample.conv", f"decoder.up_blocks.{levels - 1 - level}.upsamplers.0.conv"


def _rename(keys: Mapping[str, Any], prefixes: Mapping[str, str], inner: Any) -> dict[str, str]:
    """The longest prefix that fits is replaced, and the layer's name behind it; other keys stay, and fail in `_build`."""
    out = {}
    for key in keys:
        parts = key.split(".")
        name = key
        for n in range(len(parts) - 1, 0, -1):
            if (new := prefixes.get(".".join(parts[:n]))) is None:
                continue
            rest = ".".join(parts[n:])
            for old, other in inner(new).items():
                if rest.startswith(old + "."):
                    rest = other + rest[len(old) :]
                    break
            name = f"{new}.{rest}"
            break
        out[key] = name
    return out

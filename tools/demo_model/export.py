"""Writes the three trained networks as one safetensors file in the Stable Diffusion 1.x key layout.

    python -m demo_model.export --from DIR --out FILE      (from tools/)

DIR holds unet.safetensors, text.safetensors and vae.safetensors as the training scripts save them
(state dicts of the classes in networks.py). Weights are stored as float16; nothing is fused or
trained here, so the file can be written again at any time from a snapshot.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

MAX_BYTES = 25 * 1000 * 1000  # the file lives in the repository
METADATA = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.title": "comfytui demo: coloured shapes",
    "modelspec.author": "the comfytui maintainers",
    "modelspec.license": "MIT",
    "modelspec.description": "A small text-to-image latent diffusion model, trained from scratch on pictures drawn by "
    "tools/demo_model/draw.py. It draws coloured shapes on coloured backgrounds, at 64 to 192 pixels.",
    "modelspec.resolution": "128x128",
    "modelspec.prediction_type": "epsilon",
    "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
    "format": "pt",
}

Pairs = Iterator[tuple[str, str]]  # (prefix in diffusers' names, prefix in the single file)

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _count(keys: Mapping[str, torch.Tensor], pattern: str) -> int:
    """How many different numbers stand where `pattern` has its group."""
    return len({m[1] for k in keys if (m := re.match(pattern, k))})


def unet_prefixes(state: Mapping[str, torch.Tensor]) -> Pairs:
    """Where each block of a UNet goes: the single file numbers input and output blocks through all levels."""
    yield "time_embedding.linear_1.", "time_embed.0."
    yield "time_embedding.linear_2.", "time_embed.2."
    yield "conv_in.", "input_blocks.0.0."
    yield "conv_norm_out.", "out.0."
    yield "conv_out.", "out.2."
    for name, number in (("resnets.0", 0), ("attentions.0", 1), ("resnets.1", 2)):
        yield f"mid_block.{name}.", f"middle_block.{number}."
    number = 0
    for level in range(_count(state, r"down_blocks\.(\d+)\.")):
        for i in range(_count(state, rf"down_blocks\.{level}\.resnets\.(\d+)\.")):
            number += 1
            yield f"down_blocks.{level}.resnets.{i}.", f"input_blocks.{number}.0."
            yield f"down_blocks.{level}.attentions.{i}.", f"input_blocks.{number}.1."
        if f"down_blocks.{level}.downsamplers.0.conv.weight" in state:
            number += 1
            yield f"down_blocks.{level}.downsamplers.0.conv.", f"input_blocks.{number}.0.op."
    number = -1
    for level in range(_count(state, r"up_blocks\.(\d+)\.")):
        attends = f"up_blocks.{level}.attentions.0.norm.weight" in state
        for i in range(_count(state, rf"up_blocks\.{level}\.resnets\.(\d+)\.")):
            number += 1
            yield f"up_blocks.{level}.resnets.{i}.", f"output_blocks.{number}.0."
            yield f"up_blocks.{level}.attentions.{i}.", f"output_blocks.{number}.1."
        yield f"up_blocks.{level}.upsamplers.0.conv.", f"output_blocks.{number}.{1 + attends}.conv."


def vae_prefixes(state: Mapping[str, torch.Tensor]) -> Pairs:
    """Where each block of an autoencoder goes: the single file numbers the decoder's levels from the picture's side."""
    for name in ("quant_conv.", "post_quant_conv."):
        yield name, name
    for half, ours, theirs in (("encoder", "down_blocks", "down"), ("decoder", "up_blocks", "up")):
        for name, other in (("conv_in", "conv_in"), ("conv_norm_out", "norm_out"), ("conv_out", "conv_out")):
            yield f"{half}.{name}.", f"{half}.{other}."
        middle = (("resnets.0", "block_1"), ("attentions.0", "attn_1"), ("resnets.1", "block_2"))
        for name, other in middle:
            yield f"{half}.mid_block.{name}.", f"{half}.mid.{other}."
        levels = _count(state, rf"{half}\.{ours}\.(\d+)\.")
        if half == "encoder":  # a level without blocks and without a downsampler, the last one, leaves no key
            levels = max(levels, _count(state, r"decoder\.up_blocks\.(\d+)\."))
        for level in range(levels):
            there = level if half == "encoder" else levels - 1 - level
            for i in range(_count(state, rf"{half}\.{ours}\.{level}\.resnets\.(\d+)\.")):
                yield f"{half}.{ours}.{level}.resnets.{i}.", f"{half}.{theirs}.{there}.block.{i}."
            yield f"{half}.{ours}.{level}.{ours[:-7]}samplers.0.conv.", f"{half}.{theirs}.{there}.{theirs}sample.conv."


def _rename(
    state: Mapping[str, torch.Tensor], prefixes: Pairs, inner: Mapping[str, Mapping[str, str]]
) -> dict[str, torch.Tensor]:
    """Every key of `state` under its new name; a key that no prefix covers is an error, not a loss."""
    table = sorted(prefixes, key=lambda pair: -len(pair[0]))
    out = {}
    for key, value in state.items():
        found = next(((old, new) for old, new in table if key.startswith(old)), None)
        if found is None:
            raise ValueError(f"no place in the single-file layout for {key}")
        rest = key[len(found[0]) :]
        kind = "attentions" if ".attentions." in f".{key}" else "resnets" if ".resnets." in f".{key}" else ""
        for old, new in inner.get(kind, {}).items():
            if rest.startswith(old + "."):
                rest = new + rest[len(old) :]
                break
        out[found[1] + rest] = value
    return out


def unet_to_single_file(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`UNet2DConditionModel.state_dict()` with the keys below `model.diffusion_model.`."""
    return _rename(state, unet_prefixes(state), {"resnets": RESNET})


def vae_to_single_file(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`AutoencoderKL.state_dict()` with the keys below `first_stage_model.`; attention becomes 1×1 convolutions."""
    renamed = _rename(
        state, vae_prefixes(state), {"resnets": {"conv_shortcut": "nin_shortcut"}, "attentions": ATTENTION}
    )
    matrix = re.compile(r"\.attn_1\.(q|k|v|proj_out)\.weight$")
    return {k: v[:, :, None, None] if matrix.search(k) and v.ndim == 2 else v for k, v in renamed.items()}


def text_to_single_file(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`CLIPTextModel.state_dict()` with the keys below `cond_stage_model.transformer.`, of any transformers version."""
    return {
        "text_model." + k.removeprefix("text_model."): v for k, v in state.items() if not k.endswith("position_ids")
    }


def single_file(
    unet: Mapping[str, torch.Tensor], text: Mapping[str, torch.Tensor], vae: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """One state dict in the SD 1.x layout, float16, from the three networks' own."""
    parts = (
        ("model.diffusion_model.", unet_to_single_file(unet)),
        ("first_stage_model.", vae_to_single_file(vae)),
        ("cond_stage_model.transformer.", text_to_single_file(text)),
    )
    return {prefix + k: v.to(torch.float16).contiguous() for prefix, part in parts for k, v in part.items()}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--from", dest="source", type=Path, required=True, help="folder with {unet,text,vae}.safetensors")
    args.add_argument("--out", type=Path, required=True)
    o = args.parse_args()
    state = single_file(*(load_file(o.source / f"{name}.safetensors") for name in ("unet", "text", "vae")))
    broken = [k for k, v in state.items() if not torch.isfinite(v).all()]
    if broken:
        raise SystemExit(
            f"{len(broken)} tensors are not finite in float16, the first is {broken[0]}: nothing was written"
        )
    o.out.parent.mkdir(parents=True, exist_ok=True)
    part = o.out.with_name(o.out.name + ".part")
    save_file(state, part, metadata=METADATA)
    size = part.stat().st_size
    if size > MAX_BYTES:
        part.unlink()
        raise SystemExit(f"{size / 1e6:.1f} MB is more than the {MAX_BYTES / 1e6:.0f} MB that the repository carries")
    part.replace(o.out)
    print(f"{o.out}: {len(state)} tensors, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

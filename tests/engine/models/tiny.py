"""A checkpoint of the SD 1.x layout with random weights, small enough to make for each run of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))


def networks():
    """UNet, text transformer and autoencoder of diffusers and transformers, with weights that float16 holds exactly."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=64,
        attention_head_dim=8,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=1,
            max_position_embeddings=77,
            hidden_act="quick_gelu",
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )
    vae = AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=0,
        latent_channels=4,
        norm_num_groups=32,
    )
    for network in (unet, text, vae):
        network.eval().requires_grad_(False)
        for p in network.parameters():
            p.data = p.data.half().float()
    return unet, text, vae


def write(path: Path, parts=None) -> Path:
    """The networks as one file, through the demo model's exporter."""
    from demo_model.export import single_file

    save_file(single_file(*(n.state_dict() for n in parts or networks())), path)
    return path

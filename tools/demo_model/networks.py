"""The three networks of the demo model, in the shapes that Stable Diffusion 1.x gave them, but small."""

from __future__ import annotations

import gzip
from pathlib import Path

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTH = 64  # of a text token
VOCABULARY = Path(__file__).parents[2] / "engine" / "data" / "clip" / "bpe_simple_vocab_16e6.txt.gz"


def unet() -> UNet2DConditionModel:
    """Two levels of 64 and 128 channels; 8 heads, and cross-attention on the second level alone."""
    return UNet2DConditionModel(
        block_out_channels=(64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=2,
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        in_channels=4,
        out_channels=4,
    )


def text_encoder() -> CLIPTextModel:
    """CLIP's text transformer, 2 layers deep, one head of 64."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=1,
            max_position_embeddings=77,
            hidden_act="quick_gelu",
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )


def autoencoder() -> AutoencoderKL:
    """128 channels on four levels. GroupNorm's 32 groups need that many: with 64 it hardly trains."""
    return AutoencoderKL(
        block_out_channels=(128, 128, 128, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=0,
        latent_channels=4,
        norm_num_groups=32,
    )


def tokenizer() -> CLIPTokenizer:
    """CLIP's byte-pair encoding, built from the published merge list."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(rest))]
    lines = gzip.decompress(VOCABULARY.read_bytes()).decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    words = [
        *letters,
        *(c + "</w>" for c in letters),
        *("".join(m) for m in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=merges)

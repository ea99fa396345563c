"""Masks of pictures to be inpainted: sized to the picture, grown, and the masked part greyed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_mask(pixels: Tensor, mask: Tensor, factor: int = 8) -> tuple[Tensor, Tensor]:
    """Pictures (B, H, W, C) and a mask (B, 1, H, W) of their size, both cut to the middle of whole latent pixels."""
    height, width = pixels.shape[1:3]
    sized = F.interpolate(mask.reshape(-1, 1, *mask.shape[-2:]).float(), size=(height, width), mode="bilinear")
    h, w = height // factor * factor, width // factor * factor
    top, left = height % factor // 2, width % factor // 2
    part = slice(top, top + h), slice(left, left + w)
    return pixels[:, part[0], part[1]], sized[:, :, part[0], part[1]]


def greyed(pixels: Tensor, mask: Tensor) -> Tensor:
    """Pictures (B, H, W, C), middle grey where the mask (B, 1, H, W) rounds to 1, so that the encoder sees no old edge."""
    keep = (1 - mask.round())[:, 0, :, :, None]
    return (pixels[..., :3] - 0.5) * keep + 0.5


def grown(mask: Tensor, by: int) -> Tensor:
    """A mask (B, 1, H, W), rounded, with a border of about half of `by` pixels; as it is at 0."""
    if by == 0:
        return mask
    border = math.ceil((by - 1) / 2)
    sums = F.conv2d(mask.round(), torch.ones(1, 1, by, by, dtype=mask.dtype, device=mask.device), padding=border)
    return sums.clamp(0, 1)[:, :, : mask.shape[2], : mask.shape[3]]

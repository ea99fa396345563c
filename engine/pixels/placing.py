"""Pictures cut, padded, turned, put together and laid over each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def crop(image: Tensor, x: int, y: int, width: int, height: int) -> Tensor:
    """The part of this size at x, y; moved inwards, and smaller, where the picture ends."""
    x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    return image[:, y : y + height, x : x + width]


def flip(image: Tensor, vertically: bool) -> Tensor:
    return torch.flip(image, dims=[1 if vertically else 2])


def rotate(image: Tensor, quarters: int) -> Tensor:
    """Clockwise by so many quarters of a turn."""
    return torch.rot90(image, k=quarters, dims=[2, 1])


def same_channels(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two pictures with as many channels: one without transparency is opaque."""
    if first.shape[-1] == second.shape[-1]:
        return first, second
    most = max(first.shape[-1], second.shape[-1])
    padded = [F.pad(each, (0, most - each.shape[-1]), value=1.0) for each in (first, second)]
    return padded[0], padded[1]


def repeated(image: Tensor, count: int) -> Tensor:
    """A batch of `count`, by beginning anew where there are fewer."""
    if len(image) >= count:
        return image[:count]
    return image.repeat(-(-count // len(image)), *([1] * (image.ndim - 1)))[:count]


def pad(image: Tensor, left: int, top: int, right: int, bottom: int, feathering: int) -> tuple[Tensor, Tensor]:
    """A larger canvas of grey, and a mask (B, H, W) of what is to be painted.

    The mask rises smoothly (quadratically) over `feathering` pixels within the old picture, at the sides that were made longer;
    not where it would reach past the middle.
    """
    count, height, width, channels = image.shape
    canvas = torch.full((count, height + top + bottom, width + left + right, channels), 0.5, dtype=torch.float32)
    canvas[:, top : top + height, left : left + width] = image
    mask = torch.ones(height + top + bottom, width + left + right)
    inside = torch.zeros(height, width)
    if feathering > 0 and feathering * 2 < height and feathering * 2 < width:
        far = float(max(height, width))
        rows, columns = torch.arange(height).float(), torch.arange(width).float()
        none_row, none_column = torch.full_like(rows, far), torch.full_like(columns, far)
        vertical = torch.minimum(rows if top else none_row, height - rows if bottom else none_row)
        horizontal = torch.minimum(columns if left else none_column, width - columns if right else none_column)
        distance = torch.minimum(vertical[:, None], horizontal[None])
        inside = ((feathering - distance) / feathering).clamp(min=0) ** 2
    mask[top : top + height, left : left + width] = inside
    return canvas, mask[None]


def composite(below: Tensor, above: Tensor, x: int, y: int, mask: Tensor | None = None, resize: bool = False) -> Tensor:
    """`above` laid over `below` at x, y (which may be negative), through a mask that is fitted to it."""
    below, above = same_channels(below, above)
    moved = above.movedim(-1, 1)
    if resize:
        moved = F.interpolate(moved, size=below.shape[1:3], mode="bilinear")
    moved = repeated(moved, len(below))
    if mask is None:
        weights = torch.ones_like(moved[:, :1])
    else:
        weights = mask.reshape(-1, 1, *mask.shape[-2:]).float()
        weights = F.interpolate(weights, size=moved.shape[-2:], mode="bilinear")
        weights = repeated(weights, len(below))
    height, width = moved.shape[-2:]
    x, y = max(-width, min(x, below.shape[2])), max(-height, min(y, below.shape[1]))
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(width, below.shape[2] - x), min(height, below.shape[1] - y)
    result = below.clone()
    if right > left and bottom > top:
        piece = moved[:, :, top:bottom, left:right].movedim(1, -1)
        weight = weights[:, :, top:bottom, left:right].movedim(1, -1)
        place = result[:, y + top : y + bottom, x + left : x + right]
        result[:, y + top : y + bottom, x + left : x + right] = piece * weight + place * (1 - weight)
    return result

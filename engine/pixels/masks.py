"""Masks: cut, grown, feathered, combined, and made from pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def flat(mask: Tensor) -> Tensor:
    """A mask of any shape (…, H, W) as (B, H, W)."""
    return mask.reshape(-1, *mask.shape[-2:])


def crop(mask: Tensor, x: int, y: int, width: int, height: int) -> Tensor:
    """The part that lies within; smaller than asked for at the edges. Raises `ValueError` if nothing does."""
    found = flat(mask)[:, y : y + height, x : x + width]
    if 0 in found.shape:
        raise ValueError(f"nothing of a mask of {mask.shape[-1]}x{mask.shape[-2]} lies at x {x}, y {y}")
    return found


def grow(mask: Tensor, by: int, tapered: bool, check: Callable[[], None] = lambda: None) -> Tensor:
    """Dilated `by` times (eroded if negative) with a 3×3 square, or with a cross, whose corners taper.

    Grey-scale morphology: the largest (or smallest) value under the element.
    """
    found = flat(mask).float()
    height, width = found.shape[-2:]
    if not by:
        return found
    sign = 1.0 if by > 0 else -1.0
    values = found * sign
    for _ in range(min(abs(by), height + width)):  # nothing changes once all is reached
        check()
        # The edge is repeated by leaving out what is beyond it.
        rows = F.max_pool2d(values[:, None], (3, 1), 1, (1, 0))[:, 0]
        if tapered:
            columns = F.max_pool2d(values[:, None], (1, 3), 1, (0, 1))[:, 0]
            grown = torch.maximum(rows, columns)
        else:
            grown = F.max_pool2d(rows[:, None], (1, 3), 1, (0, 1))[:, 0]
        if torch.equal(grown, values):
            break
        values = grown
    return values * sign


def feather(mask: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """Fades linearly towards each edge, over so many pixels."""
    found = flat(mask).clone()
    height, width = found.shape[-2:]
    for size, dim, length, back in (
        (left, 2, width, False),
        (right, 2, width, True),
        (top, 1, height, False),
        (bottom, 1, height, True),
    ):
        count = min(size, length)
        if count:
            weights = torch.arange(1, count + 1, dtype=found.dtype) / count
            index = torch.arange(count)
            shape = [1, 1, 1]
            shape[dim] = count
            found.index_copy_(
                dim,
                length - 1 - index if back else index,
                found.index_select(dim, length - 1 - index if back else index) * weights.reshape(shape),
            )
    return found


def combine(destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> Tensor:
    """`source` worked into `destination` with its upper left corner at x, y; what does not fit is left out."""
    below, above = flat(destination).clone(), flat(source)
    right, bottom = min(x + above.shape[-1], below.shape[-1]), min(y + above.shape[-2], below.shape[-2])
    if right <= x or bottom <= y:
        return below
    above = above[:, : bottom - y, : right - x]
    place = below[:, y:bottom, x:right]
    logical: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "and": torch.logical_and,
        "or": torch.logical_or,
        "xor": torch.logical_xor,
    }
    if operation in logical:
        mixed = logical[operation](place.round().bool(), above.round().bool()).float()
    else:
        arithmetic: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "multiply": torch.mul,
            "add": torch.add,
            "subtract": torch.sub,
        }
        mixed = arithmetic[operation](place, above)
    below[:, y:bottom, x:right] = mixed
    return below.clamp(0.0, 1.0)


def of_colour(image: Tensor, colour: int) -> Tensor:
    """1 where a picture has exactly this colour (0xRRGGBB, at 8 bits), else 0."""
    levels = (image[..., :3].clamp(0, 1) * 255.0).round().to(torch.int32)
    packed = (levels[..., 0] << 16) + (levels[..., 1] << 8) + levels[..., 2]
    return (packed == colour).float()

"""Calls the network for both sides of the guidance, and mixes areas, masks and strengths into one answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.sampling.sigmas import Sigmas

Predict = Callable[[Tensor, Tensor, Tensor], Tensor]  # x, sigma (B,), context (B, T, W) → x0
Area = tuple[int, int, int, int]  # height, width, top, left, in latent pixels
FEATHER = 8  # latent pixels over which an area's inner edges fade
MAX_REPEAT = 4  # texts of different length share a call while repeating makes none longer than this many times


@dataclass(frozen=True, slots=True)
class Cond:
    """One piece of conditioning, ready for the network."""

    context: Tensor  # (B, T, width)
    strength: float = 1.0
    area: Area | None = None
    mask: Tensor | None = None  # (1 or B, h, w) of the whole latent, its own strength multiplied in
    start: float = math.inf  # it counts at sigmas from `start` …
    end: float = 0.0  # … down to `end`

    def active(self, sigma: float) -> bool:
        return self.end <= sigma <= self.start


def prepare(
    conditioning: Sequence[Any], shape: Sequence[int], sigmas: Sigmas, device: torch.device
) -> tuple[Cond, ...]:
    """Conditioning as nodes pass it (`[[tensor, options], …]`), for a latent of `shape` (B, C, H, W).

    Options: `strength`, `area` (in latent pixels, or `("percentage", …)` in shares), `mask` with
    `mask_strength` and `set_area_to_bounds`, `start_percent` and `end_percent`.
    """
    conds = []
    for tensor, options in conditioning:
        mask, area = options.get("mask"), _area(options.get("area"), shape)
        if mask is not None:
            mask = _resized(mask.float(), shape)
            if area is None and options.get("set_area_to_bounds", False):
                area = bounds(mask)
            mask = (mask * float(options.get("mask_strength", 1.0))).to(device)
        start, end = options.get("start_percent"), options.get("end_percent")
        conds.append(
            Cond(
                context=tensor.float().to(device),
                strength=float(options.get("strength", 1.0)),
                area=area,
                mask=mask,
                start=math.inf if start is None else sigmas.at_percent(start),
                end=0.0 if end is None else sigmas.at_percent(end),
            )
        )
    return tuple(conds)


def _area(area: Sequence[Any] | None, shape: Sequence[int]) -> Area | None:
    if area is None:
        return None
    height, width = shape[-2:]
    if area[0] == "percentage":
        h, w, y, x = (float(v) for v in area[1:])
        found = (max(1, round(h * height)), max(1, round(w * width)), round(y * height), round(x * width))
    else:
        found = tuple(int(v) for v in area)  # type: ignore[assignment]
    h, w, y, x = found
    y, x = min(max(0, int(y)), height - 1), min(max(0, int(x)), width - 1)
    return min(int(h), height - y), min(int(w), width - x), y, x


def _resized(mask: Tensor, shape: Sequence[int]) -> Tensor:
    mask = mask.reshape(-1, *mask.shape[-2:])
    if mask.shape[-2:] == tuple(shape[-2:]):
        return mask
    return F.interpolate(mask[:, None], size=tuple(shape[-2:]), mode="bilinear", align_corners=False)[:, 0]


def bounds(mask: Tensor) -> Area:
    """The smallest area (8×8 at least) that holds all of a mask (B, H, W) that is not zero."""
    used = mask.abs().amax(dim=0) > 0
    rows, columns = used.any(dim=1).nonzero(), used.any(dim=0).nonzero()
    if not len(rows):
        return 8, 8, 0, 0
    top, left = int(rows[0]), int(columns[0])
    return max(8, int(rows[-1]) - top + 1), max(8, int(columns[-1]) - left + 1), top, left


def opposite(conds: Sequence[Cond], others: Sequence[Cond]) -> tuple[Cond, ...]:
    """`conds`, with a twin for each area of `others` that they lack.

    Guidance subtracts one side from the other, so an area that only one side has would count as twice
    itself: the smallest area of this side around it answers there too.
    """
    result = list(conds)
    for other in others:
        if other.area is None or any(c.area == other.area for c in result):
            continue
        around = [c for c in result if c.area is None or _holds(c.area, other.area)]
        if around:
            smallest = min(around, key=lambda c: math.inf if c.area is None else c.area[0] * c.area[1])
            result.append(replace(other, context=smallest.context))
    return tuple(result)


def _holds(outer: Area, inner: Area) -> bool:
    return (
        inner[2] >= outer[2]
        and inner[3] >= outer[3]
        and inner[2] + inner[0] <= outer[2] + outer[0]
        and inner[3] + inner[1] <= outer[3] + outer[1]
    )


def predict(model: Predict, x: Tensor, sigma: Tensor, sides: Sequence[Sequence[Cond]]) -> list[Tensor]:
    """x0 for each side: the mean of its active conds, weighted by strength, area and mask.

    All pieces of one size go through the network in one call, where their texts can be made equally
    long by repeating (attention does not notice: a repeated key only splits its weight).
    """
    level = float(sigma)
    work = [(side, cond) for side, conds in enumerate(sides) for cond in conds if cond.active(level)]
    if all(cond.area is None and cond.mask is None for _, cond in work) and len(work) == len(sides) == len(
        {s for s, _ in work}
    ):
        return _call(
            model, [x] * len(work), sigma, [cond.context for _, cond in work]
        )  # the usual case, without any mixing
    totals = [torch.zeros_like(x) for _ in sides]
    counts = [torch.full_like(x, 1e-37) for _ in sides]
    left = work
    while left:
        size = _piece(x, left[0][1].area).shape
        same = [w for w in left if _piece(x, w[1].area).shape == size]
        left = [w for w in left if _piece(x, w[1].area).shape != size]
        answers = _call(model, [_piece(x, c.area) for _, c in same], sigma, [c.context for _, c in same])
        for (side, cond), answer in zip(same, answers, strict=True):
            weight = _weight(cond, answer, x.shape)
            _piece(totals[side], cond.area).add_(answer * weight)
            _piece(counts[side], cond.area).add_(weight)
    return [total / number for total, number in zip(totals, counts, strict=True)]


def _piece(x: Tensor, area: Area | None) -> Tensor:
    if area is None:
        return x
    h, w, top, left = area
    return x[..., top : top + h, left : left + w]


def _weight(cond: Cond, answer: Tensor, shape: Sequence[int]) -> Tensor:
    weight = torch.full_like(answer, cond.strength)
    if cond.mask is not None:
        mask = _piece(cond.mask, cond.area)[:, None]
        repeats = -(-len(answer) // len(mask))
        return weight * mask.repeat(repeats, 1, 1, 1)[: len(answer)]
    if cond.area is not None:
        _fade(weight, cond.area, shape)
    return weight


def _fade(weight: Tensor, area: Area, shape: Sequence[int]) -> None:
    """Let an area's weight fall towards those of its edges that lie inside the picture, in place."""
    for dim, (length, start, whole) in enumerate(
        ((area[0], area[2], shape[-2]), (area[1], area[3], shape[-1])), start=2
    ):
        width = min(FEATHER, length // 4)
        for t in range(width):
            if start > 0:
                weight.narrow(dim, t, 1).mul_((t + 1) / width)
            if start + length < whole:
                weight.narrow(dim, length - 1 - t, 1).mul_((t + 1) / width)


def _call(model: Predict, pieces: list[Tensor], sigma: Tensor, contexts: list[Tensor]) -> list[Tensor]:
    lengths = [c.shape[1] for c in contexts]
    common = math.lcm(*lengths)
    if common // min(lengths) > MAX_REPEAT:  # too different: one call each
        return [answer for p, c in zip(pieces, contexts, strict=True) for answer in _batch(model, [p], sigma, [c])]
    return _batch(model, pieces, sigma, [c.repeat(1, common // c.shape[1], 1) for c in contexts])


def _batch(model: Predict, pieces: list[Tensor], sigma: Tensor, contexts: list[Tensor]) -> list[Tensor]:
    n = len(pieces[0])
    fitted = [c if len(c) == n else c.repeat(-(-n // len(c)), 1, 1)[:n] for c in contexts]
    answer = model(torch.cat(pieces), sigma.reshape(1).expand(n * len(pieces)), torch.cat(fitted))
    return list(answer.chunk(len(pieces)))

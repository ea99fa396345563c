"""Guidance methods, each as a hook for `Hooks`, with the paper it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from engine.sampling.hooks import Answer

Mix = Callable[[Answer], Tensor]
Post = Callable[[Tensor, Answer], Tensor]


def _inner(x: Tensor) -> list[int]:
    return list(range(1, x.ndim))


def rescale(multiplier: float) -> Mix:
    """Guidance on v whose spread is brought back to that of the positive side (Lin et al. 2023, section 3.4)."""

    def mix(a: Answer) -> Tensor:
        s = a.sigma.view(-1, *(1,) * (a.x.ndim - 1))
        root = (s * s + 1).sqrt()
        middle = a.x / (s * s + 1)
        positive, negative = ((middle - x0) * root / s for x0 in (a.positive, a.negative))
        guided = negative + a.cfg * (positive - negative)
        dims = _inner(guided)
        narrow = guided * (positive.std(dim=dims, keepdim=True) / guided.std(dim=dims, keepdim=True))
        return middle - (multiplier * narrow + (1 - multiplier) * guided) * s / root

    return mix


def cfg_norm(strength: float) -> Post:
    """The guided answer, no longer at any place than the positive one (the norm is over channels)."""

    def post(mixed: Tensor, a: Answer) -> Tensor:
        want = torch.linalg.vector_norm(a.positive, dim=1, keepdim=True)
        have = torch.linalg.vector_norm(mixed, dim=1, keepdim=True)
        factor: Tensor = (want / (have + 1e-8)).clamp(0, 1) * strength
        return mixed * factor

    return post


def zero_star(mixed: Tensor, a: Answer) -> Tensor:
    """CFG-Zero* (Fan et al. 2025, arXiv:2503.18886): the negative side scaled by its projection on the positive one."""
    positive, negative = a.x - a.positive, a.x - a.negative  # the directions that the network gave
    dims = _inner(positive)
    scale = (positive * negative).sum(dim=dims, keepdim=True) / (negative.square().sum(dim=dims, keepdim=True) + 1e-8)
    # what plain guidance would have changed by, on top of what hooks before this one did
    return mixed + (a.cfg - 1) * (negative * scale - negative) if a.cfg != 1 else mixed


def tangential(a: Answer) -> Answer:
    """TCFG (Kwon et al. 2025, arXiv:2503.18137): the negative side keeps only what lies along the common direction."""
    if len(a.positive) != len(a.negative):
        return a
    positive, negative = (a.x - a.positive).float(), (a.x - a.negative).float()
    pair = torch.stack([positive.flatten(1), negative.flatten(1)], dim=1)
    # the first right singular vector, through the 2×2 Gram matrix
    _, vectors = torch.linalg.eigh(pair @ pair.transpose(1, 2))
    along = torch.nn.functional.normalize((vectors[:, :, -1:].transpose(1, 2) @ pair)[:, 0], dim=1)
    kept = (negative.flatten(1) * along).sum(dim=1, keepdim=True) * along
    return replace(a, negative=a.x - kept.view_as(negative).to(a.negative))


def perturbed(scale: float, weakened: Callable[[Answer], Tensor]) -> Post:
    """Away from what a weakened network says (Ahn et al. 2024, arXiv:2403.17377, perturbed-attention guidance)."""

    def post(mixed: Tensor, a: Answer) -> Tensor:
        return mixed if scale == 0 else mixed + (a.positive - weakened(a)) * scale

    return post


def projected(eta: float, norm_threshold: float, momentum: float) -> Callable[[Answer], Answer]:
    """APG (Sadat et al. 2024, arXiv:2410.02416): the part of guidance along the positive answer is weighted by η.

    The mean of guidance over steps starts anew where σ rises: another run.
    """
    average: Tensor | None = None
    before = float("inf")

    def change(a: Answer) -> Answer:
        nonlocal average, before
        guidance, level = a.positive - a.negative, float(a.sigma)
        if momentum:
            fresh = average is None or level >= before or average.shape != guidance.shape
            average = guidance if fresh or average is None else guidance + momentum * average
            guidance = average
        before = level
        dims = _inner(guidance)
        if norm_threshold > 0:
            norm = torch.linalg.vector_norm(guidance, dim=dims, keepdim=True)
            guidance = guidance * (norm_threshold / norm).clamp(max=1)
        unit = torch.nn.functional.normalize(a.positive.double().flatten(1), dim=1)
        flat = guidance.double().flatten(1)
        parallel = ((flat * unit).sum(dim=1, keepdim=True) * unit).view_as(guidance).to(guidance)
        changed = guidance - parallel + eta * parallel
        # plain guidance adds (scale − 1) of the difference to the positive side, as the paper does with its own
        return replace(a, negative=a.positive - changed)

    return change


def dual(cfg_first: float, cfg_second: float, nested: bool) -> Mix:
    """Two positives (Brooks et al. 2022, arXiv:2211.09800, section 3.2): `third` is the second of them."""

    def mix(a: Answer) -> Tensor:
        second = a.negative if a.third is None else a.third
        if nested:
            return a.negative + cfg_second * (second + cfg_first * (a.positive - second) - a.negative)
        return a.negative + cfg_second * (second - a.negative) + cfg_first * (a.positive - second)

    return mix


def perpendicular(scale: float) -> Mix:
    """Perp-Neg (Armandpour et al. 2023, arXiv:2304.04968): of the negative only what is perpendicular to the positive.

    `third` is the empty prompt.
    """

    def mix(a: Answer) -> Tensor:
        empty = a.negative if a.third is None else a.third
        positive, negative = a.positive - empty, a.negative - empty
        along = (negative * positive).sum() / positive.square().sum().clamp(min=1e-12) * positive
        return empty + a.cfg * (positive - scale * (negative - along))

    return mix


def differential(mask: Tensor, share: float, strength: float) -> Tensor:
    """The mask as it counts where this share of the noise is left (Levin & Fried 2023, arXiv:2306.00950)."""
    hard = (mask >= share).to(mask.dtype)
    return hard if strength >= 1 else strength * hard + (1 - strength) * mask

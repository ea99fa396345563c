"""The table of noise levels that a network was trained on, and the ways between sigma, step and percent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

STEPS = 1000


@dataclass(frozen=True, slots=True)
class Sigmas:
    """Noise levels, rising, one a training step; float32 on the CPU."""

    table: Tensor
    log_table: Tensor

    @property
    def minimum(self) -> float:
        return float(self.table[0])

    @property
    def maximum(self) -> float:
        return float(self.table[-1])

    def timestep(self, sigma: Tensor) -> Tensor:
        """The nearest training step, by log sigma, as float: what the network takes as time."""
        distance = sigma.log() - self.log_table.to(sigma.device)[:, None]
        return distance.abs().argmin(dim=0).view(sigma.shape).float()

    def sigma(self, step: Tensor) -> Tensor:
        """The noise level of a step, between two steps by log sigma."""
        t = step.float().cpu().clamp(0, len(self.table) - 1)
        low, high, w = t.floor().long(), t.ceil().long(), t.frac()
        return ((1 - w) * self.log_table[low] + w * self.log_table[high]).exp()

    def at_percent(self, percent: float) -> float:
        """The noise level where this share (0 to 1) of the training steps is left behind; above all at 0, 0 at 1."""
        if percent <= 0:
            return 999999999.9  # larger than any table's maximum
        if percent >= 1:
            return 0.0
        return float(self.sigma(torch.tensor((1 - percent) * (len(self.table) - 1))))


def from_alphas(alphas_cumprod: Tensor) -> Sigmas:
    """σ = √((1 − ᾱ) / ᾱ) of the products ᾱ of a forward process (Ho et al. 2020), in the precision they come in.

    Logarithms are taken before rounding to float32: schedules put levels exactly half way between two
    steps, and the last bit decides which of the two the network is told.
    """
    table = ((1 - alphas_cumprod) / alphas_cumprod).sqrt()
    return Sigmas(table.float(), table.log().float())


@cache
def stable_diffusion_sigmas(start: float = 0.00085, end: float = 0.012) -> Sigmas:
    """The table of Stable Diffusion 1.x: β from `start` to `end`, linear in its root.

    In float64: float32 moves the largest sigma from 14.61464 to 14.61465, which shows in pictures.
    """
    beta = torch.linspace(start**0.5, end**0.5, STEPS, dtype=torch.float64) ** 2
    return from_alphas((1 - beta).cumprod(0))

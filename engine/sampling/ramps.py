"""Noise levels between two ends that the user names, with zero behind them; float32 on the CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _closed(levels: Tensor) -> Tensor:
    return torch.cat([levels.float(), torch.zeros(1)])


def karras(steps: int, high: float, low: float, rho: float = 7.0) -> Tensor:
    """Even in σ^(1/ρ): Karras et al. 2022, equation 5. Raises `ValueError` for a ρ of 0."""
    if rho == 0:
        raise ValueError("rho must not be 0")
    a, b = high ** (1 / rho), low ** (1 / rho)
    return _closed((a + torch.linspace(0, 1, steps) * (b - a)) ** rho)


def polyexponential(steps: int, high: float, low: float, rho: float = 1.0) -> Tensor:
    """A polynomial of degree ρ in log σ; 1 is exponential. Raises `ValueError` for ends that are not above 0."""
    if min(high, low) <= 0:
        raise ValueError(f"sigma_max {high} and sigma_min {low} must be above 0")
    ramp = torch.linspace(1, 0, steps) ** rho
    return _closed((ramp * (math.log(high) - math.log(low)) + math.log(low)).exp())


def laplace(steps: int, high: float, low: float, mu: float = 0.0, beta: float = 0.5) -> Tensor:
    """Quantiles of a Laplace distribution of log σ, kept between the ends (Hang et al. 2024, arXiv:2407.03297)."""
    x = torch.linspace(0, 1, steps)
    middle = 0.5 - x
    lam = mu - beta * middle.sign() * torch.log(1 - 2 * middle.abs() + 1e-5)
    return _closed(lam.exp().clamp(low, high))


def vp(steps: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3) -> Tensor:
    """Levels of the continuous variance-preserving process (Song et al. 2021, arXiv:2011.13456)."""
    t = torch.linspace(1, eps_s, steps)
    return _closed(torch.expm1(beta_d * t**2 / 2 + beta_min * t).sqrt())

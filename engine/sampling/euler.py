"""One-step and Adams samplers on the ODE dx/dσ = (x − x0)/σ of Karras et al. 2022.

Every sampler is a plain function: the denoiser, x at the first sigma (B, C, h, w), falling sigmas,
a source of noise and a callback; it returns x at the last sigma.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.noise import NoiseSource


def derivative(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dσ."""
    return (x - denoised) / sigma


def ancestral_step(sigma: Tensor, sigma_next: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
    """Where to step down to, and how much noise to add back, so that σ_down² + σ_up² = σ_next² (Song et al. 2021)."""
    if not eta:
        return sigma_next, torch.zeros_like(sigma_next)
    up = torch.minimum(sigma_next, eta * (sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2).sqrt())
    return (sigma_next**2 - up**2).sqrt(), up


def euler(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Euler's method (Karras et al. 2022, Algorithm 2 without its correction)."""
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        x = x + derivative(x, s, denoised) * (s_next - s)
    return x


def euler_ancestral(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, eta: float = 1.0
) -> Tensor:
    """Euler's method to σ_down, then fresh noise (the ancestral sampling of Song et al. 2021, in σ)."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        down, up = ancestral_step(s, s_next, eta)
        x = x + derivative(x, s, denoised) * (down - s)
        if s_next > 0:
            x = x + draw(s, s_next) * up
    return x


def heun(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Heun's second-order method (Karras et al. 2022, Algorithm 1)."""
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        d, h = derivative(x, s, denoised), s_next - s
        if s_next > 0:
            x2 = x + d * h
            d = (d + derivative(x2, s_next, model(x2, s_next))) / 2
        x = x + d * h
    return x


def heunpp2(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Heun++: up to three slopes, weighted by how small their sigma is against the first one."""
    end = sigmas[-1]
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        d, h = derivative(x, s, denoised), s_next - s
        if s_next != end:
            x2 = x + d * h
            d2 = derivative(x2, s_next, model(x2, s_next))
            if sigmas[i + 2] == end:
                w2 = s_next / (2 * sigmas[0])
                d = (1 - w2) * d + w2 * d2
            else:
                s3 = sigmas[i + 2]
                x3 = x2 + d2 * (s3 - s_next)
                w2, w3 = s_next / (3 * sigmas[0]), s3 / (3 * sigmas[0])
                d = (1 - w2 - w3) * d + w2 * d2 + w3 * derivative(x3, s3, model(x3, s3))
        x = x + d * h
    return x


def dpm_2(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """The midpoint method in log σ: DPM-Solver-2 (Lu et al. 2022), as Karras et al. use it."""
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        x = _midpoint(model, x, s, s_next, denoised)
    return x


def dpm_2_ancestral(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, eta: float = 1.0
) -> Tensor:
    """`dpm_2` to σ_down, then fresh noise."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        down, up = ancestral_step(s, s_next, eta)
        x = _midpoint(model, x, s, down, denoised)
        if down > 0:
            x = x + draw(s, s_next) * up
    return x


def _midpoint(model: Denoiser, x: Tensor, s: Tensor, s_next: Tensor, denoised: Tensor) -> Tensor:
    d = derivative(x, s, denoised)
    if s_next <= 0:
        return x + d * (s_next - s)
    mid = s.log().lerp(s_next.log(), 0.5).exp()  # its nearest training step may hang on the last bit
    x2 = x + d * (mid - s)
    return x + derivative(x2, mid, model(x2, mid)) * (s_next - s)


def lms(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, order: int = 4) -> Tensor:
    """Linear multistep (Adams–Bashforth) in σ with uneven steps; the last step to zero takes x0 as it is."""
    slopes: list[Tensor] = []
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            return denoised
        slopes = [*slopes, derivative(x, s, denoised)][-order:]
        x = x + adams_bashforth(slopes, sigmas[i + 1 - len(slopes) : i + 1], s, s_next)
    return x


def adams_bashforth(slopes: list[Tensor], knots: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """∫ from `start` to `end` of the polynomial through the slopes at the knots."""
    weights = lagrange_integrals([float(k) for k in knots], float(start), float(end))
    return sum((w * d for w, d in zip(weights, slopes, strict=True)), torch.zeros_like(slopes[0]))


def lagrange_integrals(knots: list[float], start: float, end: float) -> list[float]:
    """∫ of each Lagrange basis polynomial over [start, end]; exact, by Gauss–Legendre."""
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(len(knots) // 2 + 1)
    at = (end - start) / 2 * nodes + (end + start) / 2
    values = [np.prod([(at - b) / (a - b) for b in knots if b != a], axis=0) * np.ones_like(at) for a in knots]
    return [float((v * weights).sum() * (end - start) / 2) for v in values]

"""Samplers that draw fresh noise by their own rules: DDPM, LCM, ER-SDE, SEEDS, SA-Solver."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.noise import NoiseSource


def ddpm(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Ancestral sampling of the forward process itself (Ho et al. 2020, Algorithm 2), with ᾱ = 1/(1 + σ²)."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        bar, bar_next = 1 / (1 + s**2), 1 / (1 + s_next**2)
        alpha = bar / bar_next
        eps = (x - denoised) / s
        x = (x * bar.sqrt() - (1 - alpha) * eps / (1 - bar).sqrt()) / alpha.sqrt()
        if s_next > 0:
            x = x + ((1 - alpha) * (1 - bar_next) / (1 - bar)).sqrt() * draw(s, s_next)
            x = x / bar_next.sqrt()
    return x


def lcm(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Multistep sampling of consistency models (Luo et al. 2023, Algorithm 3): x0, then noise for the next level."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        x = denoised + s_next * draw(s, s_next) if s_next > 0 else denoised
    return x


def er_sde(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    callback: Callback,
    stages: int = 3,
    points: int = 200,
) -> Tensor:
    """Extended reverse-time SDE solver, ER-SDE-Solver-3 for VE (Cui et al. 2023, arXiv:2309.06169)."""
    draw = noise.independent(x)

    def scale(v: Tensor) -> Tensor:  # φ of the paper's section on noise scaling, its fifth choice
        return v * ((v**0.3).exp() + 10)

    last = last_slope = None
    for i, (s, t) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if t == 0:
            return denoised
        stage = min(stages, i + 1)
        r = scale(t) / scale(s)
        x = r * x + (1 - r) * denoised
        if stage >= 2 and last is not None:
            dt = t - s
            width = -dt / points
            at = t + torch.arange(points, device=x.device) * width
            slope = (denoised - last) / (s - sigmas[i - 1])
            x = x + (dt + (1 / scale(at)).sum() * width * scale(t)) * slope
            if stage >= 3 and last_slope is not None:
                curve = (slope - last_slope) / ((s - sigmas[i - 2]) / 2)
                x = x + (dt**2 / 2 + ((at - s) / scale(at)).sum() * width * scale(t)) * curve
            last_slope = slope
        x = x + draw(s, t) * torch.nan_to_num((t**2 - s**2 * r**2).sqrt())
        last = denoised
    return x


def seeds_2(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    callback: Callback,
    eta: float = 1.0,
    r: float = 0.5,
    second: bool = False,
) -> Tensor:
    """SEEDS-2 (Gonzalez et al. 2023, arXiv:2305.14267), predicting x0; `second` weights its two answers by φ2."""
    draw = noise.independent(x)
    for i, (s, t) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if t == 0:
            return denoised
        h = (s / t).log()
        z = h * (1 + eta)
        mid = s * (-r * h).exp()
        x2 = (-r * z).exp() * x - (-r * z).expm1() * denoised
        w = torch.zeros_like(x)
        if eta:
            w = (-(-2 * r * h * eta).expm1()).sqrt() * draw(s, mid)
            x2 = x2 + mid * w
        denoised2 = model(x2, mid)
        if second:
            b2 = ((-z).expm1() / z + 1) / r
            step = (-(-z).expm1() - b2) * denoised + b2 * denoised2
        else:
            step = -(-z).expm1() * (denoised + (denoised2 - denoised) / (2 * r))
        x = (-z).exp() * x + step
        if eta:
            rest = (r - 1) * h * eta
            w = rest.exp() * w
            w = w + (-(2 * rest).expm1()).sqrt() * draw(mid, t)  # drawn at r = 1 too, where it weighs nothing
            x = x + t * w
    return x


def exp_heun_2_x0(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Exponential Heun on x0: the deterministic end of SEEDS-2, its second point at the end of the step."""
    return seeds_2(model, x, sigmas, noise, callback, eta=0.0, r=1.0, second=True)


def exp_heun_2_x0_sde(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Exponential Heun on x0, with noise."""
    return seeds_2(model, x, sigmas, noise, callback, eta=1.0, r=1.0, second=True)


def seeds_3(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    callback: Callback,
    eta: float = 1.0,
    r1: float = 1 / 3,
    r2: float = 2 / 3,
) -> Tensor:
    """SEEDS-3 (Gonzalez et al. 2023), predicting x0: three answers a step, on one noise path."""
    draw = noise.independent(x)
    for i, (s, t) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if t == 0:
            return denoised
        h = (s / t).log()
        z = h * (1 + eta)
        s1, s2 = s * (-r1 * h).exp(), s * (-r2 * h).exp()
        w = (-(-2 * r1 * h * eta).expm1()).sqrt() * draw(s, s1)
        x2 = (-r1 * z).exp() * x - (-r1 * z).expm1() * denoised + s1 * w
        denoised2 = model(x2, s1)
        w = _onward(w, (r2 - r1) * h * eta, draw(s1, s2))
        a = (r2 / r1) * ((-r2 * z).expm1() / (r2 * z) + 1)
        x3 = (-r2 * z).exp() * x - (-r2 * z).expm1() * denoised + a * (denoised2 - denoised) + s2 * w
        denoised3 = model(x3, s2)
        w = _onward(w, (1 - r2) * h * eta, draw(s2, t))
        b = ((-z).expm1() / z + 1) / r2
        x = (-z).exp() * x - (-z).expm1() * denoised + b * (denoised3 - denoised) + t * w
    return x


def _onward(w: Tensor, length: Tensor, fresh: Tensor) -> Tensor:
    """Noise after a further piece of the path: the old part fades, a new one comes in its place."""
    return (-length).exp() * w + (-(-2 * length).expm1()).sqrt() * fresh


def sa_solver(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """SA-Solver (Xue et al. 2023, arXiv:2309.05019): stochastic Adams, predictor of order 3, corrector of order 4."""
    return _sa_solver(model, x, sigmas, noise, callback, again=False)


def sa_solver_pece(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """SA-Solver that asks the network again after each correction."""
    return _sa_solver(model, x, sigmas, noise, callback, again=True)


# Noise is added in the middle of the way alone: between the sigmas at 20 % and 80 % of SD's training steps.
_NOISY = (0.2, 0.8)


def _tau(sigmas: Tensor) -> Callable[[Tensor], float]:
    from engine.sampling.sigmas import stable_diffusion_sigmas

    high, low = (stable_diffusion_sigmas().at_percent(p) for p in _NOISY)
    return lambda s: 1.0 if low <= float(s) <= high else 0.0


def _sa_solver(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    callback: Callback,
    again: bool,
    orders: tuple[int, int] = (3, 4),
) -> Tensor:
    draw, tau_at = noise.independent(x), _tau(sigmas)
    lam = [float(-s.log()) for s in sigmas]
    answers: list[Tensor] = []
    # towards zero the orders fall, so that the last steps rest on few points
    steps = len(sigmas) - 1 if sigmas[-1] == 0 else 1 << 30
    predicted, h, tau, w = x, 0.0, 0.0, torch.zeros_like(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(predicted, s)
        callback(i, denoised)
        answers = [*answers, denoised][-max(orders) :]
        if i == 0 or (s_next == 0 and not again):
            x = predicted
        else:
            used = answers[-min(orders[1], steps - i) :]
            weights = stochastic_adams(lam[i + 1 - len(used) : i + 1], lam[i - 1], lam[i], tau)
            x = (s / sigmas[i - 1]) * math.exp(-(tau**2) * h) * x + _combine(weights, used) + w
            if again:
                denoised = model(x, s)
                answers[-1] = denoised
        if s_next == 0:
            return denoised
        tau = tau_at(s_next)
        used = answers[-min(orders[0], steps - 1 - i) :]
        weights = stochastic_adams(lam[i + 1 - len(used) : i + 1], lam[i], lam[i + 1], tau)
        h = lam[i + 1] - lam[i]
        w = torch.zeros_like(x)
        if tau:
            w = draw(s, s_next) * s_next * (1 - math.exp(-2 * tau**2 * h)) ** 0.5
        predicted = (s_next / s) * math.exp(-(tau**2) * h) * x + _combine(weights, used) + w
    return predicted


def _combine(weights: Sequence[float], answers: Sequence[Tensor]) -> Tensor:
    return sum((b * m for b, m in zip(weights, answers, strict=True)), torch.zeros_like(answers[0]))


def stochastic_adams(knots: Sequence[float], start: float, end: float, tau: float) -> list[float]:
    """∫ (1 + τ²) e^{−(1 + τ²)(end − λ)} ℓ_j(λ) dλ over [start, end], for the Lagrange polynomials ℓ_j on the knots."""
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(32)
    at = (end - start) / 2 * nodes + (end + start) / 2
    c = 1 + tau**2
    kernel = c * np.exp(-c * (end - at)) * weights * (end - start) / 2
    basis = [np.prod([(at - b) / (a - b) for b in knots if b != a], axis=0) * np.ones_like(at) for a in knots]
    return [float((b * kernel).sum()) for b in basis]

"""Samplers that reuse the slopes or answers of earlier steps: iPNDM, DEIS, RES, gradient estimation, UniPC."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.euler import ancestral_step, derivative
from engine.sampling.noise import NoiseSource

# Adams–Bashforth weights for even steps, the newest slope first
_EVEN = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def ipndm(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, order: int = 4) -> Tensor:
    """iPNDM (Zhang & Chen 2022, after Liu et al. 2022): Adams–Bashforth as if the steps were even."""
    slopes: list[Tensor] = []  # the newest first
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            return denoised
        slopes = [derivative(x, s, denoised), *slopes][:order]
        x = x + sum((w * d for w, d in zip(_EVEN[len(slopes) - 1], slopes, strict=True)), torch.zeros_like(x)) * (
            s_next - s
        )
    return x


def ipndm_v(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, order: int = 4
) -> Tensor:
    """iPNDM for uneven steps, in Newton's form: slope, and its differences scaled to the newest step.

    The weight of the second difference is the one in use everywhere; Adams–Bashforth's own (see `lms`)
    has its factors grouped otherwise.
    """
    slopes: list[Tensor] = []  # the newest first
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            return denoised
        slopes = [derivative(x, s, denoised), *slopes][:order]
        h = [float(sigmas[i + 1 - k] - sigmas[i - k]) for k in range(len(slopes))]
        x = x + _uneven(slopes, h) * h[0]
    return x


def _uneven(d: list[Tensor], h: list[float]) -> Tensor:
    """The mean slope over the next step h[0], from slopes d at the ends of the steps h[1], h[2], … (the newest first)."""
    mean = d[0]
    if len(d) >= 2:
        first = d[0] - d[1]
        mean = mean + h[0] / (2 * h[1]) * first
    if len(d) >= 3:
        second = first - h[1] / h[2] * (d[1] - d[2])
        mean = mean + (1 - h[0] ** 2 / (3 * h[1] * (h[1] + h[2]))) / 2 * second
    if len(d) >= 4:
        b = h[1] * (h[1] + h[2]) / (h[2] * (h[2] + h[3]))
        third = second - b * (d[1] - d[2]) + b * (h[2] / h[3] * d[2] - h[1] / h[2] * d[3])
        h01, h012 = h[0] + h[1], h[0] + h[1] + h[2]
        inner = (1 - h[0] / (3 * h01)) / 2 + (1 - h[0] / (2 * h01)) * h[0] / (6 * h012)
        mean = mean + inner * (h[0] * h01 * h012) / (h[1] * (h[1] + h[2]) * (h[1] + h[2] + h[3])) * third
    return mean


def deis(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, order: int = 3) -> Tensor:
    """DEIS, tAB kind (Zhang & Chen 2022, arXiv:2204.13902): slopes are polynomials in the VP process's time."""
    slopes: list[Tensor] = []
    times = [_vp_time(float(s)) for s in sigmas]
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        slopes = [*slopes, derivative(x, s, denoised)][-order:]
        if s_next <= 0:
            x = x + slopes[-1] * (s_next - s)
            continue
        weights = _deis_weights(times[i + 1 - len(slopes) : i + 1], times[i], times[i + 1])
        x = x + sum((w * d for w, d in zip(weights, slopes, strict=True)), torch.zeros_like(x))
    return x


def _vp_constants(low: float = 0.002, high: float = 80.0, epsilon: float = 1e-3) -> tuple[float, float]:
    """β_d and β_min of a VP process with these sigmas at its ends (Karras et al. 2022, table 1 and appendix)."""
    beta_d = 2 * (math.log(low**2 + 1) / epsilon - math.log(high**2 + 1)) / (epsilon - 1)
    return beta_d, math.log(high**2 + 1) - 0.5 * beta_d


def _vp_time(sigma: float) -> float:
    beta_d, beta_min = _vp_constants()
    return (math.sqrt(beta_min**2 + 2 * beta_d * math.log(sigma**2 + 1)) - beta_min) / beta_d


def _deis_weights(knots: Sequence[float], start: float, end: float) -> list[float]:
    """∫ ℓ_j(t) dσ(t) over the step, where ℓ_j are the Lagrange polynomials on the knots' times."""
    import numpy as np

    beta_d, beta_min = _vp_constants()
    nodes, weights = np.polynomial.legendre.leggauss(64)
    t = (end - start) / 2 * nodes + (end + start) / 2
    square = np.expm1(0.5 * beta_d * t**2 + beta_min * t)  # σ²
    slope = (square + 1) * (beta_d * t + beta_min) / (2 * np.sqrt(square))  # dσ/dt
    basis = [np.prod([(t - b) / (a - b) for b in knots if b != a], axis=0) * np.ones_like(t) for a in knots]
    return [float((b * slope * weights).sum() * (end - start) / 2) for b in basis]


def res_multistep(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """RES with two points (Zhang et al. 2024, "Improved Order Analysis and Design of Exponential Integrator")."""
    return _res(model, x, sigmas, noise, callback, eta=0.0, cfg_pp=False)


def res_multistep_cfg_pp(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """`res_multistep` with the negative side's noise (CFG++)."""
    return _res(model, x, sigmas, noise, callback, eta=0.0, cfg_pp=True)


def res_multistep_ancestral(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback
) -> Tensor:
    """`res_multistep` to σ_down, then fresh noise."""
    return _res(model, x, sigmas, noise, callback, eta=1.0, cfg_pp=False)


def res_multistep_ancestral_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback
) -> Tensor:
    """`res_multistep_ancestral` with the negative side's noise (CFG++)."""
    return _res(model, x, sigmas, noise, callback, eta=1.0, cfg_pp=True)


def _res(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, eta: float, cfg_pp: bool
) -> Tensor:
    draw = noise.independent(x)
    last: Tensor | None = None
    last_down = sigmas[0]
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        if cfg_pp:
            denoised, base = model.both(x, s)
        else:
            denoised = base = model(x, s)
        callback(i, denoised)
        down, up = ancestral_step(s, s_next, eta)
        if last is None or down == 0:
            x = denoised + derivative(x, s, base) * down
        else:
            h = (s / down).log()
            c2 = (last_down / sigmas[i - 1]).log() / h
            phi1 = (-h).expm1() / -h
            phi2 = (phi1 - 1) / -h
            b2 = torch.nan_to_num(phi2 / c2)
            x = (-h).exp() * (x + denoised - base) + h * ((phi1 - b2) * base + b2 * last)
        if eta and s_next > 0:
            x = x + draw(s, s_next) * up
        last, last_down = base, down
    return x


def gradient_estimation(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Gradient estimation (Permenter & Yuan 2023, arXiv:2306.04848): overstep along the change of the slope."""
    return _gradient_estimation(model, x, sigmas, callback, cfg_pp=False)


def gradient_estimation_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback
) -> Tensor:
    """`gradient_estimation` with the negative side's noise (CFG++)."""
    return _gradient_estimation(model, x, sigmas, callback, cfg_pp=True)


def _gradient_estimation(
    model: Denoiser, x: Tensor, sigmas: Tensor, callback: Callback, cfg_pp: bool, gamma: float = 2.0
) -> Tensor:
    last: Tensor | None = None
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        if cfg_pp:
            denoised, base = model.both(x, s)
        else:
            denoised = base = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            return denoised
        d = derivative(x, s, base)
        x = denoised + d * s_next
        if last is not None:
            x = x + (gamma - 1) * (d - last) * (s_next - s)
        last = d
    return x


def uni_pc(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """UniPC with B(h) = h (Zhao et al. 2023, arXiv:2302.04867), predicting x0."""
    return _uni_pc(model, x, sigmas, callback, second=False)


def uni_pc_bh2(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """UniPC with B(h) = e^h − 1."""
    return _uni_pc(model, x, sigmas, callback, second=True)


def _uni_pc(model: Denoiser, x: Tensor, sigmas: Tensor, callback: Callback, second: bool) -> Tensor:
    """In x/α, where UniPC's VP coefficients become ratios of sigmas; zero is taken as 0.001, where the last step ends."""
    levels = sigmas.clone()
    if levels[-1] == 0:
        levels[-1] = 0.001
    steps = len(levels) - 1
    order = min(3, steps - 1) or 1
    denoised = model(x, levels[0])
    callback(0, denoised)
    answers, at = [denoised], [levels[0]]  # the newest last
    for i in range(1, steps + 1):
        use = min(order, i, steps + 1 - i)
        x, latest = _uni_pc_step(model, x, answers[-use:], at[-use:], levels[i], second, correct=i < steps)
        if latest is not None:
            callback(i, latest)
            answers, at = [*answers, latest][-order:], [*at, levels[i]][-order:]
    return x


def _uni_pc_step(
    model: Denoiser,
    x: Tensor,
    answers: Sequence[Tensor],
    at: Sequence[Tensor],
    s_next: Tensor,
    second: bool,
    correct: bool,
) -> tuple[Tensor, Tensor | None]:
    """Predict x at `s_next` from the answers (the newest last), and correct it with the answer there."""
    s, newest = at[-1], answers[-1]
    h = float((s / s_next).log())
    rs = [float((s / a).log()) / h for a in reversed(at[:-1])]
    differences = [(m - newest) / r for m, r in zip(reversed(answers[:-1]), rs, strict=True)]
    rise = math.expm1(-h)
    b_h = rise if second else -h
    matrix, right = [], []
    phi, factorial = rise / -h - 1, 1
    for k in range(1, len(at) + 1):
        matrix.append([r ** (k - 1) for r in (*rs, 1.0)])
        right.append(phi * factorial / b_h)
        factorial *= k + 1
        phi = phi / -h - 1 / factorial
    base = (s_next / s) * x - rise * newest
    predicted = base
    if differences:
        weights = [0.5] if len(differences) == 1 else _solve([row[:-1] for row in matrix[:-1]], right[:-1])
        predicted = base - b_h * sum((w * d for w, d in zip(weights, differences, strict=True)), torch.zeros_like(x))
    if not correct:
        return predicted, None
    latest = model(predicted, s_next)
    weights = [0.5] if len(at) == 1 else _solve(matrix, right)
    return base - b_h * sum(
        (w * d for w, d in zip(weights, [*differences, latest - newest], strict=True)), torch.zeros_like(x)
    ), latest


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    found: list[float] = torch.linalg.solve(
        torch.tensor(matrix, dtype=torch.float64), torch.tensor(right, dtype=torch.float64)
    ).tolist()
    return found

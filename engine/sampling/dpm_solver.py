"""DPM-Solver and DPM-Solver++ (Lu et al. 2022, arXiv:2206.00927 and 2211.01095), in λ = −log σ, where α is 1."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.euler import ancestral_step, derivative
from engine.sampling.noise import Draw, NoiseSource


def _sigma(lam: Tensor) -> Tensor:
    return (-lam).exp()


def _eps(model: Denoiser, x: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
    """Predicted noise at λ, and x0."""
    denoised = model(x, _sigma(lam))
    return derivative(x, _sigma(lam), denoised), denoised


def _solver_1(x: Tensor, s: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    return x - _sigma(t) * (t - s).expm1() * eps


def _solver_2(
    model: Denoiser, x: Tensor, s: Tensor, t: Tensor, eps: Tensor, r1: float = 1 / 2
) -> tuple[Tensor, Tensor]:
    """DPM-Solver-2 (Algorithm 4), and the noise at its inner point."""
    h = t - s
    s1 = s + r1 * h
    eps1, _ = _eps(model, x - _sigma(s1) * (r1 * h).expm1() * eps, s1)
    return x - _sigma(t) * h.expm1() * (eps + (eps1 - eps) / (2 * r1)), eps1


def _solver_3(
    model: Denoiser,
    x: Tensor,
    s: Tensor,
    t: Tensor,
    eps: Tensor,
    r1: float = 1 / 3,
    r2: float = 2 / 3,
    eps1: Tensor | None = None,
) -> Tensor:
    """DPM-Solver-3 (Algorithm 5); `eps1` is the noise at its first inner point, if it is known already."""
    h = t - s
    s1, s2 = s + r1 * h, s + r2 * h
    if eps1 is None:
        eps1, _ = _eps(model, x - _sigma(s1) * (r1 * h).expm1() * eps, s1)
    u2 = x - _sigma(s2) * ((r2 * h).expm1() * eps + (r2 / r1) * ((r2 * h).expm1() / (r2 * h) - 1) * (eps1 - eps))
    eps2, _ = _eps(model, u2, s2)
    return x - _sigma(t) * (h.expm1() * eps + (h.expm1() / h - 1) / r2 * (eps2 - eps))


def _ends(sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """λ at the first sigma, and at the last one that is not zero."""
    last = sigmas[-1] if sigmas[-1] > 0 else sigmas[-2]
    return -sigmas[0].log(), -last.log()


def dpm_fast(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """DPM-Solver-fast: as many calls as there are steps, in even steps of λ of order 3 and a shorter rest."""
    calls = len(sigmas) - 1
    start, end = _ends(sigmas)
    orders = [3] * (calls // 3 - 1) + [2, 1] if calls % 3 == 0 else [3] * (calls // 3) + [calls % 3]
    knots = torch.linspace(float(start), float(end), len(orders) + 1, device=x.device)
    done = 0
    for order, (s, t) in zip(orders, knots.unfold(0, 2, 1), strict=True):
        eps, denoised = _eps(model, x, s)
        callback(min(done, calls - 1), denoised)
        done += order
        if order == 1:
            x = _solver_1(x, s, t, eps)
        elif order == 2:
            x, _ = _solver_2(model, x, s, t, eps)
        else:
            x = _solver_3(model, x, s, t, eps)
    return x


def dpm_adaptive(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    callback: Callback,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    safety: float = 0.81,
) -> Tensor:
    """DPM-Solver-12/23 with adaptive steps (appendix C): the steps' number is its own, only the ends are taken from the schedule."""
    start, end = _ends(sigmas)
    s, h = start, torch.tensor(h_init, device=x.device)
    x_prev, shown = x, len(sigmas) - 2
    while s < end - 1e-5:
        t = torch.minimum(end, s + h)
        eps, denoised = _eps(model, x, s)
        low, eps1 = _solver_2(model, x, s, t, eps, r1=1 / 3)
        high = _solver_3(model, x, s, t, eps, eps1=eps1)
        tolerance = torch.maximum(low.abs(), x_prev.abs()).mul(rtol).clamp(min=atol)
        error = float(torch.linalg.norm((low - high) / tolerance)) / x.numel() ** 0.5
        # an integral controller of order 3, its factor softly limited (Söderlind 2003)
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / 3) - 1)
        if factor >= safety:
            x_prev, x, s = low, high, t
        # time along λ stands for the step: nobody knows how many there will be
        callback(min(shown, int(shown * float((s - start) / (end - start)))), denoised)
        h = h * factor
    return x


def dpmpp_2s_ancestral(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, eta: float = 1.0
) -> Tensor:
    """DPM-Solver++(2S) to σ_down, then fresh noise."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        down, up = ancestral_step(s, s_next, eta)
        if down == 0:
            x = x + derivative(x, s, denoised) * (down - s)
        else:
            h = (s / down).log()
            mid = s.log().lerp(down.log(), 0.5).exp()
            x2 = (mid / s) * x - (-h / 2).expm1() * denoised
            x = (down / s) * x - (-h).expm1() * model(x2, mid)
        if s_next > 0:
            x = x + draw(s, s_next) * up
    return x


def dpmpp_sde(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """SDE-DPM-Solver++(2S), with the noise of a Brownian path."""
    return _dpmpp_sde(model, x, sigmas, callback, noise.brownian(x, sigmas))


def dpmpp_sde_gpu(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """`dpmpp_sde`, its noise drawn on the device."""
    return _dpmpp_sde(model, x, sigmas, callback, noise.brownian(x, sigmas, on_device=True))


def _dpmpp_sde(
    model: Denoiser, x: Tensor, sigmas: Tensor, callback: Callback, draw: Draw, eta: float = 1.0, r: float = 1 / 2
) -> Tensor:
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            x = x + derivative(x, s, denoised) * (s_next - s)
            continue
        mid = s.log().lerp(s_next.log(), r).exp()
        down, up = ancestral_step(s, mid, eta)
        x2 = (down / s) * x - (down / s - 1) * denoised + draw(s, mid) * up
        denoised2 = model(x2, mid)
        down, up = ancestral_step(s, s_next, eta)
        mixed = denoised + (denoised2 - denoised) / (2 * r)
        x = (down / s) * x - (down / s - 1) * mixed + draw(s, s_next) * up
    return x


def dpmpp_2m(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """DPM-Solver++(2M), Algorithm 2."""
    last: Tensor | None = None
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        mixed = denoised
        if last is not None and s_next > 0:
            r = (sigmas[i - 1] / s).log() / (s / s_next).log()
            mixed = denoised + (denoised - last) / (2 * r)
        x = (s_next / s) * x - (s_next / s - 1) * mixed
        last = denoised
    return x


def dpmpp_2m_sde(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """SDE-DPM-Solver++(2M), the midpoint kind."""
    return _dpmpp_2m_sde(model, x, sigmas, callback, noise.brownian(x, sigmas), midpoint=True)


def dpmpp_2m_sde_gpu(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """`dpmpp_2m_sde`, its noise drawn on the device."""
    return _dpmpp_2m_sde(model, x, sigmas, callback, noise.brownian(x, sigmas, on_device=True), midpoint=True)


def dpmpp_2m_sde_heun(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """SDE-DPM-Solver++(2M), the Heun kind."""
    return _dpmpp_2m_sde(model, x, sigmas, callback, noise.brownian(x, sigmas), midpoint=False)


def dpmpp_2m_sde_heun_gpu(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """`dpmpp_2m_sde_heun`, its noise drawn on the device."""
    return _dpmpp_2m_sde(model, x, sigmas, callback, noise.brownian(x, sigmas, on_device=True), midpoint=False)


def _dpmpp_2m_sde(
    model: Denoiser, x: Tensor, sigmas: Tensor, callback: Callback, draw: Draw, midpoint: bool, eta: float = 1.0
) -> Tensor:
    last: Tensor | None = None
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            x = denoised
            continue
        h = (s / s_next).log()
        h_eta = h * (1 + eta)
        rise = -(-h_eta).expm1()
        x = (-h_eta).exp() * x + rise * denoised
        if last is not None:
            r = (sigmas[i - 1] / s).log() / h
            x = x + (0.5 * rise if midpoint else 1 - rise / h_eta) / r * (denoised - last)
        x = x + draw(s, s_next) * s_next * (-(-2 * eta * h).expm1()).sqrt()
        last = denoised
    return x


def dpmpp_3m_sde(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """SDE-DPM-Solver++ with three points."""
    return _dpmpp_3m_sde(model, x, sigmas, callback, noise.brownian(x, sigmas))


def dpmpp_3m_sde_gpu(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """`dpmpp_3m_sde`, its noise drawn on the device."""
    return _dpmpp_3m_sde(model, x, sigmas, callback, noise.brownian(x, sigmas, on_device=True))


def _dpmpp_3m_sde(
    model: Denoiser, x: Tensor, sigmas: Tensor, callback: Callback, draw: Draw, eta: float = 1.0
) -> Tensor:
    past: list[Tensor] = []  # x0 of the two steps before, the newest first
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised = model(x, s)
        callback(i, denoised)
        if s_next == 0:
            x = denoised
            continue
        h = (s / s_next).log()
        h_eta = h * (1 + eta)
        x = (-h_eta).exp() * x - (-h_eta).expm1() * denoised
        phi2 = (-h_eta).expm1() / h_eta + 1
        if past:
            r0 = (sigmas[i - 1] / s).log() / h
            d0 = (denoised - past[0]) / r0
            if len(past) == 1:
                x = x + phi2 * d0
            else:
                r1 = (sigmas[i - 2] / sigmas[i - 1]).log() / h
                d1 = (past[0] - past[1]) / r1
                d2 = (d0 - d1) / (r0 + r1)
                x = x + phi2 * (d0 + d2 * r0) - (phi2 / h_eta - 0.5) * d2
        x = x + draw(s, s_next) * s_next * (-(-2 * eta * h).expm1()).sqrt()
        past = [denoised, *past][:2]
    return x

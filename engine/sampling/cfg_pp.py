"""CFG++ samplers (Chung et al. 2024, arXiv:2406.08070): step from the guided x0 along the noise of the negative side."""

from __future__ import annotations

from torch import Tensor

from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.euler import ancestral_step, derivative
from engine.sampling.noise import NoiseSource


def euler_cfg_pp(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """Euler's method, renoised with the negative side's noise."""
    return euler_ancestral_cfg_pp(model, x, sigmas, noise, callback, eta=0.0)


def euler_ancestral_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, eta: float = 1.0
) -> Tensor:
    """`euler_cfg_pp` to σ_down, then fresh noise."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised, negative = model.both(x, s)
        callback(i, denoised)
        down, up = ancestral_step(s, s_next, eta)
        x = denoised + derivative(x, s, negative) * down
        if eta and s_next > 0:
            x = x + draw(s, s_next) * up
    return x


def dpmpp_2m_cfg_pp(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
    """DPM-Solver++(2M) with the negative side's noise."""
    last: Tensor | None = None
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised, negative = model.both(x, s)
        callback(i, denoised)
        ratio = s_next / s  # e^(−h)
        step = -ratio * negative
        if last is not None and s_next > 0:
            r = (sigmas[i - 1] / s).log() / (s / s_next).log()
            step = step - (ratio - 1) / (2 * r) * (denoised - last)
        x = denoised + step + ratio * x
        last = negative
    return x


def dpmpp_2s_ancestral_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback, eta: float = 1.0
) -> Tensor:
    """DPM-Solver++(2S), ancestral, with the negative side's noise."""
    draw = noise.independent(x)
    for i, (s, s_next) in enumerate(sigmas.unfold(0, 2, 1)):
        denoised, negative = model.both(x, s)
        callback(i, denoised)
        down, up = ancestral_step(s, s_next, eta)
        if down == 0:
            x = denoised + derivative(x, s, negative) * down
        else:
            h = (s / down).log()
            mid = s.log().lerp(down.log(), 0.5).exp()
            x2 = (mid / s) * (x + (denoised - negative)) - (-h / 2).expm1() * denoised
            denoised2, negative = model.both(x2, mid)
            x = (down / s) * (x + (denoised - negative)) - (-h).expm1() * denoised2
        if s_next > 0:
            x = x + draw(s, s_next) * up
    return x

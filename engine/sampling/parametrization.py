"""What a network's answer means: how its input is scaled, what x0 follows, and how noise joins a latent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from engine.sampling.sigmas import Sigmas

LCM_BOUNDARY = 10.0  # by what time is scaled in the boundary condition (Luo et al. 2023, arXiv:2310.04378)
LCM_DATA = 0.5


class Prediction(Enum):
    """What the network predicts."""

    EPS = "eps"  # the noise (Ho et al. 2020)
    V = "v_prediction"  # Salimans & Ho 2022
    LCM = "lcm"  # noise, then the consistency function's boundary condition
    X0 = "x0"
    IMG_TO_IMG = "img_to_img"  # x0, from an input that is not scaled
    EDM = "edm"  # Karras et al. 2022
    FLOW = "flow"  # the velocity of a straight path (Lipman et al. 2022, Liu et al. 2022)


def _as(sigma: Tensor, x: Tensor) -> Tensor:
    """σ (B,) or () so that it multiplies x (B, …), whatever its rank."""
    return sigma.view(-1, *(1,) * (x.ndim - 1))


@dataclass(frozen=True, slots=True)
class Parametrization:
    """A prediction and the noise levels it was trained on; `data` is the standard deviation of the data (σ_data)."""

    sigmas: Sigmas
    prediction: Prediction = Prediction.EPS
    data: float = 1.0

    @property
    def is_flow(self) -> bool:
        return self.prediction is Prediction.FLOW

    def enter(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The network's input for x (B, …) at σ (B,)."""
        if self.prediction in (Prediction.FLOW, Prediction.IMG_TO_IMG):
            return x
        s = _as(sigma, x)
        return x / (s * s + self.data**2).sqrt()

    def x0(self, x: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
        """x0 of x (B, …) by the network's answer y."""
        s, kind, d = _as(sigma, x), self.prediction, self.data
        if kind is Prediction.EPS or kind is Prediction.FLOW:
            return x - y * s
        if kind is Prediction.X0 or kind is Prediction.IMG_TO_IMG:
            return y
        if kind is Prediction.LCM:
            t = _as(self.sigmas.timestep(sigma), x) * LCM_BOUNDARY
            skip, out = LCM_DATA**2 / (t**2 + LCM_DATA**2), t / (t**2 + LCM_DATA**2).sqrt()
            return out * (x - y * s) + skip * x
        sign = 1.0 if kind is Prediction.EDM else -1.0
        return x * d**2 / (s * s + d**2) + sign * y * s * d / (s * s + d**2).sqrt()

    def noised(self, latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """The latent with unit noise at σ (a scalar): where a run starts."""
        if self.is_flow:
            return noise * sigma + latent * (1 - sigma)
        first = float(sigma)
        whole = first > self.sigmas.maximum or math.isclose(first, self.sigmas.maximum, rel_tol=1e-5)
        return latent + noise * ((1 + sigma**2).sqrt() if whole else sigma)

    def kept(self, latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """What inpainting keeps, as it looks at σ."""
        return noise * sigma + latent * (1 - sigma) if self.is_flow else latent + noise * sigma

    def left(self, x: Tensor, sigma: Tensor) -> Tensor:
        """What a run that ended at σ leaves, on the scale that the next one starts from."""
        return x / (1 - sigma) if self.is_flow and 0 < float(sigma) < 1 else x


def zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """The products ᾱ, moved so that the last step is pure noise (Lin et al. 2023, arXiv:2305.08891, algorithm 1).

    The last one stays a little above zero: σ must be finite.
    """
    root = alphas_cumprod.sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    moved = root**2
    moved[-1] = 4.8973451890853435e-08
    return moved


def flow_sigmas(shift: float, multiplier: float = 1000.0, steps: int = 1000, exponential: bool = False) -> Sigmas:
    """Levels of a straight path, shifted towards noise (Esser et al. 2024, arXiv:2403.03206, section 5.3.2).

    `exponential`: by e^shift, as Flux does.
    """
    factor = math.exp(shift) if exponential else shift
    t = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    table = factor * t / (1 + (factor - 1) * t)
    return FlowSigmas(table.float(), table.log().float(), factor, multiplier)


@dataclass(frozen=True, slots=True)
class FlowSigmas(Sigmas):
    """σ in 0..1 as a function of time: nothing is looked up in the table, which serves the schedules alone."""

    factor: float = 1.0
    multiplier: float = 1000.0

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma * self.multiplier

    def sigma(self, step: Tensor) -> Tensor:
        t = step.float().cpu() / self.multiplier
        return self.factor * t / (1 + (self.factor - 1) * t)

    def at_percent(self, percent: float) -> float:
        if percent <= 0:
            return 1.0
        if percent >= 1:
            return 0.0
        return float(self.sigma(torch.tensor((1 - percent) * self.multiplier)))


@dataclass(frozen=True, slots=True)
class LogSigmas(Sigmas):
    """Levels even in log σ; time is log σ / 4 (Karras et al. 2022, c_noise), or the angle of v."""

    angle: bool = False

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma.atan() / math.pi * 2 if self.angle else sigma.log() / 4

    def sigma(self, step: Tensor) -> Tensor:
        t = step.float().cpu()
        return (t * math.pi / 2).tan() if self.angle else (t * 4).exp()

    def at_percent(self, percent: float) -> float:
        if percent <= 0:
            return 999999999.9
        if percent >= 1:
            return 0.0
        low, high = math.log(self.minimum), math.log(self.maximum)
        return math.exp((high - low) * (1 - percent) + low)


def log_sigmas(low: float, high: float, angle: bool = False, steps: int = 1000) -> Sigmas:
    """From `low` to `high`, even in log σ. Raises `ValueError` where they are not 0 < low < high."""
    if not 0 < low < high:
        raise ValueError(f"sigma_min {low} must be above 0 and below sigma_max {high}")
    logs = torch.linspace(math.log(low), math.log(high), steps, dtype=torch.float64)
    return LogSigmas(logs.exp().float(), logs.float(), angle)


@dataclass(frozen=True, slots=True)
class StridedSigmas(Sigmas):
    """Every n-th level of a table, n·(i + 1) − 1: those a consistency model was distilled on."""

    stride: int = 20

    def timestep(self, sigma: Tensor) -> Tensor:
        distance = sigma.log() - self.log_table.to(sigma.device)[:, None]
        return (distance.abs().argmin(dim=0).view(sigma.shape) * self.stride + self.stride - 1).float()

    def sigma(self, step: Tensor) -> Tensor:
        t = ((step.float().cpu() - (self.stride - 1)) / self.stride).clamp(0, len(self.table) - 1)
        low, high, w = t.floor().long(), t.ceil().long(), t.frac()
        return ((1 - w) * self.log_table[low] + w * self.log_table[high]).exp()

    def at_percent(self, percent: float) -> float:
        if percent <= 0:
            return 999999999.9
        if percent >= 1:
            return 0.0
        return float(self.sigma(torch.tensor((1 - percent) * (len(self.table) * self.stride - 1))))


def strided(sigmas: Sigmas, steps: int = 50) -> Sigmas:
    """The levels of `steps` evenly chosen training steps."""
    stride = len(sigmas.table) // steps
    return StridedSigmas(sigmas.table[stride - 1 :: stride], sigmas.log_table[stride - 1 :: stride], stride)

"""Options of samplers that hold for any of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.noise import Draw, NoiseSource
from engine.sampling.samplers import Sampler


@dataclass(frozen=True, slots=True)
class _Scaled(NoiseSource):
    """Noise of another strength than 1."""

    strength: float = 1.0

    def independent(self, x: Tensor) -> Draw:
        draw = NoiseSource.independent(self, x)
        return lambda s, t: draw(s, t) * self.strength

    def brownian(self, x: Tensor, sigmas: Tensor, on_device: bool = False) -> Draw:
        draw = NoiseSource.brownian(self, x, sigmas, on_device)
        return lambda s, t: draw(s, t) * self.strength


def with_noise(sampler: Sampler, strength: float) -> Sampler:
    """The sampler, whose own draws are multiplied (`s_noise`)."""

    def sample(model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, callback: Callback) -> Tensor:
        return sampler(model, x, sigmas, _Scaled(noise.seed, strength), callback)

    return sample

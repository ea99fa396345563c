"""Noise: the first one, the draws of ancestral samplers, and the Brownian path of the SDE samplers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Draw = Callable[[Tensor, Tensor], Tensor]  # (σ, next σ) → unit noise
_SEEDS = 1 << 64


def initial_noise(shape: Sequence[int], seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """Unit normal noise, drawn on the CPU whatever the device, so that a seed means the same everywhere.

    With `batch_index`, item i is what item `batch_index[i]` of a larger batch would get: that many are
    drawn one by one, and the rest thrown away.
    """
    generator = torch.Generator().manual_seed(seed % _SEEDS)
    if batch_index is None:
        return torch.randn(tuple(shape), generator=generator)
    drawn: dict[int, Tensor] = {}
    for i in range(max(batch_index) + 1):
        one = torch.randn((1, *shape[1:]), generator=generator)
        if i in batch_index:
            drawn[i] = one
    return torch.cat([drawn[i] for i in batch_index])


@dataclass(frozen=True, slots=True)
class NoiseSource:
    """What a sampler may draw from, by the seed of the run."""

    seed: int

    def independent(self, x: Tensor) -> Draw:
        """A fresh draw each time. Its seed is one up on the CPU, where the initial noise has used the seed itself."""
        seed = self.seed + (1 if x.device.type == "cpu" else 0)
        generator = torch.Generator(device=x.device).manual_seed(seed % _SEEDS)
        return lambda sigma, sigma_next: torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)

    def brownian(self, x: Tensor, sigmas: Tensor, on_device: bool = False) -> Draw:
        """Increments of one Brownian path over σ, scaled to unit variance: the same path at any number of steps.

        A virtual Brownian tree (Li et al. 2020, "Scalable Gradients for SDEs"), on the CPU unless `on_device`.
        """
        import warnings

        import torchsde

        # the tree rounds its ends, and then finds that the first level lies a millionth beyond them
        warnings.filterwarnings("ignore", message="Should have t", module="torchsde")
        place = x.device if on_device else torch.device("cpu")
        low, high = (float(s) for s in (sigmas[sigmas > 0].min(), sigmas.max()))
        tree: Any = torchsde.BrownianTree(
            torch.tensor(low),
            torch.zeros(x.shape, dtype=x.dtype, device=place),
            torch.tensor(high),
            entropy=self.seed % _SEEDS,
        )

        def draw(sigma: Tensor, sigma_next: Tensor) -> Tensor:
            t0, t1 = float(sigma), float(sigma_next)
            # the path runs upwards in σ, a sampler downwards: hence the sign
            path: Tensor = tree(torch.tensor(min(t0, t1)), torch.tensor(max(t0, t1)))
            scale: float = (1 if t0 < t1 else -1) / abs(t1 - t0) ** 0.5
            return path.to(x) * scale

        return draw

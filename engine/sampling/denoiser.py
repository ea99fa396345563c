"""The denoiser that samplers see: guidance, inpainting and the wish to stop, around the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from engine.sampling.guidance import Cond, Predict, predict


@dataclass(frozen=True, slots=True)
class Inpaint:
    """What stays as it is: where `mask` (B, 1, h, w) is 0 the original `latent` is kept, with `noise` while sampling."""

    mask: Tensor
    latent: Tensor
    noise: Tensor

    def before(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x * self.mask + (self.latent + self.noise * sigma) * (1 - self.mask)

    def after(self, denoised: Tensor) -> Tensor:
        return denoised * self.mask + self.latent * (1 - self.mask)


@dataclass(frozen=True, slots=True)
class Denoiser:
    """`model(x, sigma)` gives x0; classifier-free guidance as in Ho & Salimans 2022: u + (c − u)·scale."""

    model: Predict
    positive: tuple[Cond, ...]
    negative: tuple[Cond, ...]
    cfg: float
    inpaint: Inpaint | None = None
    check: Callable[[], None] = lambda: None  # raises where the user wants to stop

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        if abs(self.cfg - 1) < 1e-9:  # the negative side would be multiplied by zero
            return self._mixed(x, sigma, lambda y: predict(self.model, y, sigma, (self.positive,))[0])
        return self._mixed(x, sigma, lambda y: self._guided(y, sigma)[0])

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """x0 with guidance, and that of the negative side alone (for CFG++)."""
        sides: list[Tensor] = []

        def call(y: Tensor) -> Tensor:
            guided, negative = self._guided(y, sigma)
            sides.append(negative)
            return guided

        return self._mixed(x, sigma, call), sides[0]

    def _guided(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        u, c = predict(self.model, x, sigma, (self.negative, self.positive))
        return u + (c - u) * self.cfg, u

    def _mixed(self, x: Tensor, sigma: Tensor, call: Callable[[Tensor], Tensor]) -> Tensor:
        self.check()
        if self.inpaint is None:
            return call(x)
        return self.inpaint.after(call(self.inpaint.before(x, sigma)))


Callback = Callable[[int, Tensor], None]  # step from 0, x0


def nothing(step: int, denoised: Tensor) -> None:
    """The callback of somebody who does not look."""

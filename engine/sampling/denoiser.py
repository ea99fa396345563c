"""The denoiser that samplers see: guidance, inpainting and the wish to stop, around the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from engine.sampling.guidance import Cond, Predict, predict
from engine.sampling.hooks import NO_HOOKS, Answer, Hooks


@dataclass(frozen=True, slots=True)
class Inpaint:
    """What stays as it is: where `mask` (B, 1, h, w) is 0 the original `latent` is kept, with `noise` while sampling."""

    mask: Tensor
    latent: Tensor
    noise: Tensor
    noised: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda latent, noise, sigma: latent + noise * sigma

    def before(self, x: Tensor, sigma: Tensor, mask: Tensor) -> Tensor:
        return x * mask + self.noised(self.latent, self.noise, sigma) * (1 - mask)

    def after(self, denoised: Tensor, mask: Tensor) -> Tensor:
        return denoised * mask + self.latent * (1 - mask)


@dataclass(frozen=True, slots=True)
class Denoiser:
    """`model(x, sigma)` gives x0; classifier-free guidance as in Ho & Salimans 2022: u + (c − u)·scale."""

    model: Predict
    positive: tuple[Cond, ...]
    negative: tuple[Cond, ...]
    cfg: float
    inpaint: Inpaint | None = None
    check: Callable[[], None] = lambda: None  # raises where the user wants to stop
    hooks: Hooks = NO_HOOKS
    third: tuple[Cond, ...] = ()  # a third side, for guiders that have one; `hooks.sides` mixes it in

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        if abs(self.cfg - 1) < 1e-9 and not self.hooks.needs_negative:  # the negative side would be multiplied by zero
            return self._mixed(x, sigma, lambda y: self._alone(y, sigma))
        return self._mixed(x, sigma, lambda y: self._guided(y, sigma)[0])

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """x0 with guidance, and that of the negative side alone (for CFG++)."""
        sides: list[Tensor] = []

        def call(y: Tensor) -> Tensor:
            guided, negative = self._guided(y, sigma)
            sides.append(negative)
            return guided

        return self._mixed(x, sigma, call), sides[0]

    def _predict(self, x: Tensor, sigma: Tensor, sides: tuple[tuple[Cond, ...], ...]) -> list[Tensor]:
        def call(model: Predict, x: Tensor, sigma: Tensor) -> list[Tensor]:
            return predict(model, x, sigma, sides)

        return call(self.model, x, sigma) if self.hooks.calls is None else self.hooks.calls(call, self.model, x, sigma)

    def _alone(self, x: Tensor, sigma: Tensor) -> Tensor:
        c = self._predict(x, sigma, (self.positive,))[0]
        return self.hooks.after(c, self._answer(x, sigma, c, c)) if self.hooks.post else c

    def _guided(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        if self.hooks.plain:
            u, c = self._predict(x, sigma, (self.negative, self.positive))
            return u + (c - u) * self.cfg, u
        sides = (self.negative, self.positive, *((self.third,) if self.third else ()))
        u, c, *more = self._predict(x, sigma, sides)
        answer = self.hooks.before(self._answer(x, sigma, c, u, *more))
        mixed = self.hooks.mix(answer)
        return self.hooks.after(mixed, answer), answer.negative

    def _answer(self, x: Tensor, sigma: Tensor, c: Tensor, u: Tensor, *more: Tensor) -> Answer:
        return Answer(
            x, sigma, c, u, self.cfg, more[0] if more else None, lambda m: predict(m, x, sigma, (self.positive,))[0]
        )

    def _mixed(self, x: Tensor, sigma: Tensor, call: Callable[[Tensor], Tensor]) -> Tensor:
        self.check()
        if self.inpaint is None:
            return call(x)
        mask = self.inpaint.mask if self.hooks.mask is None else self.hooks.mask(self.inpaint.mask, sigma)
        return self.inpaint.after(call(self.inpaint.before(x, sigma, mask)), mask)


Callback = Callable[[int, Tensor], None]  # step from 0, x0


def nothing(step: int, denoised: Tensor) -> None:
    """The callback of somebody who does not look."""

"""Where guidance can be changed: around the network's calls, before the two sides are mixed, instead of it, after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from engine.sampling.guidance import Predict


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network said in one call of the sampler: x0 of each side, shaped as x (B, C, …)."""

    x: Tensor
    sigma: Tensor
    positive: Tensor
    negative: Tensor
    cfg: float
    third: Tensor | None
    again: Callable[[Predict], Tensor]  # the positive side by another network function (`DiffusionModel.changed`)

    def plain(self) -> Tensor:
        """Classifier-free guidance (Ho & Salimans 2022)."""
        return self.negative + (self.positive - self.negative) * self.cfg


Calls = Callable[[Predict, Tensor, Tensor], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Changes to guidance, in the order in which they act."""

    calls: Callable[[Calls, Predict, Tensor, Tensor], list[Tensor]] | None = None  # around all calls of the network
    pre: tuple[Callable[[Answer], Answer], ...] = ()
    cfg: Callable[[Answer], Tensor] | None = None  # instead of `Answer.plain`
    sides: Callable[[Answer], Tensor] | None = None  # a guider's own mix of three sides
    post: tuple[Callable[[Tensor, Answer], Tensor], ...] = ()
    mask: Callable[[Tensor, Tensor], Tensor] | None = None  # the inpainting mask, as it counts at σ
    needs_negative: bool = False  # also at a CFG of 1

    @property
    def plain(self) -> bool:
        """Whether the two sides are mixed as usual, and nothing looks at them."""
        return not (self.pre or self.post or self.cfg or self.sides)

    def before(self, answer: Answer) -> Answer:
        for change in self.pre:
            answer = change(answer)
        return answer

    def mix(self, answer: Answer) -> Tensor:
        chosen = self.sides or self.cfg
        return answer.plain() if chosen is None else chosen(answer)

    def after(self, mixed: Tensor, answer: Answer) -> Tensor:
        for change in self.post:
            mixed = change(mixed, answer)
        return mixed

    def adding(self, **changes: Any) -> Hooks:
        """A copy with `pre` and `post` added behind those here, and the others replaced; `needs_negative` stays set."""
        for name in ("pre", "post"):
            if name in changes:
                changes[name] = (*getattr(self, name), *changes[name])
        changes["needs_negative"] = self.needs_negative or bool(changes.get("needs_negative"))
        return replace(self, **changes)


NO_HOOKS = Hooks()

"""Hooks: changes of weights that belong to a piece of conditioning, and how strong they are along the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["lora", "model"]
Easing = Literal["linear", "ease_in", "ease_out", "ease_in_out"]


@dataclass(frozen=True, slots=True)
class Keyframe:
    """From `start` (a share of the run, 0…1) on, a hook's strength is multiplied by `strength`."""

    strength: float
    start: float


@dataclass(frozen=True, slots=True)
class Hook:
    """One change of weights: a LoRA's, or all of a checkpoint's in place of the model's own."""

    kind: Kind
    name: str  # the file, as its folder lists it
    strength_model: float
    strength_clip: float
    keyframes: tuple[Keyframe, ...] = ()


@dataclass(frozen=True, slots=True)
class HookGroup:
    """What is passed around as `HOOKS`."""

    hooks: tuple[Hook, ...] = ()

    def with_keyframes(self, keyframes: tuple[Keyframe, ...]) -> HookGroup:
        return HookGroup(tuple(replace(hook, keyframes=keyframes) for hook in self.hooks))


def combined(groups: Iterable[HookGroup | None]) -> HookGroup | None:
    """All hooks of the groups, each once, in order; None where there is no group at all."""
    found = [group for group in groups if group is not None]
    return HookGroup(tuple(dict.fromkeys(hook for group in found for hook in group.hooks))) if found else None


def in_order(keyframes: Iterable[Keyframe]) -> tuple[Keyframe, ...]:
    """By their start; of two with the same start, the later one stays the later."""
    return tuple(sorted(keyframes, key=lambda keyframe: keyframe.start))


def _spread(start: float, end: float, count: int) -> list[float]:
    return [start + (end - start) * i / max(1, count - 1) for i in range(count)]


def spread(strengths: Sequence[float], start: float, end: float) -> list[Keyframe]:
    """A keyframe a strength, evenly from `start` to `end`."""
    places = _spread(start, end, len(strengths))
    return [Keyframe(float(s), p) for s, p in zip(strengths, places, strict=True)]


def eased(first: float, last: float, easing: Easing, count: int) -> list[float]:
    """`count` strengths from `first` to `last`: evenly, or slower at the start, at the end, or at both."""
    shares = _spread(0.0, 1.0, count)
    curves: dict[Easing, Callable[[float], float]] = {
        "linear": lambda t: t,
        "ease_in": lambda t: t * t,
        "ease_out": lambda t: t * (2 - t),
        "ease_in_out": lambda t: t * t * (3 - 2 * t),
    }
    curve = curves[easing]
    return [first + (last - first) * curve(t) for t in shares]

"""How a measurement is told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One figure. `ratio` is value / baseline; `target` says what it should be, in words."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    target: str = ""

    @property
    def ratio(self) -> float | None:
        return None if not self.baseline else self.value / self.baseline

    def line(self) -> str:
        text = f"{self.name:44s} {self.value:10.2f} {self.unit}"
        if self.ratio is not None:
            text += f"   {self.ratio:6.2f} x {self.baseline_name} ({self.baseline:.2f} {self.unit})"
        return text + (f"   target: {self.target}" if self.target else "")


def interleaved(runs: int, *things: Callable[[], float]) -> Sequence[float]:
    """The median of each thing's measurements, taken in turns so that a busy moment hits all of them."""
    taken: list[list[float]] = [[] for _ in things]
    for _ in range(runs):
        for thing, values in zip(things, taken, strict=True):
            values.append(thing())
    return [statistics.median(values) for values in taken]

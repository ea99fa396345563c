"""New numbers that put a waiting job in another place: the server sorts by number, then by id, and knows no `move`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise


def renumber(waiting: Sequence[tuple[str, float]], moved: str, to: int) -> list[tuple[str, float]]:
    """The (id, number) pairs to submit again so that `moved` comes at index `to`; as few as possible, in order.

    `waiting` is in the order in which it will run. Nearly always it is `moved` alone, with a number between its new
    neighbours'; where these have the same number, or no float lies between, the jobs behind it follow. An index beyond
    the ends means the end. Empty if nothing has to change. Raises KeyError if `moved` does not wait.
    """
    numbers = dict(waiting)
    numbers[moved]
    order = [prompt_id for prompt_id, _ in waiting if prompt_id != moved]
    place = max(0, min(to, len(order)))
    order.insert(place, moved)
    if order == [prompt_id for prompt_id, _ in waiting]:
        return []
    below = numbers[order[place - 1]] if place > 0 else None
    for count in range(1, len(order) - place + 1):
        above = numbers[order[place + count]] if place + count < len(order) else None
        found = _between(below, above, count)
        if found is not None:
            return list(zip(order[place : place + count], found, strict=True))
    raise AssertionError("after the last there is always room")


def rising(numbers: Sequence[float]) -> list[float]:
    """The same numbers, those that are not above the one before made so, by as little as floats allow."""
    found: list[float] = []
    for number in numbers:
        found.append(number if not found or number > found[-1] else math.nextafter(found[-1], math.inf))
    return found


def _between(below: float | None, above: float | None, count: int) -> list[float] | None:
    """`count` growing numbers strictly between two (None: no bound); None if there is no room."""
    if above is None:
        return _steps(-1.0 if below is None else below, 1.0, count)
    if below is None:
        return [-number for number in reversed(_steps(-above, 1.0, count))]
    width = above - below
    found = [below + width * ((index + 1) / (count + 1)) for index in range(count)]
    marks = [below, *found, above]
    growing = all(low < high for low, high in pairwise(marks))
    return found if growing and all(map(math.isfinite, found)) else None


def _steps(start: float, width: float, count: int) -> list[float]:
    """Numbers above `start`, one apart, or as far as floats need to be told apart."""
    found: list[float] = []
    for _ in range(count):
        start = max(start + width, math.nextafter(start, math.inf))
        found.append(start)
    return found

"""Moving a job by numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.state.reorder import renumber

NUMBERS = st.integers(-5, 5).map(float) | st.floats(
    allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15
)


def ordered(numbers: dict[str, float]) -> list[str]:
    return sorted(numbers, key=lambda item: (numbers[item], item))


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.data())
def test_the_job_comes_where_it_is_wanted_and_no_other_changes_place(found: list[float], data: st.DataObject) -> None:
    numbers = {f"job{index}": number for index, number in enumerate(found)}
    waiting = [(item, numbers[item]) for item in ordered(numbers)]
    moved = data.draw(st.sampled_from(sorted(numbers)))
    to = data.draw(st.integers(-2, 10))
    changes = renumber(waiting, moved, to)
    wanted = [item for item, _ in waiting if item != moved]
    wanted.insert(max(0, min(to, len(wanted))), moved)
    assert ordered(numbers | dict(changes)) == wanted


def test_usually_only_the_moved_one_is_submitted_again() -> None:
    waiting = [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert renumber(waiting, "c", 0) == [("c", 0.0)]
    assert renumber(waiting, "c", 1) == [("c", 1.5)]
    assert renumber(waiting, "a", 99) == [("a", 4.0)]
    assert renumber(waiting, "b", 1) == []


def test_equal_numbers_are_told_apart() -> None:
    changes = dict(renumber([("a", 5.0), ("b", 5.0), ("c", 5.0)], "c", 1))
    assert ordered({"a": 5.0, "b": 5.0, "c": 5.0} | changes) == ["a", "c", "b"]
    assert "a" not in changes


def test_where_no_float_lies_between_the_next_ones_follow() -> None:
    import math

    one = 1.0
    waiting = [("a", one), ("b", math.nextafter(one, 2)), ("c", 7.0)]
    changes = dict(renumber(waiting, "c", 1))
    assert ordered(dict(waiting) | changes) == ["a", "c", "b"]


def test_what_does_not_wait_cannot_be_moved() -> None:
    with pytest.raises(KeyError):
        renumber([("a", 1.0)], "x", 0)

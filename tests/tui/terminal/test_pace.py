"""The books of the link: rates from answers, from the kernel, and what pictures may cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui.terminal.pace import GIVE_UP, LARGEST, PATIENCE, Pace, plan


def stream(rate: float, round_trip: float, frames: int = 12, size: int = 12_000) -> Pace:
    """A pace after frames over a link of that rate; each frame is sent when the last is confirmed."""
    pace, now = Pace(), 0.0
    for _ in range(frames):
        pace.write(size, now)
        assert pace.ask(now)
        pace.take(pace.written - pace.taken, now)
        now += pace.waiting / rate + round_trip
        pace.answer(now)
        now += 0.3
    return pace


@pytest.mark.parametrize("rate", [12_000, 60_000, 125_000])
@pytest.mark.parametrize("round_trip", [0.001, 0.08])
def test_the_rate_is_found_whatever_the_distance(rate: float, round_trip: float) -> None:
    found = stream(rate, round_trip).rate
    assert found is not None and 0.5 * rate < found < 3 * rate


def test_what_is_not_drawn_waits_and_a_full_window_is_behind() -> None:
    pace = stream(12_000, 0.01)
    assert pace.waiting == 0
    pace.write(5_000, 1e6)
    assert pace.waiting == 5_000 > pace.window


def test_a_terminal_that_never_answers_is_asked_no_more_and_judged_by_the_kernel() -> None:
    pace, now = Pace(), 0.0
    for _ in range(GIVE_UP):
        pace.write(2_000, now)
        assert pace.ask(now)
        pace.take(pace.written - pace.taken, now)
        now += PATIENCE + 1
        assert pace.overdue(now)
    pace.write(50_000, now)
    assert not pace.ask(now)
    for _ in range(10):
        pace.block(now)
        now += 0.4
        pace.take(4_800, now)
    assert pace.rate is not None and 8_000 < pace.rate < 16_000
    assert pace.waiting == 50_000 - 48_000


def test_an_answer_that_was_not_asked_for_changes_nothing() -> None:
    pace = Pace()
    pace.answer(1.0)
    assert not pace.answers and pace.rate is None


@given(st.floats(500, 5e6), st.integers(1, 300), st.integers(1, 100))
def test_a_key_never_waits_long_for_a_slice(rate: float, columns: int, rows: int) -> None:
    now = plan(rate)
    assert now.slice <= now.picture <= LARGEST
    assert now.slice <= max(2_400, rate * 0.11)
    box = now.cells(columns, rows)
    assert 1 <= box[0] <= columns and 1 <= box[1] <= rows


def test_previews_shrink_slow_down_and_end_with_the_rate() -> None:
    fast, middle, slow = plan(None), plan(125_000), plan(12_000)
    assert fast.cells(60, 30) == (60, 30) > middle.cells(60, 30) > slow.cells(60, 30)
    assert fast.pause < middle.pause < slow.pause
    assert fast.streams and middle.streams and not slow.streams

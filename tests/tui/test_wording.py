from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from comfytui.tui import wording


@given(st.text(), st.integers(0, 60))
def test_what_is_cut_fits(text: str, width: int) -> None:
    assert cell_len(wording.cut(text, width)) <= width
    assert cell_len(wording.cut_middle(text, width)) <= width


@given(st.text(max_size=20))
def test_what_fits_is_not_cut(text: str) -> None:
    assert wording.cut(text, cell_len(text)) == text
    assert wording.cut_middle(text, cell_len(text)) == text


def test_a_names_end_is_kept() -> None:
    assert wording.cut_middle("portrait_of_a_keeper_v4.json", 14) == "portra…v4.json"


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "–"), (-1, "–"), (0.4, "0:00"), (59.6, "1:00"), (66, "1:06"), (3725, "1:02:05")]
)
def test_clock(seconds: float | None, said: str) -> None:
    assert wording.clock(seconds) == said


@pytest.mark.parametrize(
    ("passed", "said"), [(5, "just now"), (200, "3 min ago"), (7300, "2 h ago"), (200000, "2 d ago"), (-5, "just now")]
)
def test_ago(passed: float, said: str) -> None:
    assert wording.ago(1000.0, 1000.0 + passed) == said


def test_slow_steps_are_counted_in_seconds() -> None:
    assert wording.rate(2.94) == "2.9 it/s"
    assert wording.rate(0.25) == "4.0 s/it"
    assert wording.rate(None) == ""


@given(st.floats(-2, 3), st.integers(1, 100))
def test_a_bar_has_its_width(fraction: float, width: int) -> None:
    assert cell_len("".join(wording.bar(fraction, width))) == width


@given(st.lists(st.floats(0, 1e12), max_size=40))
def test_a_sparkline_has_one_cell_a_value(values: list[float]) -> None:
    assert len(wording.spark(values)) == len(values)

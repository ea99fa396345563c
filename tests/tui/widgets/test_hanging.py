"""A labelled paragraph: its further lines begin below its value; in a narrow pane they take the whole width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from comfytui.tui.widgets.hanging import LEAST, Hanging, wrapped

CONSOLE = Console(width=80, color_system="truecolor")


def lines(text: Text, width: int) -> list[str]:
    return [line.plain.rstrip() for line in wrapped(text, CONSOLE, width)]


def test_a_value_goes_on_below_itself() -> None:
    text = Hanging.of(Text.assemble(("why      ", "red"), ("it was restarted, or taken back", "blue")), 9)
    assert lines(text, 31) == ["why      it was restarted, or", "         taken back"]
    first, second = wrapped(text, CONSOLE, 31)
    assert str(first.get_style_at_offset(CONSOLE, 0)) == "red" and str(first.get_style_at_offset(CONSOLE, 10)) == "blue"
    assert str(second.get_style_at_offset(CONSOLE, 10)) == "blue"


def test_without_room_beside_the_label_and_without_a_label_lines_take_the_whole_width() -> None:
    text = Hanging.of(Text("why      it was restarted, or taken back"), 9)
    assert lines(text, 9 + LEAST - 1) == ["why      it was restarted,", "or taken back"]
    assert lines(Text("a b"), 1) == ["a", "b"]
    assert lines(Text(""), 10) == [""]


@given(st.text("ab 日é", min_size=1, max_size=80), st.integers(0, 12), st.integers(3, 60))
def test_no_line_is_too_wide_and_no_word_is_lost(value: str, label: int, width: int) -> None:
    text = Hanging.of(Text("x" * label + value), label)
    found = wrapped(text, CONSOLE, width)
    assert all(Text(line.plain.rstrip()).cell_len <= width for line in found)
    kept = "".join("".join(line.plain for line in found).split())
    assert kept == "".join(text.plain.split())

"""Sending less must show the same: compared in a terminal emulator, for drawings of every kind."""

from __future__ import annotations

import pyte
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from comfytui.tui.terminal.shown import Shown
from comfytui.tui.terminal.thrift import SGR, Pen, change, set_pen, thrifty

COLUMNS, ROWS = 24, 5
PENS = ["", "1", "7", "31", "38;5;200", "38;2;1;2;3", "48;2;9;9;9", "38;2;1;2;3;48;2;9;9;9", "1;4;38;2;1;2;3"]
piece = st.tuples(st.sampled_from(PENS), st.text(" ab▀│é日", min_size=1, max_size=6))
line = st.tuples(st.integers(1, ROWS), st.integers(1, 8), st.lists(piece, min_size=1, max_size=2))
drawing = st.lists(line, min_size=1, max_size=6)


def written(lines: list[tuple[int, int, list[tuple[str, str]]]]) -> str:
    """As Textual writes it: moves, and text between its colours and a reset."""
    out = ""
    for row, column, pieces in lines:
        out += f"\x1b[{row};{column}H"
        out += "".join(f"\x1b[{pen}m{text}\x1b[0m" if pen else text for pen, text in pieces)
    return out + "\x1b[1;1H"


def seen(screen: pyte.Screen) -> list[list[object]]:
    """What can be seen: a blank has a background, and a colour only where that shows."""

    def cell(c: pyte.screens.Char) -> object:
        shows = c.data.strip() or c.reverse or c.underscore or c.strikethrough
        return c if shows else (c.data, c.bg)

    return [[cell(screen.buffer[y][x]) for x in range(COLUMNS)] for y in range(ROWS)]


@settings(max_examples=150, deadline=None)
@given(st.lists(drawing, min_size=1, max_size=5))
def test_the_screen_is_the_same_as_without(drawings: list[list[tuple[int, int, list[tuple[str, str]]]]]) -> None:
    plain, ours = pyte.Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)
    whole, less = pyte.Stream(plain), pyte.Stream(ours)
    shown = Shown()
    for lines in drawings:
        text = written(lines)
        whole.feed(text)
        less.feed(shown.update(text))
        assert seen(plain) == seen(ours)
        assert (plain.cursor.x, plain.cursor.y) == (ours.cursor.x, ours.cursor.y)


@settings(max_examples=60, deadline=None)
@given(drawing)
def test_thrift_shows_the_same_and_is_never_longer(lines: list[tuple[int, int, list[tuple[str, str]]]]) -> None:
    text = written(lines)
    less = thrifty(text)
    assert len(less) <= len(text)
    a, b = pyte.Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(a).feed(text)
    pyte.Stream(b).feed(less)
    assert a.buffer == b.buffer


def test_the_same_drawing_again_sends_nothing_until_the_screen_is_forgotten() -> None:
    shown, text = Shown(), written([(1, 1, [("31", "hello")])])
    first = shown.update(text)
    assert "hello" in first
    assert shown.update(text) == ""
    shown.forget()
    assert shown.update(text) == first


def test_one_changed_cell_is_all_that_is_sent() -> None:
    shown = Shown()
    shown.update(written([(2, 1, [("31", "step 1 of 20")])]))
    assert shown.update(written([(2, 1, [("31", "step 2 of 20")])])) == "\x1b[2;6H\x1b[31m2\x1b[0m\x1b[1;1H"


def test_what_is_no_drawing_goes_as_it_is() -> None:
    shown = Shown()
    text = written([(1, 1, [("31", "hello")])])
    shown.update(text)
    assert shown.update("\x1b[1;1H\x1bPq#0\x1b\\") == "\x1b[1;1H\x1bPq#0\x1b\\"
    assert "hello" in shown.update(text)  # nothing is known after it


pen = st.builds(Pen, st.sampled_from(["", "31", "38;2;1;2;3", "38;5;9"]), st.sampled_from(["", "41", "48;2;9;9;9"]),
                st.sets(st.sampled_from(["1", "4", "7"])).map(frozenset))  # fmt: skip


@given(pen, pen)
def test_a_change_of_pen_leads_to_the_wanted_one_and_is_no_longer_than_starting_anew(now: Pen, want: Pen) -> None:
    assume(now != want)
    codes = change(now, want)
    reached = now
    for sequence in SGR.findall(codes):
        reached = set_pen(reached, sequence)
    assert reached == want
    anew = ";".join(filter(None, ["0", *sorted(want.attributes), want.front, want.back]))
    assert len(codes) <= len(f"\x1b[{anew}m")

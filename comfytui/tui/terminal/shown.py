"""What the terminal shows, cell by cell, so that only cells that change are sent.

Textual sends every widget that was refreshed whole, and everything when the layout changes: three screens of mostly
blanks for one key. Comparing costs a few milliseconds a screen; sending it costs a second on a slow link.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from itertools import groupby, repeat
from operator import itemgetter
from typing import Final

from rich.cells import get_character_cell_size

from comfytui.tui.terminal.thrift import PLAIN, SGR, Pen, change, set_pen, thrifty

_MOVE: Final = re.compile(r"\x1b\[(\d+);(\d+)H")
_OTHER: Final = re.compile(r"\x1b(?!\[[\d;]*m|\[\d+;\d+H)|[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_VISIBLE: Final = frozenset({"4", "7", "9", "21", "53"})  # attributes that show on a blank: lines, reversed colours
BRIDGE: Final = 5  # equal cells that are sent again, because a move over them is longer

Cell = tuple[str, Pen]
_TEXT, _PEN = itemgetter(0), itemgetter(1)
_RESET: Final = ("0", "")  # codes that end all colours and attributes: every second one that Rich writes
UNKNOWN: Final[Cell] = ("", PLAIN)
Box = tuple[int, int, int, int]  # first column from 0, first row from 1, the column after the last, the last row
LONGEST: Final = 10_000  # columns


class Shown:
    """The screen as far as we know it. It is told every drawing and says what to send instead."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell]] = {}
        self._watched: dict[Hashable, Box] = {}
        self._touched: set[Hashable] = set()

    def forget_rows(self, first: int, last: int) -> None:
        """Lines `first` to `last` (from 1) show something else now."""
        for row in range(first, last + 1):
            self._rows.pop(row, None)

    def watch(self, key: Hashable, box: Box | None) -> None:
        """Note from now on whether a cell of `box` is sent; None ends it."""
        self._touched.discard(key)
        if box is None:
            self._watched.pop(key, None)
        else:
            self._watched[key] = box

    def touched(self, key: Hashable) -> bool:
        return key in self._touched

    def _touch(self, row: int, start: int, end: int) -> None:
        for key, (left, top, right, bottom) in self._watched.items():
            if top <= row <= bottom and start < right and end > left:
                self._touched.add(key)

    def forget(self) -> None:
        """Others have written to the screen, or it has another size: everything is sent again."""
        self._rows.clear()

    def update(self, drawing: str) -> str:
        """What turns the screen into what it would be after `drawing`; empty if it is that already.

        A drawing with anything but text, colours and moves is sent as it is, and nothing is known after it.
        """
        first, *moves = _MOVE.split(drawing)
        if first or _OTHER.search(drawing):
            self.forget()
            self._touched.update(self._watched)
            return drawing
        out: list[str] = []
        now = want = PLAIN
        cursor = ("", "")
        for row, column, text in zip(moves[::3], moves[1::3], moves[2::3], strict=True):
            cursor = (row, column)
            if not text:
                continue
            cells, want = _cells(text, want)
            if cells is None:
                # Wide or combining characters: terminals do not agree about their places, so the line goes whole.
                self._rows.pop(int(row), None)
                self._touch(int(row), 0, LONGEST)
                out += [change(now, PLAIN) if now != PLAIN else "", f"\x1b[{row};{column}H", thrifty(text)]
                now, cursor = PLAIN, ("", "")
            else:
                now = self._line(int(row), int(column) - 1, cells, now, out)
        if now != PLAIN:
            out.append(change(now, PLAIN))
        if out and cursor[0]:  # a move alone is not sent: the cursor is hidden, and only input methods look for it
            out.append(f"\x1b[{cursor[0]};{cursor[1]}H")
        return "".join(out)

    def _line(self, row: int, start: int, cells: list[Cell], now: Pen, out: list[str]) -> Pen:
        """Send what differs in a line, from column `start` (0 is the first); the pen after it."""
        shown = self._rows.setdefault(row, [])
        end = start + len(cells)
        if len(shown) < end:
            shown.extend(repeat(UNKNOWN, end - len(shown)))
        old = shown[start:end]
        if old == cells:
            return now
        shown[start:end] = cells
        for first, last in _spans(old, cells):
            if self._watched:
                self._touch(row, start + first, start + last)
            out.append(f"\x1b[{row};{start + first + 1}H")
            for pen, group in groupby(cells[first:last], key=_PEN):
                text = "".join(map(_TEXT, group))
                if text.isspace() and not _VISIBLE & pen.attributes and not _VISIBLE & now.attributes:
                    pen = Pen(now.front, pen.back, now.attributes)  # noqa: PLW2901 - a blank has only a background
                if pen != now:
                    out.append(change(now, pen))
                    now = pen
                out.append(text)
        return now


@lru_cache(maxsize=4096)
def _narrow(text: str) -> bool:
    """Whether each character is one column wide."""
    return text.isascii() or all(get_character_cell_size(character) == 1 for character in text)


def _spans(old: list[Cell], new: list[Cell]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for at, (was, now) in enumerate(zip(old, new, strict=True)):
        if was is now or was == now:
            continue
        if spans and at - spans[-1][1] <= BRIDGE:
            spans[-1] = (spans[-1][0], at + 1)
        else:
            spans.append((at, at + 1))
    return spans


def _cells(text: str, pen: Pen) -> tuple[list[Cell] | None, Pen]:
    """The cells of a line's text, None if one of them is not one column wide; and the pen after them."""
    cells: list[Cell] | None = []
    parts = SGR.split(text.replace("\n", "").replace("\r", ""))
    for at, part in enumerate(parts):
        if at % 2:
            pen = set_pen(pen, part) if part not in _RESET else PLAIN
        elif part and cells is not None:
            if not _narrow(part):
                cells = None
            elif not part.isspace() or _VISIBLE & pen.attributes:
                cells.extend(zip(part, repeat(pen)))
            else:
                cells.extend(repeat((" ", Pen("", pen.back)), len(part)))
    return cells, pen

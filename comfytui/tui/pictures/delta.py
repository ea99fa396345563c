"""What differs between two drawings of a line, and what it costs to send."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.style import Style
from textual.strip import Strip

BRIDGE: Final = 3  # equal cells between two changes: sending them is cheaper than moving the cursor over them
MOVE: Final = 9  # bytes of a move of the cursor


class Difference(NamedTuple):
    """Where a line differs, from the first column to the one after the last, and what the cells that differ cost to send."""

    start: int
    end: int
    price: int


NOTHING: Final = Difference(0, 0, 0)


def difference(old: Strip | None, new: Strip) -> Difference:
    """What of a line has to be sent. One span: composing several apart costs more time than comparing cells once more
    where they are written, and that is done anyway."""
    spans = changed(old, new)
    if not spans:
        return NOTHING
    whole = spans == [(0, new.cell_length)]
    cost = price(new) if whole else sum(price(new.crop(*span)) for span in spans)
    return Difference(spans[0][0], spans[-1][1], cost)


def changed(old: Strip | None, new: Strip) -> list[tuple[int, int]]:
    """The spans of columns, from and to, in which `new` differs from `old`. Every character is one cell wide."""
    if old is None or old.cell_length != new.cell_length:
        return [(0, new.cell_length)] if new.cell_length else []
    if old == new:
        return []
    spans: list[tuple[int, int]] = []
    for x, (was, now) in enumerate(zip(_cells(old), _cells(new), strict=True)):
        if was == now:
            continue
        if spans and x - spans[-1][1] <= BRIDGE:
            spans[-1] = (spans[-1][0], x + 1)
        else:
            spans.append((x, x + 1))
    return spans


def price(strip: Strip) -> int:
    """Bytes of sending a line: its text, and for each run its colours and the reset after them."""
    total = MOVE
    for text, style, _ in strip:
        total += len(text) if text.isascii() else len(text.encode())
        if style is not None:
            total += 7 + sum(_colour(colour) for colour in (style.color, style.bgcolor) if colour is not None)
    return total


def _colour(colour: object) -> int:
    return len("38;5;255;") if getattr(colour, "number", None) is not None else len("38;2;255;255;255;")


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    return [(character, style) for text, style, _ in strip for character in text]

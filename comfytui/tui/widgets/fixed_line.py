"""A line that is always there: pieces on the left and right, of which the least important go when it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual.widget import Widget


class Piece(NamedTuple):
    """A part of a line. `rank` 0 stays to the end; larger ones go first."""

    text: Text
    rank: int = 0
    right: bool = False


class FixedLine(Widget):
    """One line of the screen, redrawn only when its text differs."""

    DEFAULT_CSS = """
    FixedLine { height: 1; width: 1fr; background: $role-panel; color: $role-text; padding: 0 1; }
    """
    gap = 2  # cells between pieces

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._pieces: tuple[Piece, ...] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show these pieces."""
        new = tuple(piece for piece in pieces if piece.text)
        if [(p.text.markup, p.rank) for p in new] != [(p.text.markup, p.rank) for p in self._pieces]:
            self._pieces = new
            self.refresh()

    def render(self) -> Text:
        return lay_out(self._pieces, self.content_size.width, self.gap)


def lay_out(pieces: Sequence[Piece], width: int, gap: int = 2) -> Text:
    """Put pieces on a line of `width` cells, leaving out what does not fit, the highest rank first."""
    kept = list(pieces)

    def needed() -> int:
        return sum(piece.text.cell_len for piece in kept) + gap * max(0, len(kept) - 1)

    while len(kept) > 1 and needed() > width:
        kept.remove(max(reversed(kept), key=lambda piece: piece.rank))
    joint = Text(" " * gap)
    left = joint.join(piece.text for piece in kept if not piece.right)
    right = joint.join(piece.text for piece in kept if piece.right)
    line = Text(no_wrap=True, overflow="ellipsis", end="")
    line.append_text(left)
    if right:
        line.append(" " * max(gap if left else 0, width - left.cell_len - right.cell_len))
        line.append_text(right)
    line.truncate(width, overflow="ellipsis")
    return line

"""Where the items of a list stand when they come in titled groups, several side by side: arithmetic without a widget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A group: what is said above it ("": nothing, and no line for it), and how many items are in it."""

    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Row:
    """What a line belongs to: the items `first` … `first + count - 1`, and which of their lines it is."""

    first: int
    count: int
    inner: int


class Layout:
    """`across` items side by side, each `tall` lines high; a group begins on a line of its own.

    Groups are looked up by bisection and items within them by division, so that ten thousand items cost what ten do.
    """

    def __init__(self, sections: Sequence[Section], across: int = 1, tall: int = 1) -> None:
        self.sections = tuple(section for section in sections if section.count)
        self.across, self.tall = max(1, across), max(1, tall)
        self._firsts: list[int] = []  # index of each group's first item
        self._tops: list[int] = []  # line of each group's title, or of its first items if it has none
        index = y = 0
        for section in self.sections:
            self._firsts.append(index)
            self._tops.append(y)
            index += section.count
            y += bool(section.title) + -(-section.count // self.across) * self.tall
        self.count, self.height = index, y

    def _section(self, index: int) -> int:
        return bisect_right(self._firsts, index) - 1

    def place(self, index: int) -> tuple[int, int]:
        """An item's first line, and its column (0 … across - 1)."""
        at = self._section(index)
        row, column = divmod(index - self._firsts[at], self.across)
        return self._tops[at] + bool(self.sections[at].title) + row * self.tall, column

    def top_of(self, index: int) -> int:
        """The line that should be on screen with an item: its own, or its group's title if it is in the first row."""
        at = self._section(index)
        return self._tops[at] if index - self._firsts[at] < self.across else self.place(index)[0]

    def at(self, y: int) -> Row | Section | None:
        """What stands on a line; None below the end."""
        if not 0 <= y < self.height:
            return None
        at = bisect_right(self._tops, y) - 1
        section, inside = self.sections[at], y - self._tops[at]
        if section.title:
            if inside == 0:
                return section
            inside -= 1
        row, inner = divmod(inside, self.tall)
        begin = row * self.across
        return Row(self._firsts[at] + begin, min(self.across, section.count - begin), inner)

    def between(self, top: int, bottom: int) -> tuple[int, int]:
        """The items with a line in `top` … `bottom - 1`: the first, and the one after the last."""
        if not self.count or bottom <= top:
            return 0, 0
        first, last = self._near(max(0, top), after=True), self._near(min(bottom, self.height) - 1, after=False)
        return (first.first, last.first + last.count) if first and last and first.first <= last.first else (0, 0)

    def _near(self, y: int, after: bool) -> Row | None:
        found = self.at(y)
        if isinstance(found, Section):
            found = self.at(y + 1) if after else self.at(y - 1)
        return found if isinstance(found, Row) else None

    def below(self, index: int) -> int:
        """The item under this one; the last one of a shorter row; itself if there is none."""
        y, column = self.place(index)
        row = self._near(y + self.tall, after=True)
        return index if row is None else row.first + min(column, row.count - 1)

    def above(self, index: int) -> int:
        """The item over this one."""
        y, column = self.place(index)
        row = self._near(y - 1, after=False)
        return index if row is None else row.first + min(column, row.count - 1)

    def away(self, index: int, lines: int) -> int:
        """The item so many lines further down (up, if negative), in the same column."""
        y, column = self.place(index)
        wanted = min(max(0, y + lines), self.height - 1)
        row = self._near(wanted, after=lines > 0) or self._near(wanted, after=lines <= 0)
        return index if row is None else row.first + min(column, row.count - 1)

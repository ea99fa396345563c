"""Which rows of the screen a log makes: filtered, wrapped if wanted, and brought up to date by what is new alone."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from rich.cells import cell_len

from comfytui.state.log_filter import LogFilter
from comfytui.state.logs import Line, Log


class Row(NamedTuple):
    """A part of a line that stands in one row of the screen: its characters `start` … `end - 1`."""

    key: str
    number: int
    start: int
    end: int


class Rows:
    """The rows of one log, oldest first."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.lines = 0  # that match
        self.filter = LogFilter()
        self._width: int | None = None
        self._log: Log | None = None
        self._settled = 0  # lines before this number will not change any more
        self._revision = -1

    def use(self, wanted: LogFilter, width: int | None) -> None:
        """Filter so; `width` in cells wraps long lines, None does not."""
        if (wanted, width) != (self.filter, self._width):
            self.filter, self._width = wanted, width
            self._forget()

    def update(self, log: Log) -> bool:
        """Take over what is new; False if nothing is."""
        if log is not self._log:
            self._log = log
            self._forget()
        if self._revision == log.revision:
            return False
        self._revision = log.revision
        gone = bisect_left(self.rows, log.first, key=lambda row: row.number)
        self.lines -= sum(row.start == 0 for row in self.rows[:gone])
        del self.rows[:gone]
        while self.rows and self.rows[-1].number >= self._settled:
            self.lines -= self.rows.pop().start == 0
        for line in log.since(self._settled):
            if self.filter.matches(line):
                self.lines += 1
                self.rows += self._of(line)
        self._settled = max(0, log.end - 1)
        return True

    def since(self, number: int) -> int:
        """How many lines that match have this number or a higher one."""
        place = bisect_left(self.rows, number, key=lambda row: row.number)
        return sum(row.start == 0 for row in self.rows[place:])

    def place(self, number: int) -> int:
        """The place of the first row of a line, or of the next line that is listed."""
        return bisect_left(self.rows, number, key=lambda row: row.number)

    def _forget(self) -> None:
        self.rows, self.lines, self._settled, self._revision = [], 0, 0, -1

    def _of(self, line: Line) -> list[Row]:
        if self._width is None or (len(line.text) <= self._width and line.text.isascii()):
            return [Row(str(line.number), line.number, 0, len(line.text))]
        return [
            Row(f"{line.number}.{part}" if part else str(line.number), line.number, start, end)
            for part, (start, end) in enumerate(wrapped(line.text, max(8, self._width)))
        ]


def wrapped(text: str, width: int) -> list[tuple[int, int]]:
    """The pieces of a text that are at most `width` cells wide, as slices; broken anywhere, for a log is full of paths."""
    if text.isascii():
        return [(start, min(start + width, len(text))) for start in range(0, len(text), width)] or [(0, 0)]
    found: list[tuple[int, int]] = []
    start = cells = 0
    for place, char in enumerate(text):
        size = cell_len(char)
        if cells + size > width and place > start:
            found.append((start, place))
            start, cells = place, 0
        cells += size
    return [*found, (start, len(text))]

"""The lines of a log, of which only so many are kept: progress bars fold into one line, tracebacks are told as one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from comfytui.client.messages import LogPiece
from comfytui.state.log_levels import RANK, Level, Tracebacks, level_of

KEPT = 5000  # lines
MAX_LINE = 4000  # characters of a line that is written piece by piece
_BREAKS = re.compile("([\n\r])")
_BAR = re.compile(r"(.{0,200}?)\s*(\d{1,3})%\|")  # as tqdm draws one, after what it is about


class Line(msgspec.Struct, frozen=True):
    """One line. `number` counts on for ever; `block` is the first line of the traceback it is in, else its own number."""

    number: int
    text: str
    level: Level = Level.UNTOLD
    stamp: str = ""  # the server's local time, ISO 8601; "" unknown
    block: int = -1


class Log:
    """Takes what was written, as it was written: a terminal's view of it, without its width.

    Every line but the last stays as it is: who has drawn the others need look only at that one and at newer ones.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._lines: deque[Line] = deque(maxlen=kept)
        self._next = 0  # number of the next line
        self._open = False  # the last line has not ended yet
        self._rewrite = False  # the next text replaces it
        self._bar = False  # it was written after a \r
        self._tracebacks = Tracebacks()
        self.errors = 0  # among the kept lines; a traceback counts once
        self.warnings = 0
        self.revision = 0  # grows with each change

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept."""
        return self._next - len(self._lines)

    @property
    def end(self) -> int:
        """One more than the number of the last line."""
        return self._next

    @property
    def settled(self) -> int:
        """One more than the number of the last line that stays as it is; a progress bar does not until another line follows."""
        bar = bool(self._lines) and "%|" in self._lines[-1].text
        return self._next - 1 if self._lines and (self._open or bar) else self._next

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, number: int) -> Line | None:
        """A line by its number, None if it is not kept any more."""
        return self._lines[number - self.first] if self.first <= number < self._next else None

    def since(self, number: int) -> Sequence[Line]:
        """The kept lines from this number on, oldest first."""
        count = self._next - max(number, self.first)
        return [self._lines[-n] for n in range(count, 0, -1)]  # from the end: a deque's middle is far from both ends

    def block(self, line: Line) -> Sequence[Line]:
        """The lines of the traceback that a line is in; itself if it is in none."""
        found = [each for each in self.since(line.block) if each.number <= line.number or each.block == line.block]
        end = next((i for i, each in enumerate(found) if each.block != line.block), len(found))
        return found[:end] or [line]

    def feed(self, pieces: Iterable[LogPiece]) -> None:
        """Add what was written."""
        for piece in pieces:
            self._write(piece.text, piece.stamp)
        self.revision += 1

    def say(self, text: str) -> None:
        """Add a line of our own."""
        self.feed([LogPiece(("\n" if self._open else "") + f"── {text} ──\n")])

    def _write(self, text: str, stamp: str) -> None:
        if self._open and self._bar and text[:1] not in ("\r", "\n"):
            self._open = False  # something else was printed while the bar stood there; it would hang on to its end
        parts = _BREAKS.split(text)  # text, break, text, break, … text
        for index, part in enumerate(parts):
            if index % 2 == 0:
                if part:
                    self._append(part, stamp)
            elif part == "\r":
                self._rewrite = True
            else:
                if not self._open:
                    self._append("", stamp)
                self._open = self._rewrite = self._bar = False

    def _append(self, text: str, stamp: str) -> None:
        """Text without breaks: of the open line, or of a new one."""
        if self._open:
            old = self._lines[-1]
            self._bar = self._bar or self._rewrite
            whole = text if self._rewrite else (old.text + text)[:MAX_LINE]
            self._replace(old, whole, stamp or old.stamp)
        elif self._continues_a_bar(text):
            self._replace(self._lines[-1], text, stamp)
            self._open, self._bar = True, self._rewrite
        else:
            self._open, self._bar = True, self._rewrite
            self._add(text, stamp)
        self._rewrite = False

    def _continues_a_bar(self, text: str) -> bool:
        """A server may write each state of a bar as a line of its own: they still are one."""
        if "%|" not in text or not self._lines or "%|" not in self._lines[-1].text:
            return False
        old, new = _BAR.match(self._lines[-1].text), _BAR.match(text)
        return old is not None and new is not None and old[1] == new[1] and int(old[2]) <= int(new[2])

    def _add(self, text: str, stamp: str) -> None:
        if len(self._lines) == self._lines.maxlen:
            self._count(self._lines[0], -1)
        number = self._next
        before = self._lines[-1] if self._lines else None
        heading = before.number if before is not None and before.level is Level.ERROR else None
        block = self._tracebacks.block(number, text, heading)
        line = Line(
            number, text, level_of(text) if block is None else Level.ERROR, stamp, number if block is None else block
        )
        self._lines.append(line)
        self._next += 1
        self._count(line, 1)

    def _replace(self, old: Line, text: str, stamp: str) -> None:
        """The last line says something else now."""
        self._count(old, -1)
        self._lines.pop()
        self._next -= 1
        level = level_of(text)
        if level is not Level.UNTOLD or old.block == old.number:
            line = Line(old.number, text, level, stamp, old.number)
        else:
            line = msgspec.structs.replace(old, text=text)
        self._lines.append(line)
        self._next += 1
        self._count(line, 1)

    def _count(self, line: Line, by: int) -> None:
        if line.level is Level.ERROR and line.block == line.number:
            self.errors += by
        elif line.level is Level.WARNING:
            self.warnings += by


def worst(lines: Iterable[Line]) -> Level:
    """The worst level among some lines."""
    return max((line.level for line in lines), key=RANK.__getitem__, default=Level.UNTOLD)

"""How fast the terminal drains what we write, and what a picture may cost at that speed.

A link is not slow where we can see it: the kernel, sshd and the network take hundreds of kilobytes before anything
blocks, and every byte of it stands between a key and its echo. So now and then a question that every terminal answers
(where is the cursor?) rides behind what is written. Its answer says that all before it has been drawn. From the delays
come the round trip and the rate, as in delay-based congestion control (RFC 6817); from the rate come the budgets.
A terminal that never answers is judged by how fast the kernel takes the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

QUESTION: Final = "\x1b[6n"  # DSR: the oldest question there is; multiplexers and consoles answer it too
ASK_EVERY: Final = 1_024  # bytes between questions: what is smaller than a list's line costs no question
PATIENCE: Final = 2.0  # seconds for an answer, beyond what the bytes before it need
GIVE_UP: Final = 2  # questions without an answer, after which none is asked
SETTLED: Final = 512  # bytes on their way that count as none: no question follows so few
ENOUGH: Final = 2_000  # bytes that a measurement needs; fewer measure the scheduler
NOISE: Final = 0.02  # seconds of every delay that are the machines' and not the line's
KEEP: Final = 0.7  # of the older measurements, at each new one
FASTEST: Final = 8_000_000.0  # bytes a second; beyond it nothing changes

ECHO: Final = 0.1  # seconds that may stand between a key and its echo, besides the round trip
LARGEST: Final = 40_000  # bytes of a picture on the best of links
PREVIEWS_FROM: Final = 24_000.0  # bytes a second; below it previews are a small still one, now and then


@dataclass(frozen=True)
class Plan:
    """What pictures may cost at a rate."""

    picture: int  # bytes of a whole picture
    slice: int  # bytes of it at once; the next slice waits until this one is drained
    pause: float  # seconds between the previews, at least
    streams: bool  # False: previews are too much for this link; one small picture each `pause` still comes

    def cells(self, columns: int, rows: int) -> tuple[int, int]:
        """The box of a preview: as large as given, or smaller, so that a cell has some ten bytes to spend."""
        columns, rows = max(1, columns), max(1, rows)
        for part in (1.0, 0.75, 0.5, 0.375, 0.25):  # steps: a size that follows every measurement would flicker
            box = max(1, round(columns * part)), max(1, round(rows * part))
            if box[0] * box[1] * 10 <= self.picture:
                return box
        return max(1, min(columns, 20)), max(1, min(rows, 10))


def plan(rate: float | None) -> Plan:
    """The budgets at `rate` bytes a second; None (not measured yet, or no terminal) counts as fast."""
    if rate is None or rate >= 1_000_000:
        return Plan(LARGEST, LARGEST, 0.08, True)
    share = int(rate * ECHO)
    if rate < PREVIEWS_FROM:
        return Plan(max(1_500, int(rate * 0.25)), max(600, share), 15.0, False)
    picture = max(2_400, min(LARGEST, share))
    return Plan(picture, picture, max(0.1, picture / (rate * 0.4)), True)


@dataclass
class _Asked:
    position: int  # of the byte after the question
    at: float
    fresh: bool  # nothing was under way when the bytes before it were written


class Pace:
    """The books of one terminal: bytes written, taken by the kernel, drawn. Times are handed in; callers lock."""

    def __init__(self) -> None:
        self.written = 0
        self.taken = 0
        self.drawn = 0  # what an answer has confirmed
        self.answers = False  # this terminal answers
        self.round_trip: float | None = None
        self._asked: _Asked | None = None
        self._asked_to = 0
        self._unanswered = 0
        self._busy_since = 0.0
        self._last_answer = 0.0
        self._blocked: tuple[int, float] | None = None
        self._bytes = self._seconds = 0.0  # the measurements, older ones fading

    @property
    def rate(self) -> float | None:
        """Bytes a second that the terminal drains, at most FASTEST; None while unknown."""
        if self._bytes < ENOUGH:
            return None
        return min(FASTEST, self._bytes / max(self._seconds, 1e-9))

    @property
    def waiting(self) -> int:
        """Bytes that are not drawn yet, as far as we can know."""
        return self.written - (self.drawn if self.answers else self.taken)

    @property
    def window(self) -> int:
        """Bytes that may be on their way before drawing waits."""
        if self.rate is None:
            return 64_000
        return max(3_000, int(self.rate * (ECHO + (self.round_trip or 0.0))))

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._asked is not None

    def write(self, size: int, now: float) -> None:
        """`size` bytes were handed over."""
        if self.waiting <= SETTLED:
            self._busy_since = now
        self.written += size

    def ask(self, now: float, least: int = ASK_EVERY) -> bool:
        """Whether to ask behind what was written; if so, the question counts as written."""
        if self._asked is not None or self.written - self._asked_to < least or self._unanswered >= GIVE_UP:
            return False
        fresh = self._busy_since > self._last_answer
        self.written += len(QUESTION)
        self._asked_to = self.written
        self._asked = _Asked(self.written, now, fresh)
        return True

    def answer(self, now: float) -> None:
        """The answer came: all before the question is drawn."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        self.answers, self._unanswered = True, 0
        delay = now - asked.at
        self.round_trip = delay if self.round_trip is None else min(delay, self.round_trip)
        size = asked.position - self.drawn
        began = max(self._busy_since, self._last_answer)
        travel = self.round_trip if asked.fresh else 0.0
        self._measured(size, now - began - travel - NOISE)
        self.drawn = asked.position
        self._last_answer = now

    def take(self, size: int, now: float) -> None:
        """The kernel took `size` bytes."""
        self.taken += size
        if self._blocked is not None and not self.answers:
            position, since = self._blocked
            if now - since > 0.2:
                self._measured(self.taken - position, now - since)
                self._blocked = (self.taken, now) if self.taken < self.written else None
        if self.taken >= self.written:
            self._blocked = None

    def block(self, now: float) -> None:
        """The kernel would take no more."""
        if self._blocked is None:
            self._blocked = (self.taken, now)

    def overdue(self, now: float) -> bool:
        """Give an answer up that does not come; whether one was given up. What the kernel took counts as drawn."""
        asked = self._asked
        if asked is None or self.taken < asked.position:
            return False
        needed = 0.0 if self.rate is None else 2 * self.waiting / self.rate
        if now - asked.at < PATIENCE + needed + (self.round_trip or 0.0):
            return False
        self._asked = None
        self._unanswered += 1
        self.drawn = self.taken
        if self._unanswered >= GIVE_UP:
            self.answers = False
        return True

    def _measured(self, size: int, seconds: float) -> None:
        if size < ENOUGH:
            return
        seconds = max(seconds, size / FASTEST)
        self._bytes = self._bytes * KEEP + size
        self._seconds = self._seconds * KEEP + seconds

"""The thread that writes to the terminal: it never blocks the event loop, and knows what the terminal has not taken."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from comfytui.tui.terminal.pace import QUESTION, Pace

CHUNK: Final = 4096  # bytes of a write; small, so that what the kernel refuses is known soon
FRAME: Final = 256  # bytes; what is longer draws, what is shorter sets modes and is never dropped


class Writer(threading.Thread):
    """Writes in order. `moved` is called in this thread when bytes were taken or an answer was given up."""

    def __init__(self, fileno: int, pace: Pace, lock: Any, moved: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="terminal-output")
        self._fd = fileno
        self._pace = pace
        self._moved = moved
        self._queue: deque[bytes] = deque()
        self._rest = b""  # of the write that was begun
        self._news = threading.Condition(lock)
        self._leaving = False  # no question may follow: its answer would reach the shell
        self._ending = False
        self.dead = False  # the terminal is gone

    def write(self, text: str) -> None:
        """Take text; it is never refused and never waited for. Who draws looks at the pace first."""
        data = text.encode("utf-8", "replace")
        with self._news:
            if self.dead or not data:
                return
            now = time.monotonic()
            self._pace.write(len(data), now)
            if not self._leaving and self._pace.ask(now):
                data += QUESTION.encode()
            self._queue.append(data)
            self._news.notify()

    def ask(self) -> None:
        """Ask now, whatever has been written."""
        with self._news:
            if not self.dead and not self._leaving and self._pace.ask(time.monotonic(), least=0):
                self._queue.append(QUESTION.encode())
                self._news.notify()

    def ask_again(self) -> None:
        """After an answer: ask about what has been written since, if it is worth it."""
        with self._news:
            if not self.dead and not self._leaving and self._pace.ask(time.monotonic()):
                self._queue.append(QUESTION.encode())
                self._news.notify()

    def drop_frames(self) -> None:
        """Forget drawings that were not begun: the terminal is about to be left, and they would only delay that."""
        with self._news:
            self._leaving = True
            kept = [data for data in self._queue if len(data) <= FRAME]
            dropped = sum(map(len, self._queue)) - sum(map(len, kept))
            self._queue = deque(kept)
            self._pace.taken += dropped

    def finish(self, seconds: float) -> bool:
        """Write what is left and end, within that time; whether all was written."""
        with self._news:
            self._leaving = self._ending = True
            self._news.notify()
        self.join(seconds)
        return not self.is_alive() and not self.dead

    def run(self) -> None:
        while (data := self._next()) is not None:
            if data:
                self._push(data)

    def _next(self) -> bytes | None:
        """The next bytes; none if only a look at the clock was due; None at the end."""
        with self._news:
            if self._rest:
                return self._rest
            if not self._queue and not self._ending:
                # A clock runs only while an answer is awaited: an idle dashboard wakes nobody.
                self._news.wait(0.5 if self._pace.asking else None)
            if self._pace.overdue(time.monotonic()):
                self._moved()
            if self._queue:
                self._rest = self._queue.popleft()
                return self._rest
            return None if self._ending or self.dead else b""

    def _push(self, data: bytes) -> None:
        try:
            size = os.write(self._fd, data[:CHUNK])
        except BlockingIOError:
            size = 0
        except OSError:
            # Hung up. The signal or the input thread ends the program; nothing can be shown any more.
            with self._news:
                self.dead = True
                self._rest = b""
                self._queue.clear()
                self._pace.taken = self._pace.drawn = self._pace.written
            self._moved()
            return
        with self._news:
            now = time.monotonic()
            if size:
                self._rest = data[size:]
                self._pace.take(size, now)
                drained = not self._rest and not self._queue
            else:
                self._pace.block(now)
                drained = False
        if drained or size:
            self._moved()
        if not size:
            select.select([], [self._fd], [], 0.5)

"""Leaves the terminal as it was, whatever ends the program: a key, a signal, an exception, a loop that hangs.

Textual restores what it changed when it ends in order. This is for the other ends: the guard looks at what was changed
when the program is over, and a watchdog ends a program that was told to end and does not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

# All that a full-screen program may have switched on; each is harmless where it is off.
RESET: Final = (
    b"\x1b\\"  # the end of a string that was cut off (a picture)
    b"\x1b[?2026l"  # synchronized output
    b"\x1b[?2004l"  # bracketed paste
    b"\x1b[?2048l"  # reports of the size
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # the mouse
    b"\x1b[?1004l"  # focus
    b"\x1b[<u"  # kitty's keyboard; the alternate screen has its own, so before it is left
    b"\x1b[?7h"  # lines wrap
    b"\x1b[?1049l"  # the alternate screen
    b"\x1b[?25h"  # the cursor
    b"\x1b[0m"
)
NO_PICTURES: Final = b"\x1b_Ga=d,d=A,q=2\x1b\\"  # kitty's, which outlive the screen that they are on
PATIENCE: Final = 5.0  # seconds from a signal to the end of the program
SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def tty() -> int | None:
    """A descriptor of our own on the terminal, non-blocking; None without one. The caller closes it.

    Of our own, because O_NONBLOCK belongs to the open file, which the shell that started us shares.
    """
    for stream in (sys.__stderr__, sys.__stdout__, sys.__stdin__):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if stream is not None and os.isatty(stream.fileno()):
                return os.open(os.ttyname(stream.fileno()), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    with contextlib.suppress(OSError):  # in some containers the terminal has no name
        return os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    return None


def reset(seconds: float = 1.0, pictures: bool = False) -> None:
    """Write RESET (and with `pictures` their removal) past everything else, within that time; a terminal that takes nothing is left."""
    fd = tty()
    if fd is None:
        return
    try:
        data, end = RESET[:2] + (NO_PICTURES if pictures else b"") + RESET[2:], time.monotonic() + seconds
        while data and (left := end - time.monotonic()) > 0:
            if select.select([], [fd], [], left)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(fd, data) :]
    except OSError:
        return  # hung up: there is nothing left to restore
    finally:
        os.close(fd)


class Guard:
    """What the terminal was like before. `entered` and `left` tell whether it is changed."""

    def __init__(self) -> None:
        self._modes: list[Any] | None = None
        self._changed = False
        self.pictures = False  # the terminal was sent some that it keeps by itself

    def entered(self) -> None:
        self._changed = True

    def left(self) -> None:
        self._changed = False

    def remember(self) -> None:
        """Keep the line discipline's modes as they are now."""
        with contextlib.suppress(termios.error, ValueError, AttributeError, OSError):
            self._modes = termios.tcgetattr(sys.__stdin__.fileno())  # type: ignore[union-attr]

    def restore(self) -> None:
        """Put everything back, if it is not."""
        if self._changed:
            self._changed = False
            reset(pictures=self.pictures)
        if self._modes is not None:
            with contextlib.suppress(termios.error, ValueError, AttributeError, OSError):
                termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, self._modes)  # type: ignore[union-attr]


GUARD: Final = Guard()  # one terminal a process


@contextlib.contextmanager
def guarded() -> Iterator[Guard]:
    """Around the whole full-screen program."""
    GUARD.remember()
    try:
        yield GUARD
    finally:
        GUARD.restore()


def end_on_signals(leave: Callable[[int], None]) -> None:
    """On a polite kill, a closed terminal or an interrupt, call `leave` with 128 + the signal's number.

    Plain handlers, and not the event loop's: they also run while the loop is busy. A loop that does not come to an end
    then is ended, with the terminal restored.
    """

    def told(number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # once is enough, and ssh's closing brings several
        watchdog = threading.Timer(PATIENCE, _end, [128 + number])
        watchdog.daemon = True
        watchdog.start()
        leave(128 + number)

    for each in SIGNALS:
        signal.signal(each, told)


def _end(code: int) -> None:
    GUARD.restore()
    os._exit(code)

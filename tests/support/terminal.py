"""A real pseudo-terminal with a program in it, and what its screen shows (through pyte).

    with Terminal(["comfytui", "--server", url], columns=80, rows=24) as terminal:
        terminal.wait_for("Queue")
        terminal.press("2")

Everything the program wrote is in `raw`, so that a test can look for sequences that a terminal
emulator swallows: titles, clipboard writes, modes left on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

import pyte

# What programs ask a terminal for, and what an xterm would say.
_ANSWERS: tuple[tuple[bytes, bytes], ...] = (
    (b"\x1b[c", b"\x1b[?62;22c"),  # what are you
    (b"\x1b[6n", b"\x1b[1;1R"),  # where is the cursor
    (b"\x1b[16t", b"\x1b[6;20;10t"),  # how large is a cell
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),  # do you know synchronized output
)
# What other terminals would say instead, or besides.
KITTY: Mapping[bytes, bytes] = {
    b"\x1b[c": b"\x1b[?62;52;c",
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\": b"\x1b_Gi=31;OK\x1b\\",
}
SIXEL: Mapping[bytes, bytes] = {b"\x1b[c": b"\x1b[?62;4;22c"}

# pyte does not know these and would print their tails: device control strings, private modes with < > =
_UNKNOWN = re.compile(rb"\x1b[P_].*?\x1b\\|\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p", re.S)
_STRING = re.compile(rb"\x1b[P_](?:(?!\x1b\\).)*\Z", re.S)  # one that has begun and not ended


def _all(question: bytes, data: bytes) -> Iterator[int]:
    at = data.find(question)
    while at >= 0:
        yield at
        at = data.find(question, at + len(question))


class Terminal:
    """A program in a pty of a given size. Use it as a context manager: leaving stops the program."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        drain: float | None = None,
        answers: bool = True,
        says: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """`drain`: bytes a second that the terminal takes, None for all it can. `answers`: it answers questions, as
        an xterm would but for `says`, answers by question."""
        self.drain = drain
        self._answers = {**dict(_ANSWERS), **(says or {})}
        self._unfed = self._undrawn = b""  # not complete; complete, and not given to the emulator, which is slow
        self.answers = answers
        self._drained_to = time.monotonic()
        self._tail = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = bytearray()
        self.exit_code: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            self._child(command, columns, rows, env or {}, cwd)
        self._set_size(columns, rows)
        self.started = time.perf_counter()

    @staticmethod
    def _child(command: Sequence[str], columns: int, rows: int, env: Mapping[str, str], cwd: str | None) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env}
        for name in (
            "COLUMNS",
            "LINES",
            "NO_COLOR",
            "TMUX",
            "STY",
            "SSH_CONNECTION",
            "SSH_TTY",
            "SSH_CLIENT",
        ):  # the test's own terminal must not show through
            if name not in env:
                environment.pop(name, None)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, rows * 20, columns * 10))
        try:
            if cwd:
                os.chdir(cwd)
            os.execvpe(command[0], list(command), environment)
        finally:
            os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, rows * 20, columns * 10))

    def read(self, timeout: float = 0.02) -> int | None:
        """Take what the program wrote; the number of bytes, 0 if nothing came, None when it has ended."""
        if (most := self._allowed(timeout)) == 0:
            return 0
        ready, _, _ = select.select([self._fd], [], [], timeout)
        if not ready:
            self._drained_to = time.monotonic()  # what is not used is not saved up
            return 0
        try:
            data = os.read(self._fd, most)
        except OSError:  # how Linux tells that the other end is closed
            return None
        if not data:
            return None
        self.raw += data
        if self.drain is not None:
            self._drained_to += len(data) / self.drain
        self._answer(data)
        data = _UNKNOWN.sub(b"", self._unfed + data)
        begun = _STRING.search(data)
        self._unfed = data[begun.start() :] if begun else b""
        self._undrawn += data[: begun.start()] if begun else data
        return len(data)

    def _allowed(self, timeout: float) -> int:
        """Bytes that may be read now, at the drain rate; waits at most `timeout` for some."""
        if self.drain is None:
            return 65536
        if (wait := self._drained_to - time.monotonic()) > 0:
            time.sleep(min(wait, timeout))
            if wait > timeout:
                return 0
        return max(1, min(65536, int(self.drain * 0.01)))  # a hundredth of a second's worth

    def _answer(self, data: bytes) -> None:
        """Answer each question once, also one that came in two pieces."""
        data = self._tail + data
        at = 0
        if self.answers:
            found = sorted(
                (place, question, answer)
                for question, answer in self._answers.items()
                for place in _all(question, data)
            )
            for place, question, answer in found:
                os.write(self._fd, answer)
                at = place + len(question)
        self._tail = data[max(at, len(data) - 60) :]

    @property
    def screen(self) -> pyte.Screen:
        """The emulator, with all that was read."""
        drawn, self._undrawn = self._undrawn, b""
        self._stream.feed(drawn)
        return self._screen

    @property
    def text(self) -> str:
        """The screen as text, without trailing blanks."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, pattern: str, timeout: float = 20) -> float:
        """Seconds since the start until `pattern` (a regular expression) is on the screen.

        Raises:
            TimeoutError: it did not appear, or the program ended; the message holds the screen.
        """
        end = time.perf_counter() + timeout
        while not re.search(pattern, self.text):
            if time.perf_counter() > end or self.read() is None:
                raise TimeoutError(f"{pattern!r} is not on the screen:\n{self.text}")
        return time.perf_counter() - self.started

    def wait_while(self, pattern: str, timeout: float = 20) -> None:
        """Wait until `pattern` has left the screen."""
        end = time.perf_counter() + timeout
        while re.search(pattern, self.text):
            if time.perf_counter() > end or self.read() is None:
                raise TimeoutError(f"{pattern!r} is still on the screen:\n{self.text}")

    def settle(self, quiet: float = 0.3, timeout: float = 20) -> None:
        """Read until nothing came for `quiet` seconds."""
        end, last = time.perf_counter() + timeout, time.perf_counter()
        while time.perf_counter() - last < quiet and time.perf_counter() < end:
            got = self.read(0.05)
            if got is None:
                return
            if got:
                last = time.perf_counter()

    def count(self, seconds: float) -> int:
        """Bytes written during that time."""
        before, end = len(self.raw), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if self.read(min(left, 0.05)) is None:
                break
        return len(self.raw) - before

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def echo(self, key: str, timeout: float = 5) -> float:
        """Seconds from a key to the first byte that follows it."""
        start = time.perf_counter()
        self.press(key)
        while not self.read(0.002):
            if time.perf_counter() - start > timeout:
                raise TimeoutError(f"nothing followed {key!r}:\n{self.text}")
        return time.perf_counter() - start

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)
        os.kill(self.pid, signal.SIGWINCH)

    def modes(self) -> int:
        """The line discipline's local flags (echo, canonical input): what must be restored at the end."""
        return int(termios.tcgetattr(self._fd)[3])

    def wait_exit(self, timeout: float = 20) -> int:
        """The exit code, once the program has ended by itself."""
        end = time.perf_counter() + timeout
        while self.exit_code is None:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0.01):
                    pass
                self.exit_code = os.waitstatus_to_exitcode(status)
            elif time.perf_counter() > end:
                raise TimeoutError(f"the program still runs:\n{self.text}")
        return self.exit_code

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def close(self) -> None:
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            try:
                self.wait_exit(10)
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.exit_code = -signal.SIGKILL
        os.close(self._fd)

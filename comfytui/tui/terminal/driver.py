"""Our terminal driver: Textual's, with output that is paced and never waited for, and answers taken out of the input."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

from textual import events
from textual._xterm_parser import XTermParser  # the one parser of keys there is; LinuxDriver is built on it too
from textual.drivers.linux_driver import LinuxDriver

from comfytui.tui.terminal import restore
from comfytui.tui.terminal.pace import Pace
from comfytui.tui.terminal.replies import Found, Replies
from comfytui.tui.terminal.shown import Shown
from comfytui.tui.terminal.writer import Writer

if TYPE_CHECKING:
    from textual.app import App
    from textual.geometry import Region
    from textual.message import Message

LAST_WORDS: Final = 3.0  # seconds that a slow terminal gets for the sequences that restore it
SYNC_START: Final = "\x1b[?2026h"  # as Textual writes them, each in a write of its own
SYNC_END: Final = "\x1b[?2026l"
DRAWING: Final = 6  # characters of the shortest drawing: a move of the cursor
LAST_ANSWER: Final = 1.5  # seconds to wait for an answer under way, which would else be typed into the shell


class PacedDriver(LinuxDriver):
    """`pace` are the books of what was written and drawn. `moved` is called, in any thread, when they change."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.pace = Pace()
        self.moved: Callable[[], None] = _nobody
        self.told: Callable[[Found], None] = _nobody_told  # answers to the questions about what the terminal can do
        self.farewell: Callable[[], list[str]] = list  # short sequences to write before the terminal is left
        self._lock = threading.RLock()
        self._writer: Writer | None = None
        self._out: int | None = None
        self._shown = Shown()
        self._sync = False
        self._suspended = False
        self.resumed: Callable[[], None] = _nobody  # called in the loop when the program goes on after a stop

    def start_application_mode(self) -> None:
        # Known before the first sequence: a signal in the first frame must find a terminal that can be restored.
        restore.GUARD.entered()
        restore.end_on_signals(self._leave)
        self._out = restore.tty()
        self.pace = Pace()
        self._shown.forget()
        self._sync = False
        # Without one of our own: the descriptor that Textual's driver would use. A write to it may block our thread.
        out = sys.__stderr__.fileno() if self._out is None and sys.__stderr__ is not None else self._out
        self._writer = Writer(2 if out is None else out, self.pace, self._lock, self._moved)
        self._writer.start()
        ready = getattr(self._app, "terminal_ready", None)
        if ready is not None:
            ready(self)
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual gives it no types
        if self._writer_thread is not None:  # Textual's own, made by the call above; it has written nothing
            self._writer_thread.stop()
            self._writer_thread = None

    def _leave(self, code: int) -> None:
        self._loop.call_soon_threadsafe(self._app.exit, code)

    def _moved(self) -> None:
        self.moved()

    # Output

    def write(self, data: str) -> None:
        """Hand over text; returns at once. Of a drawing only what changes the screen is sent."""
        if self._writer is None:
            return
        if data == SYNC_START:
            self._sync = True  # sent with the first byte that it is about, if there is one
            return
        if data == SYNC_END:
            if not self._sync:
                self._writer.write(data)
            self._sync = False
            return
        if len(data) >= DRAWING and data.startswith("\x1b[") and not data.startswith("\x1b[?"):
            data = self._shown.update(data)
        if data:
            self._writer.write(SYNC_START + data if self._sync else data)
            self._sync = False

    def forget_screen(self) -> None:
        """Somebody else may have drawn over us: what comes next is sent whole."""
        self._shown.forget()

    def forget_rows(self, first: int, last: int) -> None:
        """Lines `first` to `last` (1 is the uppermost) were drawn over: they are sent whole next time."""
        self._shown.forget_rows(first, last)

    def watch(self, key: Hashable, box: Region) -> None:
        """Have `touched` tell whether any cell of that box of the screen is sent from now on."""
        self._shown.watch(key, (box.x, box.y + 1, box.right, box.bottom))

    def unwatch(self, key: Hashable) -> None:
        self._shown.watch(key, None)

    def touched(self, key: Hashable) -> bool:
        return self._shown.touched(key)

    def ask(self) -> None:
        """Ask behind what was written, however little it is: `moved` follows when it is drawn."""
        if self._writer is not None:
            self._writer.ask()

    @property
    def behind(self) -> bool:
        """Whether more is on its way than a key should wait for."""
        with self._lock:
            return self.pace.waiting > self.pace.window

    @property
    def hung_up(self) -> bool:
        return self._writer is not None and self._writer.dead

    def stop_application_mode(self) -> None:
        if self._writer is None:
            return
        self._writer.drop_frames()
        self._await_answer()
        for sequence in self.farewell():
            self._writer.write(sequence)
        super().stop_application_mode()

    def _await_answer(self) -> None:
        """An answer that arrives after we have left would stand on the shell's command line."""
        end = time.monotonic() + LAST_ANSWER
        while self.pace.asking and not self.hung_up and time.monotonic() < end and self._reads:
            time.sleep(0.01)

    @property
    def _reads(self) -> bool:
        return self._key_thread is not None and self._key_thread.is_alive() and not self.exit_event.is_set()

    def close(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        if writer.finish(LAST_WORDS):
            restore.GUARD.left()
        if self._out is not None and not writer.is_alive():
            os.close(self._out)
            self._out = None

    # Stop and go on. Textual does both inside the signal's handler, where a lock may be held, and takes every SIGCONT
    # for the end of a stop of its own: a second thread would then read the keys.

    def _sigtstp_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._suspend)

    def _sigcont_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._resume)

    def _suspend(self) -> None:
        if self._auto_restart and not self._suspended:
            self.suspend_application_mode()
            self._suspended = self._must_signal_resume = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _resume(self) -> None:
        if self._suspended:
            self._suspended = False
            self.resume_application_mode()
        self.resumed()

    def disable_input(self) -> None:
        # Textual does this first and leaves the screen last; the answer must be read before nobody reads.
        if self._writer is not None:
            self._writer.drop_frames()
            self._await_answer()
        super().disable_input()

    # Input

    def run_input_thread(self) -> None:
        """Read keys and answers until told to stop, or until the terminal hangs up."""
        parser, replies = XTermParser(self._debug), Replies()
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            ready, _, _ = select.select([self.fileno], [], [], 0.1)
            if ready:
                try:
                    data = os.read(self.fileno, 4096)
                except OSError:
                    data = b""
                if not data:
                    self._leave(128 + 1)  # as SIGHUP would say it, where no signal comes: a pty without a session
                    return
                self._read(replies.split(decode(data)), parser)
            else:
                self._read(replies.split("", final=True), parser)
            for message in parser.tick():
                self.process_message(message)
        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(self.fileno, termios.TCIFLUSH)

    def _read(self, found: Found, parser: XTermParser) -> None:
        for _ in range(found.cursors):
            self._answered()
        if found.attributes is not None or found.cell is not None or found.graphics:
            self.told(found)
        if found.typed:
            for message in parser.feed(found.typed):
                self.process_message(message)

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.CursorPosition):  # an answer whose escape came in a read of its own
            self._answered()
            return
        if isinstance(message, (events.Resize, events.AppFocus)):
            self._shown.forget()  # terminals move and cut lines when they are resized; focus: a chance to repair
        super().process_message(message)

    def _answered(self) -> None:
        with self._lock:
            self.pace.answer(time.monotonic())
        if self._writer is not None and self.pace.waiting > 0:
            self._writer.ask_again()
        self.moved()


def _nobody() -> None:
    pass


def _nobody_told(_: Found) -> None:
    pass

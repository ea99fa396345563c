"""Asks the terminal what it can show, without the dashboard: for `doctor`. Bounded in time, and leaves no answer behind."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from typing import Final

from comfytui.tui.pictures import kitty
from comfytui.tui.terminal.protocol import FIRST_QUESTIONS, Answers
from comfytui.tui.terminal.replies import Found, Replies

SECONDS: Final = 0.3  # for all answers to one question
WHAT: Final = "\x1b[c"  # every terminal answers it, so that behind another question it ends the waiting


def asked() -> Answers | None:
    """The terminal's answers, none of them if it is silent; None if input and output are no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    try:
        fd = os.open(os.ttyname(sys.stdin.fileno()), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None
    try:
        before = termios.tcgetattr(fd)
        try:
            tty.setcbreak(fd)
            answers = _question(fd, FIRST_QUESTIONS, Answers())
            if answers.skips_strings:  # others would print it
                answers = _question(fd, kitty.QUESTION + WHAT, answers)
            return answers
        finally:
            # What comes too late would stand on the shell's command line.
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
    except termios.error:
        return Answers()
    finally:
        os.close(fd)


def _question(fd: int, question: str, answers: Answers) -> Answers:
    os.write(fd, question.encode())
    replies, end = Replies(), time.monotonic() + SECONDS
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([fd], [], [], left)
        if not ready:
            break
        data = b""
        with contextlib.suppress(OSError):
            data = os.read(fd, 4096)
        if not data:
            break
        found: Found = replies.split(data.decode("utf-8", "replace"))
        answers = answers.with_found(found)
        if found.attributes is not None:
            break
    return answers

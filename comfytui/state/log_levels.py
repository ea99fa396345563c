"""How bad a line of a server's log is: from the prefixes of Python's logging, of ComfyUI and of its custom nodes.

ComfyUI prints most lines without a level, so a line that names none has none.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Level(StrEnum):
    """As the line says it; UNTOLD for one that says nothing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"
    UNTOLD = ""


# From bad to harmless. A line without a level counts as information.
RANK = {Level.ERROR: 4, Level.WARNING: 3, Level.INFO: 2, Level.UNTOLD: 2, Level.DEBUG: 1}

TRACEBACK = "Traceback (most recent call last)"
_HEAD = 160  # characters in which a prefix is looked for
_NAMES = {
    "critical": Level.ERROR,
    "fatal": Level.ERROR,
    "error": Level.ERROR,
    "exception": Level.ERROR,
    "warning": Level.WARNING,
    "warn": Level.WARNING,
    "info": Level.INFO,
    "debug": Level.DEBUG,
}
# `ERROR:root:…`, `2026-01-01 12:00:00 [WARNING] …`, `… - INFO - …`: capitals, set off from the words around them.
_CAPITALS = re.compile(r"(?:^|[\s\[(|:<-])(CRITICAL|FATAL|ERROR|WARNING|WARN|INFO|DEBUG)(?=[\])\s:|>-]|$)")
# `Warning: …`, `[ComfyUI-Manager] Error: …`: any case, at the beginning, before a colon or in brackets.
_BEGINNING = re.compile(
    r"\W*(?:\[[^\]]{1,60}\]\W*)?[\[(]?(critical|fatal|error|exception|warning|warn|info|debug)s?\s*[\]):]",
    re.IGNORECASE,
)
_PYTHON_WARNING = re.compile(r"\b[A-Z]\w*Warning: ")
_PYTHON_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)(?::|$)")
# What ComfyUI says without a prefix.
_SAID = re.compile(
    r"!!! Exception|\(node [^)]{1,40}\) failed: |\(IMPORT FAILED\)|Cannot import |Failed to |Got an OOM|Value not in list|Error (?:while|handling|in|loading) ",
)
_NEARLY = re.compile(r"[a-z ]{0,40}\b(?:failed|crashed|cannot|could not|is missing)\b", re.IGNORECASE)


def level_of(text: str) -> Level:
    """The level of one line, whatever stands around it."""
    head = text[:_HEAD]
    if found := _CAPITALS.search(head):
        return _NAMES[found[1].lower()]
    if found := _BEGINNING.match(head):
        return _NAMES[found[1].lower()]
    if TRACEBACK in head or _PYTHON_ERROR.match(head):
        return Level.ERROR
    if _PYTHON_WARNING.search(text[:1000]):
        return Level.WARNING
    if _SAID.search(head):
        return Level.ERROR
    return Level.WARNING if _NEARLY.match(head) else Level.UNTOLD


_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


class Tracebacks:
    """Which lines of a log are one traceback: from its first line to the exception that ends it, chained ones too."""

    def __init__(self) -> None:
        self._first: int | None = None  # number of the line that began the traceback we are in
        self._last: int | None = None  # … that began the one which has just ended: another may follow in its chain

    def block(self, number: int, text: str, heading: int | None = None) -> int | None:
        """The number of the first line of the traceback that line `number` belongs to, None if it is of none.

        `heading`: the number of the line before, if that one told of an error: the traceback is about it.
        """
        if self._first is not None:
            if not text or text[0] == " " or TRACEBACK in text or text in _CHAINED:
                return self._first
            # the exception itself, `SomeError: why`; what comes after it is of the log again
            self._last, self._first = self._first, None
            return self._last
        if TRACEBACK in text[:_HEAD]:
            began = number if heading is None else heading
            self._first = began if self._last is None else self._last
            self._last = None
            return self._first
        if self._last is not None and (not text or text in _CHAINED):
            return self._last
        self._last = None
        return None

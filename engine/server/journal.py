"""The last lines of the log, kept for `/internal/logs` and sent to those who subscribed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

KEPT = 300
_MAX_LINE = 8 * 1024  # characters; a traceback with a tensor in it can have megabytes


class Entry(TypedDict):
    """A line: `t` local time in ISO 8601, `m` text that ends in a newline."""

    t: str
    m: str


class Journal(logging.Handler):
    """A log handler that remembers; the worker's lines come by `add`."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.subscribers: set[str] = set()
        self.publish: Callable[[set[str], list[Entry]], None] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.levelno >= logging.WARNING:  # an entry has no field for it, and who reads must find what is bad
                text = f"{record.levelname}: {text}"
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            self.add(text, datetime.fromtimestamp(record.created).isoformat())
        except Exception:
            self.handleError(record)  # logging's own way: a broken message must not end the program

    def add(self, text: str, time: str | None = None) -> None:
        """Remember a line, and tell the subscribers."""
        line = text.rstrip("\n")
        if len(line) > _MAX_LINE:
            line = line[:_MAX_LINE] + f" … ({len(line) - _MAX_LINE} more characters)"
        entry: Entry = {"t": time or datetime.now().isoformat(), "m": line + "\n"}
        self.entries.append(entry)
        if self.subscribers and self.publish is not None:
            self.publish(self.subscribers, [entry])

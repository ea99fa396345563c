"""Sends what the worker logs to the front, which keeps and shows it."""

from __future__ import annotations

import logging
from datetime import datetime

from engine.worker.line import Line
from engine.worker.messages import Log


class FrontHandler(logging.Handler):
    """A log handler that makes `Log` messages. Warnings of libraries come this way too."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Nobody needs the level of an ordinary line, and the module name would only push the text aside.
            text = self.format(record) if record.levelno >= logging.WARNING else record.getMessage()
            time = datetime.fromtimestamp(record.created).isoformat()
            self._line.send(Log(time, text.encode("utf-8", "replace").decode() + "\n"))
        except Exception:
            self.handleError(record)


def install(line: Line, level: str) -> None:
    """Send everything from `level` upwards to the front, instead of to the standard streams."""
    logging.basicConfig(level=level, handlers=[FrontHandler(line)], force=True)
    logging.captureWarnings(True)

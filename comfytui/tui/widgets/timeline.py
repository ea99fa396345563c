"""What happened on the server, newest last."""

from __future__ import annotations

from rich.text import Text

from comfytui.state.model import TimelineEntry
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import one_line, time_of_day

ROLES = {"failed": "failed", "done": "done", "interrupted": "warning", "gap": "warning", "connected": "accent"}


class Timeline(TextLines):
    """One line an event; it follows the newest."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, tail=True)
        self._shown: tuple[TimelineEntry, ...] | None = None

    def update(self, entries: tuple[TimelineEntry, ...]) -> None:
        """Show these events."""
        if entries is self._shown:
            return
        self._shown = entries
        palette = self.palette
        self.show(
            [
                Text.assemble(
                    (f"{time_of_day(entry.at)}  ", palette.dim),
                    (one_line(entry.text), palette.style(ROLES.get(entry.kind, "text"))),
                    no_wrap=True,
                    overflow="ellipsis",
                )
                for entry in entries
            ]
        )

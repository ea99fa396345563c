"""The lines of a log, of which thousands a second may come: drawn when they are on screen, followed or held still."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual import events

from comfytui.state.log_filter import LogFilter, spans
from comfytui.state.log_levels import Level
from comfytui.state.logs import Line, Log
from comfytui.tui.log_rows import Row, Rows
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.wording import cut

# A letter says what the colour says; a traceback goes on under its first line.
LEVELS = {
    Level.ERROR: ("E", "failed"),
    Level.WARNING: ("W", "warning"),
    Level.INFO: ("I", "text"),
    Level.DEBUG: ("D", "dim"),
    Level.UNTOLD: (" ", "text"),
}
CLOCK = 9  # cells of the time and a blank
LETTER = 2
TIMES = 64  # cells from which there is room for times
MATCH = Style(bold=True, underline=True)  # told without a colour, too


class LogLines(LineList):
    """A log with a cursor. While it follows, the cursor is on the newest line; any other move ends that."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.following = True
        self.wraps = False
        self._log = Log()
        self._rows = Rows()
        self._filter = LogFilter()
        self._by_key: dict[str, Row] = {}
        self._moving = False  # we move the cursor, not the user
        self._left_at = 0  # number of the first line that came after following ended

    @property
    def log_lines(self) -> Rows:
        return self._rows

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        row = self._by_key.get(self.key or "")
        return None if row is None else self._log.line(row.number)

    @property
    def new_below(self) -> int:
        """How many listed lines have come since it does not follow any more."""
        return 0 if self.following else self._rows.since(self._left_at)

    def update(self, log: Log, wanted: LogFilter) -> None:
        """Show a log as far as it matches."""
        if log is not self._log:
            self._log, self.following = log, True
        self._filter = wanted
        self._lay_out()

    def wrap(self, on: bool) -> None:
        self.wraps = on
        self._lay_out(anew=True)

    def follow(self, on: bool) -> None:
        self.following = on
        self._left_at = self._log.end
        if on:
            self._to_end()

    def go_to(self, number: int) -> None:
        """Put the cursor on a line."""
        if self._rows.rows:
            self.cursor = min(self._rows.place(number), len(self._rows.rows) - 1)

    def _lay_out(self, anew: bool = False) -> None:
        width = self.line_width - self._margin if self.wraps else None
        old = (self._rows.filter, self._rows.rows[0].key if self._rows.rows else "")
        here = self.line
        top = (
            self.keys[round(self.scroll_offset.y)] if self.keys and round(self.scroll_offset.y) < len(self.keys) else ""
        )
        self._rows.use(self._filter, width)
        if not self._rows.update(self._log) and not anew and self.keys:
            return
        self._by_key = {row.key: row for row in self._rows.rows}
        self._moving = True
        try:
            last = self.keys[-1] if self.keys else None
            if last is not None:
                self._drawn.pop(last, None)  # the one line that may have changed
            self.show(list(self._by_key), self._draw_row)
            if self.following:
                self._to_end()
            elif (place := self.place_of(top)) is not None and old[0] == self._filter:
                self.scroll_to(y=place, animate=False, immediate=True)  # old lines fall off: what is read stays
            elif here is not None:
                self.go_to(here.number)
        finally:
            self._moving = False

    def _to_end(self) -> None:
        before, self._moving = self._moving, True
        self.cursor = len(self.keys) - 1
        self._moving = before
        self.scroll_to_cursor()

    # Drawing

    @property
    def _margin(self) -> int:
        return LETTER + 1 + (CLOCK if self.line_width >= TIMES else 0)

    def _draw_row(self, key: str, width: int) -> Text:
        row = self._by_key.get(key)
        line = None if row is None else self._log.line(row.number)
        if row is None or line is None:
            return Text()
        letter, role = LEVELS[line.level]
        palette = self.palette
        style = palette.style(role)
        text = Text(" ", no_wrap=True)
        first = row.start == 0
        if width >= TIMES:
            text.append((line.stamp[11:19] if first else "").ljust(CLOCK), palette.dim)
        inside = line.block != line.number
        text.append(("│" if inside else letter if first else " ").ljust(LETTER), style)
        body = line.text[row.start : row.end]
        begin = text.cell_len and len(text)
        text.append(cut(body, width - text.cell_len) if not self.wraps else body, style)
        for start, end in spans(body, self._filter):
            text.stylize(MATCH, begin + start, min(begin + end, len(text)))
        return text

    # What the user does

    def watch_cursor(self, old: int, new: int) -> None:
        super().watch_cursor(old, new)
        if not self._moving:
            self._follows(new >= len(self.keys) - 1)

    def _follows(self, on: bool) -> None:
        if self.following and not on:
            self._left_at = self._log.end
        self.following = on

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self._follows(False)

    def on_resize(self) -> None:
        if self.wraps:
            self._lay_out(anew=True)
        super().on_resize()

    def shown(self) -> list[Line]:
        """The lines of which anything is on the screen."""
        numbers = dict.fromkeys(self._by_key[key].number for key in self.visible_keys() if key in self._by_key)
        return [line for number in numbers if (line := self._log.line(number)) is not None]

    def listed(self) -> list[Line]:
        """All lines that match, oldest first."""
        found = (self._log.line(row.number) for row in self._rows.rows if row.start == 0)
        return [line for line in found if line is not None]

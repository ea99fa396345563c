"""Styled text of any length in a pane: wrapped, scrolled, and redrawn only when it differs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.text import Text
from textual.binding import Binding
from textual.geometry import Size
from textual.strip import Strip

from comfytui.tui.theme import Palette
from comfytui.tui.widgets.long_view import LongView


class TextLines(LongView, can_focus=True):
    """Paragraphs from the top; with `tail`, it follows the end as a log does."""

    BINDINGS = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
        Binding("g", "scroll_home", "top", show=False),
        Binding("G", "scroll_end", "bottom", show=False),
    ]
    DEFAULT_CSS = "TextLines { height: 1fr; width: 1fr; overflow-x: hidden; }"

    def __init__(self, id: str | None = None, classes: str | None = None, tail: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self._texts: tuple[Text, ...] = ()
        self._lines: list[Text] = []
        self._wrapped: tuple[int, tuple[Text, ...]] = (0, ())  # what `_lines` were made of
        self._tail = tail

    @property
    def palette(self) -> Palette:
        palette: Palette = self.app.palette  # type: ignore[attr-defined]
        return palette

    def show(self, texts: Sequence[Text]) -> None:
        """Show these paragraphs."""
        new = tuple(texts)
        if len(new) == len(self._texts) and all(
            a == b and a.style == b.style for a, b in zip(new, self._texts, strict=True)
        ):
            return
        self._texts = new
        self._measure()

    def _wrap(self) -> bool:
        """Bring the lines to the width; False if there is none yet."""
        width = self.scrollable_content_region.width
        if width <= 0:
            return False
        if self._wrapped != (width, self._texts):
            self._wrapped = width, self._texts
            console = self.app.console
            self._lines = [row for text in self._texts for row in (text.wrap(console, width) if text.plain else [text])]
        return True

    def before_painting(self) -> None:
        self._wrap()

    def _measure(self) -> None:
        at_end = round(self.scroll_offset.y) >= self.virtual_size.height - self.size.height
        if not self._wrap():
            return
        self.virtual_size = Size(0, len(self._lines))
        if self._tail and at_end:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def on_resize(self) -> None:
        self._measure()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, sum(len(text.wrap(self.app.console, max(1, width))) for text in self._texts))

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.ink
        index = y + round(self.scroll_offset.y)
        if index >= len(self._lines):
            return Strip.blank(width, base)
        segments = self._lines[index].render(self.app.console)
        return (
            Strip([Segment(s.text.replace("\n", ""), base + s.style if s.style else base) for s in segments])
            .simplify()
            .adjust_cell_length(width, base)
        )

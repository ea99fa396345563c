"""Styled text of any length in a pane: wrapped, scrolled, and redrawn only when it differs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Size
from textual.strip import Strip

from comfytui.tui import actions
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.hanging import wrapped
from comfytui.tui.widgets.long_view import LongView


class TextLines(LongView, can_focus=True):
    """Paragraphs from the top; with `tail`, it follows the end as a log does."""

    BINDINGS = [*actions.bindings("text")]
    DEFAULT_CSS = "TextLines { height: 1fr; width: 1fr; overflow-x: hidden; }"

    def __init__(self, id: str | None = None, classes: str | None = None, tail: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self._texts: tuple[Text, ...] = ()
        self._lines: list[Text] = []
        self._wrapped: tuple[int, tuple[Text, ...]] = (0, ())  # what `_lines` were made of
        self._tail = tail
        self._words = ""  # looked for
        self._found: list[int] = []  # the lines that have them
        self._which = -1

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
            self._lines = [row for text in self._texts for row in wrapped(text, console, width)]
        return True

    def before_painting(self) -> None:
        if self._wrap() and self.virtual_size.height != len(self._lines):
            self.call_next(self._measure)  # a scrollbar that came took a column: the last lines must be reached

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

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Searching is for those who show a field to type in; on a screen, those keys are the screen's."""
        return action not in ("search", "step") and super().check_action(action, parameters)

    def action_line(self, by: int) -> None:
        self.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * max(1, self.scrollable_content_region.height - 1), animate=False)

    def action_edge(self, which: int) -> None:
        if which < 0:
            self.scroll_home(animate=False)
        else:
            self.scroll_end(animate=False)

    # Searching

    def find(self, words: str) -> int:
        """Have these words stand out, and show the first place from the top on; how many lines have them."""
        self._words = words.casefold().strip()
        lines = enumerate(self._lines) if self._words else ()
        self._found = [at for at, line in lines if self._words in line.plain.casefold()]
        top = round(self.scroll_offset.y)
        self._which = next((n for n, at in enumerate(self._found) if at >= top), 0) - 1
        self.refresh()
        self.next_found(1)
        return len(self._found)

    def next_found(self, by: int) -> int | None:
        """Show the next place (-1: the one before), around the ends; which one it is, from 1. None: there is none."""
        if not self._found:
            return None
        self._which = (self._which + by) % len(self._found)
        self.scroll_to(y=max(0, self._found[self._which] - 1), animate=False)
        return self._which + 1

    def _standing_out(self, line: Text) -> Text:
        """A line with what was looked for reversed: it is seen without colours."""
        plain, at = line.plain.casefold(), -1
        if len(plain) != len(line.plain):  # a letter whose small form is longer: places would be wrong
            return line
        line = line.copy()
        while (at := plain.find(self._words, at + 1)) >= 0:
            line.stylize("reverse", at, at + len(self._words))
        return line

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, sum(len(wrapped(text, self.app.console, max(1, width))) for text in self._texts))

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.ink
        index = y + round(self.scroll_offset.y)
        if index >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[index]
        segments = (self._standing_out(line) if self._words else line).render(self.app.console)
        return (
            Strip([Segment(s.text.replace("\n", ""), base + s.style if s.style else base) for s in segments])
            .simplify()
            .adjust_cell_length(width, base)
        )

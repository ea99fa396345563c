"""A list of any length with a cursor, drawn line by line; it redraws only lines that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from comfytui.tui import actions
from comfytui.tui.actions import LIST
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.long_view import LongView

Draw = Callable[[str, int], Text]  # key, width in cells → its line
MARK = "◆"


class LineList(LongView, can_focus=True):
    """Lines by key. The owner hands in the keys and a function that draws one line.

    The cursor stays on its key when lines come and go; when its line has gone, it stays at the same height.
    """

    BINDINGS = [*actions.bindings(LIST)]
    DEFAULT_CSS = "LineList { height: 1fr; width: 1fr; overflow-x: hidden; }"
    cursor: reactive[int] = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, lines: LineList, key: str | None) -> None:
            super().__init__()
            self.lines, self.key = lines, key

        @property
        def control(self) -> LineList:
            return self.lines

    class Opened(Message):
        """Details of a line are asked for."""

        def __init__(self, lines: LineList, key: str) -> None:
            super().__init__()
            self.lines, self.key = lines, key

        @property
        def control(self) -> LineList:
            return self.lines

    class Marked(Message):
        """Other lines are marked."""

        def __init__(self, lines: LineList) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> LineList:
            return self.lines

    can_mark: ClassVar[bool] = False  # whether `space` marks a line, for actions on several
    header_lines: ClassVar[int] = 0  # lines on top that do not scroll; see `draw_header`

    def __init__(self, id: str | None = None, classes: str | None = None, empty: str = "") -> None:
        super().__init__(id=id, classes=classes)
        self.keys: tuple[str, ...] = ()
        self._places: dict[str, int] = {}  # key → its place, so that no key press searches ten thousand
        self.marked: frozenset[str] = frozenset()
        self._draw: Draw | None = None
        self._drawn: dict[str, Text] = {}
        self._drawn_width = 0
        self._empty = empty
        self._key: str | None = None

    @property
    def key(self) -> str | None:
        """The key under the cursor."""
        return self.keys[self.cursor] if self.keys else None

    @property
    def palette(self) -> Palette:
        palette: Palette = self.app.palette  # type: ignore[attr-defined]
        return palette

    def say_empty(self, text: str) -> None:
        """What is said when there are no lines."""
        if text != self._empty:
            self._empty = text
            self.refresh()

    def show(self, keys: Sequence[str], draw: Draw) -> None:
        """Show these lines; `draw` is called for those on screen, and only what differs is sent."""
        same_order = keys is self.keys or tuple(keys) == self.keys
        if not same_order and self.marked and not self.marked.issubset(keys):
            self._mark(self.marked & set(keys))  # an action on what is gone would surprise
        self._draw = draw
        if not same_order:
            self.keys = tuple(keys)
            self._places = {key: place for place, key in enumerate(self.keys)}
            self.virtual_size = Size(0, len(self.keys) + self.header_lines)
            self._keep_cursor()
            self._drawn.clear()
            self.refresh()
            return
        old, self._drawn = self._drawn, {}  # what is out of sight is drawn anew when it comes into sight
        for key in self.visible_keys():
            new = draw(key, self._drawn_width or self.line_width)
            self._drawn[key] = new
            if not _same(old.get(key), new):
                self.refresh_key(key)

    def move_to(self, key: str) -> None:
        """Put the cursor on a key, if it is there."""
        if (place := self.place_of(key)) is not None:
            self.cursor = place

    def place_of(self, key: str | None) -> int | None:
        """Where a key stands in the list, None if it does not."""
        return None if key is None else self._places.get(key)

    @property
    def line_width(self) -> int:
        return self.scrollable_content_region.width or self.size.width

    def draw_header(self, width: int) -> list[Text]:
        """The lines on top, `header_lines` of them."""
        return []

    def _keep_cursor(self) -> None:
        place = self.place_of(self._key)
        self.set_reactive(LineList.cursor, max(0, min(self.cursor, len(self.keys) - 1) if place is None else place))
        if self.key != self._key:
            self._key = self.key
            self.post_message(self.Moved(self, self.key))
        self.scroll_to_cursor()

    def visible_keys(self) -> Sequence[str]:
        top = round(self.scroll_offset.y)
        return self.keys[top : top + self.size.height]

    def shown_places(self) -> Iterator[tuple[str, int, int]]:
        """(key, column, row) of what is on the screen, in cells of the content."""
        for row, key in enumerate(self.visible_keys()):
            yield key, 0, row + self.header_lines

    def refresh_key(self, key: str) -> None:
        y = self._places[key] - round(self.scroll_offset.y) + self.header_lines
        self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.line_width
        base = self.ink
        if y < self.header_lines:
            headers = self.draw_header(width)
            return strip_of(headers[y] if y < len(headers) else Text(), width, self)
        if not self.keys:
            said = _wrapped(self._empty, width - 2)[y - self.header_lines : y - self.header_lines + 1]
            return strip_of(Text(f" {said[0]}" if said else "", self.palette.dim), width, self)
        index = y - self.header_lines + round(self.scroll_offset.y)
        if index >= len(self.keys):
            return Strip.blank(width, base)
        return self.item_line(index, width)

    def item_line(self, index: int, width: int) -> Strip:
        """A key's line as it stands in the list: with its mark, and the cursor on it."""
        key = self.keys[index]
        strip = strip_of(self.drawn(key, width), width, self)
        if key in self.marked:
            strip = Strip.join([self.mark_sign(), strip.crop(1)])
        return self.under_cursor(strip) if index == self.cursor else strip

    def under_cursor(self, strip: Strip) -> Strip:
        """A line with the cursor on it; the colour of a state glyph stays readable, for only its background changes."""
        style = self.palette.selected if self.has_focus else self.palette.selected_elsewhere
        ink = self.ink
        return Strip([Segment(s.text, (s.style or ink) + style) for s in strip], strip.cell_length).simplify()

    def mark_sign(self) -> Strip:
        """One cell that says a line is marked; it stands where every line has a blank."""
        return Strip([Segment(MARK, self.ink + self.palette.accent)], 1)

    def clear_marks(self) -> bool:
        """Mark nothing any more; False if nothing was."""
        if not self.marked:
            return False
        self._mark(frozenset())
        return True

    def _mark(self, marked: frozenset[str]) -> None:
        changed, self.marked = self.marked ^ marked, marked
        for key in changed & set(self.visible_keys()):
            self.refresh_key(key)
        self.post_message(self.Marked(self))

    def drawn(self, key: str, width: int) -> Text:
        """A key's line, drawn if it is not yet."""
        if width != self._drawn_width:
            self._drawn.clear()
            self._drawn_width = width
        line = self._drawn.get(key)
        if line is None:
            line = self._drawn[key] = Text() if self._draw is None else self._draw(key, width)
        return line

    def forget(self) -> None:
        """Draw every line anew: the colours changed."""
        self._drawn.clear()
        self.refresh()

    def watch_cursor(self, old: int, new: int) -> None:
        if not self.keys:
            return
        self._key = self.key
        for index in (old, new):
            if index < len(self.keys):
                self.refresh_key(self.keys[index])
        self.scroll_to_cursor()
        self.post_message(self.Moved(self, self.key))

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self.keys) - 1))

    def on_focus(self) -> None:
        self._refresh_cursor()

    def on_blur(self) -> None:
        self._refresh_cursor()

    def _refresh_cursor(self) -> None:
        if (key := self.key) is not None:
            self.refresh_key(key)

    def on_resize(self) -> None:
        self.scroll_to_cursor()

    @property
    def _page(self) -> int:
        return max(1, self.size.height - self.header_lines)

    def scroll_to_cursor(self) -> None:
        top, page = round(self.scroll_offset.y), self._page
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + page:
            self.scroll_to(y=self.cursor - page + 1, animate=False, immediate=True)

    def on_click(self, event: events.Click) -> None:
        index = event.y - self.gutter.top - self.header_lines + round(self.scroll_offset.y)
        if 0 <= index < len(self.keys):
            if index == self.cursor and event.chain > 1:
                self.action_open()
            self.cursor = index

    def action_down(self) -> None:
        self.cursor += 1

    def action_up(self) -> None:
        self.cursor -= 1

    def action_top(self) -> None:
        self.cursor = 0

    def action_bottom(self) -> None:
        self.cursor = len(self.keys) - 1

    def action_page_down(self) -> None:
        self.cursor += self._page

    def action_page_up(self) -> None:
        self.cursor -= self._page

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.can_mark if action in ("mark", "mark_all") else super().check_action(action, parameters)

    def action_mark(self) -> None:
        """Mark the line, or take its mark away, and go on to the next: holding the key marks a range."""
        if (key := self.key) is not None:
            self._mark(self.marked ^ {key})
            self.cursor += 1

    def action_mark_all(self) -> None:
        everything = frozenset(self.keys)
        self._mark(frozenset() if self.marked == everything else everything)

    def action_open(self) -> None:
        if (key := self.key) is not None:
            self.post_message(self.Opened(self, key))


def _same(old: Text | None, new: Text) -> bool:
    return old is not None and old.plain == new.plain and old.spans == new.spans and old.style == new.style


def strip_of(line: Text, width: int, widget: LineList) -> Strip:
    """A line of exactly `width` cells."""
    own = widget.ink
    segments = [Segment(s.text, own + s.style if s.style else own) for s in line.render(widget.app.console)]
    return Strip([s for s in segments if s.text != "\n"]).simplify().adjust_cell_length(width, own)


def _wrapped(text: str, width: int) -> list[str]:
    """The lines of a text; one that is too long goes on below its own beginning, for its end says what to do."""
    lines: list[str] = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines += wrap(line, max(10, width), subsequent_indent=indent) or [""]
    return lines

"""Jobs as a grid of thumbnails with captions; drawn line by line, a thumbnail encoded once and off the event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from comfytui.tui.actions import LIST, bindings
from comfytui.tui.widgets.line_list import MARK, LineList, strip_of
from comfytui.tui.wording import cut

if TYPE_CHECKING:
    from comfytui.tui.pictures import Depth

NARROWEST, WIDEST = 18, 28  # cells of a thumbnail; half as many rows make it square
GAP = 2  # cells between thumbnails; the first of them holds the cursor's mark
KEPT = 300  # encoded thumbnails; some 20 KB each

Wanted = Callable[[str], "tuple[Hashable, bytes | str | None]"]  # key → what identifies its picture, and the picture


class Gallery(LineList):
    """A grid over the keys of a list: the same cursor and messages, moved in two directions.

    `wanted` gives a job's picture: bytes, or a word why there is none, or None while it is on its way.
    """

    can_mark = True
    BINDINGS = [*bindings(LIST), ("h,left", "left"), ("l,right", "right")]

    def __init__(self, wanted: Wanted, id: str | None = None, classes: str | None = None, empty: str = "") -> None:
        super().__init__(id=id, classes=classes, empty=empty)
        self._wanted = wanted
        self._thumbs: OrderedDict[tuple[Hashable, int, Depth], list[Strip]] = OrderedDict()
        self._making: set[tuple[Hashable, int, Depth]] = set()
        self._depth: Depth | None = None

    @property
    def across(self) -> int:
        """Thumbnails side by side."""
        return max(1, (self.line_width - 1) // (NARROWEST + GAP))

    @property
    def columns(self) -> int:
        """Cells of a thumbnail: together they fill the width."""
        return max(4, min(WIDEST, (self.line_width - 1) // self.across - GAP))

    @property
    def rows(self) -> int:
        return self.columns // 2

    @property
    def tall(self) -> int:
        """Lines of a thumbnail with its caption and an empty one."""
        return self.rows + 2

    def measure(self) -> None:
        self.virtual_size = Size(0, -(-len(self.keys) // self.across) * self.tall)

    def show(self, keys: Sequence[str], draw: Callable[[str, int], Text]) -> None:
        super().show(keys, draw)
        self.measure()

    def picture_came(self) -> None:
        """A picture that was on its way is here, or will not come."""
        self.refresh()

    def on_resize(self) -> None:
        self.measure()
        super().on_resize()

    def visible_keys(self) -> Sequence[str]:
        first = round(self.scroll_offset.y) // self.tall * self.across
        return self.keys[first : first + (self.size.height // self.tall + 2) * self.across]

    def refresh_key(self, key: str) -> None:
        row, column = divmod(self.keys.index(key), self.across)
        y = row * self.tall - round(self.scroll_offset.y)
        self.refresh(Region(column * (self.columns + GAP), y, self.columns + GAP, self.tall))

    def scroll_to_cursor(self) -> None:
        y, top, page = self.cursor // self.across * self.tall, round(self.scroll_offset.y), self.size.height
        if y < top:
            self.scroll_to(y=y, animate=False, immediate=True)
        elif y + self.tall - 1 > top + page:
            self.scroll_to(y=y + self.tall - 1 - page, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        if not self.keys:
            return super().render_line(y)
        width, base = self.line_width, self.rich_style
        row, inner = divmod(y + round(self.scroll_offset.y), self.tall)
        keys = self.keys[row * self.across : (row + 1) * self.across]
        cells = [self._cell(key, inner, row * self.across + place) for place, key in enumerate(keys)]
        return Strip.join(cells).adjust_cell_length(width, base)

    def _cell(self, key: str, inner: int, index: int) -> Strip:
        base, here = self.rich_style, index == self.cursor
        sign = MARK if key in self.marked and inner == 0 else "▌" if here and inner <= self.rows else " "
        mark = Segment(sign, base + self.palette.accent)
        rest = Segment(" " * (GAP - 1), base)
        if inner < self.rows:
            return Strip([mark, *self._picture_line(key, inner), rest])
        if inner == self.rows:
            caption = self.drawn(key, self.columns).copy()
            caption.truncate(self.columns, overflow="ellipsis", pad=True)
            strip = strip_of(caption, self.columns, base, self)
            if here:
                style = self.palette.selected if self.has_focus else self.palette.selected_elsewhere
                strip = Strip([Segment(s.text, (s.style or base) + style) for s in strip], self.columns)
            return Strip([mark, *strip, rest])
        return Strip([Segment(" " * (self.columns + GAP), base)])

    def _picture_line(self, key: str, inner: int) -> Strip:
        base = self.rich_style
        identity, data = self._wanted(key)
        if isinstance(data, bytes):
            lines = self._thumb(identity, data)
            if lines is not None:
                top = (self.rows - len(lines)) // 2
                line = lines[inner - top] if 0 <= inner - top < len(lines) else Strip([])
                left = (self.columns - line.cell_length) // 2
                return Strip(
                    [
                        Segment(" " * left, base),
                        *[Segment(s.text, base + s.style if s.style else base) for s in line],
                        Segment(" " * (self.columns - left - line.cell_length), base),
                    ]
                )
            data = None
        edge = self.palette.border
        if inner in (0, self.rows - 1):
            corners = "╭╮" if inner == 0 else "╰╯"
            return Strip([Segment(corners[0] + "─" * (self.columns - 2) + corners[1], base + edge)])
        said = cut(data or "", self.columns - 2) if inner == self.rows // 2 else ""
        text = Text(said, self.palette.dim, no_wrap=True)
        text.align("center", self.columns - 2)
        side = Segment("│", base + edge)
        return Strip([side, *strip_of(text, self.columns - 2, base, self), side])

    def _thumb(self, identity: Hashable, data: bytes) -> list[Strip] | None:
        from comfytui.tui.pictures import depth_of_terminal

        if self._depth is None:
            self._depth = depth_of_terminal(
                self.app.console.color_system,
                no_color=self.app.no_color,
                images=getattr(self.app, "images", "auto"),
            )
        slot = (identity, self.columns, self._depth)
        found = self._thumbs.get(slot)
        if found is not None:
            self._thumbs.move_to_end(slot)
        elif slot not in self._making:
            self._making.add(slot)
            self.run_worker(self._make(slot, data), name="thumbnail", group="thumbnails")
        return found

    async def _make(self, slot: tuple[Hashable, int, Depth], data: bytes) -> None:
        try:
            lines = await asyncio.to_thread(_encode, data, slot[1], slot[2])
        finally:
            self._making.discard(slot)
        self._thumbs[slot] = lines
        while len(self._thumbs) > KEPT:
            self._thumbs.popitem(last=False)
        self.picture_came()

    def on_click(self, event: events.Click) -> None:
        column = (event.x - self.gutter.left) // (self.columns + GAP)
        row = (event.y - self.gutter.top + round(self.scroll_offset.y)) // self.tall
        index = row * self.across + column
        if column < self.across and 0 <= index < len(self.keys):
            if index == self.cursor and event.chain > 1:
                self.action_open()
            self.cursor = index

    def action_left(self) -> None:
        self.cursor -= 1

    def action_right(self) -> None:
        self.cursor += 1

    def action_down(self) -> None:
        self.cursor += self.across

    def action_up(self) -> None:
        if self.cursor >= self.across:
            self.cursor -= self.across

    def action_page_down(self) -> None:
        self.cursor += self.across * max(1, self.size.height // self.tall)

    def action_page_up(self) -> None:
        self.cursor -= self.across * max(1, self.size.height // self.tall)


def _encode(data: bytes, columns: int, depth: Depth) -> list[Strip]:
    """A thumbnail's lines; none if it is no picture (its frame stays empty). Runs in a thread."""
    from comfytui.tui.pictures import PictureError, decode, render

    try:
        return render(decode(data, longest=256), columns, columns // 2, depth).lines
    except PictureError as error:
        return [Strip([Segment(cut(str(error), columns), Style(dim=True))])]

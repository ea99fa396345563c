"""A list whose items may be several lines high, stand side by side, and come in titled groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from comfytui.tui.widgets.line_list import Draw, LineList, strip_of
from comfytui.tui.widgets.sections import Layout, Row, Section
from comfytui.tui.wording import cut, one_line


class GridList(LineList):
    """Subclasses say how large an item is (`across`, `tall`, `cell_width`) and draw one of its lines (`cell`)."""

    can_mark: ClassVar[bool] = True

    def __init__(self, id: str | None = None, classes: str | None = None, empty: str = "") -> None:
        super().__init__(id=id, classes=classes, empty=empty)
        self._sections: tuple[Section, ...] = ()
        self._layout_of_items = Layout(())

    @property
    def across(self) -> int:
        """Items side by side."""
        return 1

    @property
    def tall(self) -> int:
        """Lines of an item."""
        return 1

    @property
    def cell_width(self) -> int:
        """Cells of an item with the gap after it."""
        return self.line_width

    def cell(self, key: str, inner: int, index: int) -> Strip:
        """Line `inner` of an item, `cell_width` cells wide."""
        raise NotImplementedError

    # What is shown

    def show(self, keys: Sequence[str], draw: Draw, sections: Sequence[Section] = ()) -> None:
        """As a list's; `sections` are the groups in which the keys come, none for one without a title."""
        wanted = tuple(sections)
        regrouped = wanted != self._sections
        self._sections = wanted
        if regrouped or (keys is not self.keys and tuple(keys) != self.keys):
            self._layout_of_items = self._arranged(len(keys))
        super().show(keys, draw)
        self.virtual_size = Size(0, self._layout_of_items.height + self.header_lines)
        if regrouped:
            self.scroll_to_cursor()
            self.refresh()

    def _arranged(self, count: int) -> Layout:
        return Layout(self._sections or [Section("", count)], self.across, self.tall)

    def _rearrange(self) -> bool:
        """Follow the size of an item, which may have changed; whether it has."""
        layout = self._layout_of_items
        if (layout.across, layout.tall) == (self.across, self.tall) and layout.count == len(self.keys):
            return False
        self._layout_of_items = self._arranged(len(self.keys))
        return True

    def before_painting(self) -> None:
        self._rearrange()

    def measure(self) -> None:
        """The size of an item may have changed."""
        if self._rearrange():
            self.refresh()
        self.virtual_size = Size(0, self._layout_of_items.height + self.header_lines)

    @property
    def _top(self) -> int:
        return round(self.scroll_offset.y)

    def visible_keys(self) -> Sequence[str]:
        first, end = self._layout_of_items.between(self._top, self._top + self._page)
        return self.keys[first:end]

    def shown_places(self) -> Iterator[tuple[str, int, int]]:
        for key in self.visible_keys():
            y, column = self._layout_of_items.place(self._places[key])
            if (row := y - self._top) >= 0:
                yield key, column * self.cell_width, row + self.header_lines

    def refresh_key(self, key: str) -> None:
        y, column = self._layout_of_items.place(self._places[key])
        y += self.header_lines - self._top
        if self.header_lines - self.tall < y < self.size.height:
            self.refresh(Region(column * self.cell_width, max(self.header_lines, y), self.cell_width, self.tall))

    def render_line(self, y: int) -> Strip:
        found = self._layout_of_items.at(y - self.header_lines + self._top) if y >= self.header_lines else None
        if not self.keys or y < self.header_lines:
            return super().render_line(y)
        if isinstance(found, Section):
            return self._title(found)
        if not isinstance(found, Row):
            return Strip.blank(self.line_width, self.ink)
        first = found.first
        cells = [self.cell(self.keys[i], found.inner, i) for i in range(first, first + found.count)]
        return Strip.join(cells).adjust_cell_length(self.line_width, self.ink)

    def _title(self, section: Section) -> Strip:
        count = f" {section.count:,} "
        name = cut(one_line(section.title), self.line_width - len(count) - 6)
        text = Text.assemble(("── ", self.palette.border), (name, self.palette.accent), (count, self.palette.dim))
        text.append("─" * max(0, self.line_width - text.cell_len), self.palette.border)
        return strip_of(text, self.line_width, self)

    # Moving

    def on_resize(self) -> None:
        self.measure()
        super().on_resize()

    def scroll_to_cursor(self) -> None:
        if not self.keys:
            return
        layout = self._layout_of_items
        if layout.count != len(self.keys):
            return  # in the middle of a change; whoever changes it comes again
        y, top = layout.place(self.cursor)[0], self._top
        wanted = layout.top_of(self.cursor)
        if wanted < top:
            self.scroll_to(y=wanted, animate=False, immediate=True)
        elif y + self.tall > top + self._page:
            # the empty last line of an item need not be seen
            self.scroll_to(y=y + max(1, self.tall - 1) - self._page, animate=False, immediate=True)

    def on_click(self, event: events.Click) -> None:
        found = self._layout_of_items.at(event.y - self.gutter.top - self.header_lines + self._top)
        column = (event.x - self.gutter.left) // self.cell_width
        if isinstance(found, Row) and column < found.count:
            index = found.first + column
            if index == self.cursor and event.chain > 1:
                self.action_open()
            self.cursor = index

    def action_down(self) -> None:
        if self.keys:
            self.cursor = self._layout_of_items.below(self.cursor)

    def action_up(self) -> None:
        if self.keys:
            self.cursor = self._layout_of_items.above(self.cursor)

    def _leaf(self, by: int) -> None:
        if self.keys:
            lines = max(1, self._page // self.tall) * self.tall
            self.cursor = self._layout_of_items.away(self.cursor, by * lines)

    def action_page_down(self) -> None:
        self._leaf(1)

    def action_page_up(self) -> None:
        self._leaf(-1)

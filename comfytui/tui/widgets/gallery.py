"""Jobs as a grid of thumbnails with captions; drawn line by line, a thumbnail encoded once and off the event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from comfytui.tui.actions import LIST, bindings
from comfytui.tui.widgets.grid_list import GridList
from comfytui.tui.widgets.line_list import MARK, Draw, strip_of
from comfytui.tui.widgets.sections import Section
from comfytui.tui.wording import cut

if TYPE_CHECKING:
    from comfytui.tui.pictures import Depth

NARROWEST, WIDEST = 18, 28  # cells of a thumbnail; half as many rows make it square
GAP = 2  # cells between thumbnails; the first of them holds the cursor's mark
KEPT = 300  # encoded thumbnails; some 20 KB each

Slot = tuple[Hashable, int, int, "Depth"]  # a thumbnail: of what, columns, rows, colours
Face = tuple[
    Hashable, "bytes | str | None"
]  # what identifies a picture; and its bytes, why there are none, or None yet
Wanted = Callable[[str], Face]  # by key
Seen = Callable[[Sequence[str]], None]  # the keys on screen, when they have changed


class Gallery(GridList):
    """A grid over the keys of a list: the same cursor and messages, moved in two directions.

    `wanted` gives a job's picture: bytes, or a word why there is none, or None while it is on its way. `seen` is told
    which keys are on screen, so that what has been scrolled away need not be fetched any more.
    """

    BINDINGS = [*bindings("gallery"), *bindings(LIST)]  # `l` is the picture on the right before it is "open"

    def __init__(
        self,
        wanted: Wanted,
        seen: Seen | None = None,
        id: str | None = None,
        classes: str | None = None,
        empty: str = "",
    ) -> None:
        super().__init__(id=id, classes=classes, empty=empty)
        self._wanted, self._seen = wanted, seen
        self._on_screen: tuple[str, ...] = ()
        self._faces: dict[str, Face] = {}  # of those on screen: a thumbnail's dozen lines ask once
        self._thumbs: OrderedDict[Slot, list[Strip]] = OrderedDict()
        self._making: set[Slot] = set()
        self._depth: Depth | None = None
        self._box = WIDEST, WIDEST // 2  # columns and rows of a thumbnail while lines are rendered

    @property
    def across(self) -> int:
        """Thumbnails side by side."""
        return max(1, (self.line_width - 1) // (NARROWEST + GAP))

    @property
    def columns(self) -> int:
        """Cells of a thumbnail: together they fill the width."""
        return max(4, min(WIDEST, (self.line_width - 1) // self.across - GAP))

    @property
    def cell_width(self) -> int:
        return self.columns + GAP

    @property
    def rows(self) -> int:
        """Lines of a thumbnail: half its cells make it square; fewer if the list, or what a title leaves, is not as high."""
        return max(2, min(self.columns // 2, (self.size.height or 99) - 1 - bool(self._sections)))

    @property
    def tall(self) -> int:
        """Lines of a thumbnail with its caption and an empty one."""
        return self.rows + 2

    def show(self, keys: Sequence[str], draw: Draw, sections: Sequence[Section] = ()) -> None:
        self._faces.clear()
        super().show(keys, draw, sections)

    def picture_came(self) -> None:
        """A picture that was on its way is here, or will not come."""
        for key in self.visible_keys():
            before = self._faces.pop(key, None)
            if before is None or self._face(key) != before:
                self.refresh_key(key)

    def forget(self) -> None:
        self._faces.clear()
        super().forget()

    def before_painting(self) -> None:
        super().before_painting()
        self._box = self.columns, self.rows  # dear to ask for, and asked for in each cell
        visible = tuple(self.visible_keys())
        if visible != self._on_screen:
            self._on_screen = visible
            self._faces.clear()
            if self._seen is not None:
                self._seen(visible)

    def cell(self, key: str, inner: int, index: int) -> Strip:
        base, here = self.ink, index == self.cursor
        sign = MARK if key in self.marked and inner == 0 else "▌" if here and inner <= self._box[1] else " "
        mark = Segment(sign, base + self.palette.accent)
        rest = Segment(" " * (GAP - 1), base)
        if inner < self._box[1]:
            return Strip([mark, *self._picture_line(key, inner), rest])
        if inner == self._box[1]:
            caption = self.drawn(key, self._box[0]).copy()
            caption.truncate(self._box[0], overflow="ellipsis", pad=True)
            strip = strip_of(caption, self._box[0], self)
            if here:
                strip = self.under_cursor(strip)
            return Strip([mark, *strip, rest])
        return Strip([Segment(" " * (self._box[0] + GAP), base)])

    def _face(self, key: str) -> Face:
        found = self._faces.get(key)
        if found is None:
            found = self._faces[key] = self._wanted(key)
        return found

    def _picture_line(self, key: str, inner: int) -> Strip:
        base = self.ink
        identity, data = self._face(key)
        if isinstance(data, bytes):
            lines = self._thumb(identity, data)
            if lines is not None:
                top = (self._box[1] - len(lines)) // 2
                line = lines[inner - top] if 0 <= inner - top < len(lines) else Strip([])
                left = (self._box[0] - line.cell_length) // 2
                return Strip(
                    [
                        Segment(" " * left, base),
                        *[Segment(s.text, base + s.style if s.style else base) for s in line],
                        Segment(" " * (self._box[0] - left - line.cell_length), base),
                    ]
                )
            data = None
        edge, width = base + self.palette.border, self._box[0] - 2
        if inner in (0, self._box[1] - 1):
            corners = "╭╮" if inner == 0 else "╰╯"
            return Strip([Segment(corners[0] + "─" * width + corners[1], edge)], width + 2)
        said = cut(data or "", width) if inner == self._box[1] // 2 else ""
        left = (width - cell_len(said)) // 2
        text = " " * left + said + " " * (width - left - cell_len(said))
        return Strip([Segment("│", edge), Segment(text, base + self.palette.dim), Segment("│", edge)], width + 2)

    def _thumb(self, identity: Hashable, data: bytes) -> list[Strip] | None:
        from comfytui.tui.pictures import depth_of_terminal

        if self._depth is None:
            self._depth = depth_of_terminal(
                self.app.console.color_system,
                no_color=self.app.no_color,
                images=getattr(self.app, "images", "auto"),
            )
        slot = (identity, *self._box, self._depth)
        found = self._thumbs.get(slot)
        if found is not None:
            self._thumbs.move_to_end(slot)
        elif slot not in self._making:
            self._making.add(slot)
            self.run_worker(self._make(slot, data), name="thumbnail", group="thumbnails")
        return found

    async def _make(self, slot: Slot, data: bytes) -> None:
        try:
            lines = await asyncio.to_thread(_encode, data, *slot[1:])
        finally:
            self._making.discard(slot)
        self._thumbs[slot] = lines
        while len(self._thumbs) > KEPT:
            self._thumbs.popitem(last=False)
        for key in self.visible_keys():
            if self._face(key)[0] == slot[0]:
                self.refresh_key(key)

    def action_left(self) -> None:
        self.cursor -= 1

    def action_right(self) -> None:
        self.cursor += 1


def _encode(data: bytes, columns: int, rows: int, depth: Depth) -> list[Strip]:
    """A thumbnail's lines; none if it is no picture (its frame stays empty). Runs in a thread."""
    from comfytui.tui.pictures import PictureError, decode, render

    try:
        return render(decode(data, longest=256), columns, rows, depth).lines
    except PictureError as error:
        return [Strip([Segment(cut(str(error), columns), Style(dim=True))])]

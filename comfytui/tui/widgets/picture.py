"""A picture in a box of cells: decoded and encoded in a thread, sent as the link allows, only where it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from comfytui.tui.pictures import (
    Depth,
    Difference,
    Drawn,
    Fit,
    Grid,
    PictureError,
    decode,
    depth_of_terminal,
    difference,
    fit_cells,
    price,
    render,
)
from comfytui.tui.terminal.pace import Plan, plan
from comfytui.tui.wording import cut

if TYPE_CHECKING:
    from PIL import Image
    from rich.style import Style
    from textual import events
    from textual.app import RenderResult

    from comfytui.tui.terminal.graphics import Graphics
    from comfytui.tui.terminal.link import Link

STILL = 2  # a picture that stays may cost so many times what a preview may: it is sent once, and in slices


class Picture(Widget):
    """Shows encoded picture bytes, as large as its box and the link allow.

    `show(data, key)` returns at once. While one picture is being drawn, newer ones replace each other, so a stream of
    previews never queues up; the picture on screen stays until the next one is ready. Pictures of a stream
    (`moving=True`) also wait for the link: on a slow one they come seldom, smaller and coarser, and a key never waits
    for more than a slice of one.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"picture--reason"}
    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; }
    Picture > .picture--reason { color: $text-muted; }
    """

    def __init__(
        self,
        placeholder: str = "",
        *,
        fit: Fit = Fit.CONTAIN,
        depth: Depth | None = None,
        budget: int | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`placeholder` is said while there is no picture; `depth` None asks the terminal; `budget` in bytes, None asks
        the link."""
        super().__init__(id=id, classes=classes)
        self._placeholder = placeholder
        self._fit = fit
        self._fixed_depth = depth
        self._budget = budget
        self._key: Hashable = None
        self._moving = False
        self._serial = 0  # grows with each picture asked for
        self._data: bytes | None = None  # encoded, waiting to be decoded
        self._image: Image.Image | None = None
        self._reason = placeholder
        self._lines: list[Strip] = []  # as they are shown
        self._price = 0  # bytes of all of them
        self._cells: Grid = []  # of `_lines`, once all of them are
        self._ink: Style | None = None  # while lines are rendered
        self._stale = False  # what is wanted differs from what `_lines` shows
        self._drawing = False
        self._drawn_for = Size(0, 0)
        self._last = -1e9  # when a picture of a stream was last sent

    @property
    def key(self) -> Hashable:
        """The key of the picture that was asked for last, None without one."""
        return self._key

    @property
    def reason(self) -> str:
        """What is said in the picture's place; empty while one is shown."""
        return self._reason

    def show(self, data: bytes, key: Hashable, moving: bool = False) -> None:
        """Show encoded bytes; the same `key` again is free. None is no key: see `clear`.

        `moving`: it is one of a stream, and may be left out for a newer one.
        """
        if key == self._key:
            return
        self._uncover()
        self._key, self._data, self._moving = key, data, moving
        self._serial += 1
        self._want()

    def clear(self, placeholder: str | None = None) -> None:
        """Show no picture, and say why (default: the placeholder that the widget was made with)."""
        self._uncover()
        self._key = self._data = self._image = None
        self._serial += 1
        self._stale = False
        self._put_all([], self._placeholder if placeholder is None else placeholder)

    def redraw(self) -> None:
        """Encode again, for a box or a setting that changed."""
        if self._key is not None:
            self._uncover()
            self._want()

    def on_mount(self) -> None:
        if self._stale:
            self._want()

    def on_resize(self, _: events.Resize) -> None:
        if self.size != self._drawn_for or self._stale:  # a widget that is shown again is told its old size
            self.redraw()

    def on_hide(self) -> None:
        # What is shown again is repainted whole, before we are asked. On a slow link it starts empty, and is sent in
        # slices, so that the screen that was asked for does not wait for its picture.
        if self._lines and self._price > self._plan.slice:
            self._lines, self._cells = [], []
            self._uncover()

    def on_show(self) -> None:
        if not self._lines:
            self.redraw()

    def _want(self) -> None:
        self._stale = True
        if self.is_mounted and self.size.area and not self._drawing:
            self._drawing = True
            self.run_worker(self._draw(), name="picture", group="picture", exit_on_error=True)

    async def _draw(self) -> None:
        """Draw until nothing newer was asked for."""
        try:
            while self._stale and self.size.area:
                if self._moving:
                    await self._turn()
                self._stale, self._drawn_for = False, self.size
                serial, data, moving = self._serial, self._data, self._moving
                before = _Shown(tuple(self._lines), self._cells if moving else None)
                drawn = await asyncio.to_thread(_make, self._image if data is None else data, self._box(), before)
                if self._key is None:  # cleared meanwhile
                    continue
                if serial == self._serial and drawn.image is not None:
                    self._image, self._data = drawn.image, None  # decoded: a resize only encodes again
                # Shown even when a newer one already waits: under a stream faster than we draw it must still move.
                await self._put(drawn)
                if not moving and serial == self._serial and not self._stale:
                    await self._lay_pixels(drawn)
        finally:
            self._drawing = False

    # The link

    @property
    def _link(self) -> Link | None:
        return getattr(self.app, "link", None)

    @property
    def _plan(self) -> Plan:
        return plan(None) if self._link is None else self._link.plan

    async def _turn(self) -> None:
        """Wait until a picture of a stream may be sent; what replaces it meanwhile need not wait."""
        loop = asyncio.get_running_loop()
        # In steps: a still picture may come meanwhile, and does not wait.
        while self._moving and (left := self._last + self._plan.pause - loop.time()) > 0:  # noqa: ASYNC110 - a clock
            await asyncio.sleep(min(left, 0.25))
        await self._clear_link()
        self._last = loop.time()

    async def _clear_link(self) -> None:
        if self._link is not None:
            await self._link.drained()

    # Real pixels over the cells, where the terminal has them

    @property
    def _graphics(self) -> Graphics | None:
        return getattr(self.app, "graphics", None)

    async def _lay_pixels(self, drawn: _Made) -> None:
        graphics, lines, image = self._graphics, drawn.lines, drawn.image
        if graphics is None or image is None or self._fit is not Fit.CONTAIN or not lines or not self._fits(lines):
            return
        left, top = self._place(lines)
        await graphics.lay(self, image, Region(left, top, lines[0].cell_length, len(lines)))

    def _uncover(self) -> None:
        if self._graphics is not None:
            self._graphics.drop(self)

    def _box(self) -> _Box:
        now, (columns, rows) = self._plan, self.size
        budget = self._budget
        if budget is None:
            budget = now.picture if self._moving else now.picture * STILL
        return _Box(columns, rows, self._depth(), self._fit, budget, now if self._moving else None)

    def _depth(self) -> Depth:
        if self._fixed_depth is not None:
            return self._fixed_depth
        app = self.app
        return depth_of_terminal(app.console.color_system, no_color=app.no_color, images=getattr(app, "images", "auto"))

    # What is shown

    async def _put(self, drawn: _Made) -> None:
        """Take new lines and have them painted where they differ, no more at once than the link takes at once."""
        lines = drawn.lines
        if not self._fits(lines):
            first = [Strip.blank(line.cell_length, self.rich_style) for line in lines]
            self._price = drawn.price
            if drawn.price <= self._plan.slice:
                self._put_all(lines, drawn.reason)
                self._cells = drawn.cells
                return
            self._put_all(first, drawn.reason)
        self._cells = []  # neither the old nor the new until all is sent
        self._reason, self._price = drawn.reason, drawn.price
        regions: list[Region] = []
        serial, at, cost = self._serial, self._plan.slice, 0
        for y, line in enumerate(lines):
            if not self._fits(lines):  # another size, or cleared, while a slice was on its way
                return
            start, end, more = drawn.difference(y, self._lines[y])
            if start == end:
                continue
            if regions and cost + more > at:
                self.refresh(*regions)
                regions, cost = [], 0
                await self._sent()
                if not self._fits(lines) or (serial != self._serial and not self._moving):
                    return  # a still one that is not wanted any more; one of a stream is finished, or none ever is
            self._lines[y] = line
            left, top = self._place(lines)
            regions.append(Region(left + start, top + y, end - start, 1))
            cost += more
        self._cells = drawn.cells
        if regions:
            self.refresh(*regions)

    async def _sent(self) -> None:
        """Wait until the last slice was composed and drained."""
        composed = asyncio.Event()
        self.call_after_refresh(composed.set)
        await composed.wait()
        await self._clear_link()

    def _fits(self, lines: list[Strip]) -> bool:
        """Whether `lines` have the size of what is shown."""
        return _alike(self._lines, lines)

    def _place(self, lines: list[Strip]) -> tuple[int, int]:
        """Where the lines stand in the box: column, row."""
        return max(0, self.size.width - lines[0].cell_length) // 2, (self.size.height - len(lines)) // 2

    def _put_all(self, lines: list[Strip], reason: str) -> None:
        """Take new lines of any size, painted whole."""
        self._cells = []
        if (lines, reason) != (self._lines, self._reason):
            self._lines, self._reason = lines, reason
            self.refresh()

    def render(self) -> RenderResult:
        return self._reason  # only for what measures or copies the widget; the screen comes from render_line

    def render_lines(self, crop: Region) -> list[Strip]:
        self._ink = self.rich_style  # once: it walks all the styles of all ancestors
        try:
            return super().render_lines(crop)
        finally:
            self._ink = None

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        base = self.rich_style if self._ink is None else self._ink
        lines = self._lines
        if lines and len(lines) <= height and lines[0].cell_length <= width:
            row = y - (height - len(lines)) // 2
            if not 0 <= row < len(lines):
                return Strip.blank(width, base)
            line = lines[row]
            # Shades come without a style; coloured cells need none of ours, and combining thousands of styles is slow.
            return _centred(line.apply_style(base) if _plain(line) else line, width, base)
        if self._reason and y == height // 2:
            style = self.get_component_rich_style("picture--reason", partial=True)
            text = cut(self._reason, width)
            return _centred(Strip([Segment(text, base + style)]), width, base)
        return Strip.blank(width, base)


class _Box(NamedTuple):
    """What a picture is drawn for."""

    cols: int
    rows: int
    depth: Depth
    fit: Fit
    budget: int | None
    plan: Plan | None  # of a stream: what the link takes decides the size too


class _Shown(NamedTuple):
    """What is on the screen while a picture is drawn."""

    lines: tuple[Strip, ...]
    cells: Grid | None  # of a stream: cells that hardly change are kept


class _Made(NamedTuple):
    """What came out: lines, or the reason why there are none; and how they differ from what was shown then."""

    image: Image.Image | None
    lines: list[Strip]
    cells: Grid
    reason: str
    price: int = 0  # bytes of all lines
    before: tuple[Strip, ...] = ()
    differences: tuple[Difference, ...] = ()

    def difference(self, y: int, shown: Strip) -> Difference:
        """How line `y` differs from the one that is shown now; worked out again only if that is another one since."""
        if y < len(self.differences) and self.before[y] is shown:
            return self.differences[y]
        return difference(shown, self.lines[y])


def _make(source: bytes | Image.Image | None, box: _Box, before: _Shown) -> _Made:
    """Decode if it is not decoded yet, encode, and compare with what is shown. Runs in a thread: all of it is slow."""
    try:
        image = decode(source or b"") if source is None or isinstance(source, bytes) else source
    except PictureError as error:
        return _Made(None, [], [], str(error))
    columns, rows = box.cols, box.rows
    if box.plan is not None and box.fit is Fit.CONTAIN:
        columns, rows = box.plan.cells(*fit_cells(*image.size, columns, rows))
    drawn: Drawn = render(image, columns, rows, box.depth, fit=box.fit, budget=box.budget, before=before.cells)
    reason = "" if drawn.lines else f"picture {image.width}×{image.height} (pictures are off)"
    pairs = zip(before.lines, drawn.lines, strict=False)
    differences = tuple(difference(was, now) for was, now in pairs) if _alike(before.lines, drawn.lines) else ()
    return _Made(image, drawn.lines, drawn.cells, reason, sum(map(price, drawn.lines)), before.lines, differences)


def _alike(some: Sequence[Strip], others: Sequence[Strip]) -> bool:
    """Whether pictures have the same size, and any."""
    return bool(others) and len(some) == len(others) and some[0].cell_length == others[0].cell_length


def _plain(strip: Strip) -> bool:
    return all(segment.style is None for segment in strip)


def _centred(strip: Strip, width: int, style: Style) -> Strip:
    left = max(0, width - strip.cell_length) // 2
    right = max(0, width - strip.cell_length) - left
    return Strip([Segment(" " * left, style), *strip, Segment(" " * right, style)], width)

"""A picture in a box of cells: decoded and encoded in a thread, drawn line by line, redrawn only where it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from comfytui.tui.pictures import Depth, Fit, PictureError, decode, depth_of_terminal, render
from comfytui.tui.wording import cut

if TYPE_CHECKING:
    from PIL import Image
    from rich.style import Style
    from textual import events
    from textual.app import RenderResult


class Picture(Widget):
    """Shows encoded picture bytes, as large as its box allows.

    `show(data, key)` returns at once. While one picture is being drawn, newer ones replace each other, so a stream of
    previews never queues up; the picture on screen stays until the next one is ready.
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
        """`placeholder` is said while there is no picture; `depth` None asks the terminal; `budget` in bytes."""
        super().__init__(id=id, classes=classes)
        self._placeholder = placeholder
        self._fit = fit
        self._fixed_depth = depth
        self._budget = budget
        self._key: Hashable = None
        self._serial = 0  # grows with each picture asked for
        self._data: bytes | None = None  # encoded, waiting to be decoded
        self._image: Image.Image | None = None
        self._reason = placeholder
        self._lines: list[Strip] = []
        self._stale = False  # what is wanted differs from what `_lines` shows
        self._drawing = False

    @property
    def key(self) -> Hashable:
        """The key of the picture that was asked for last, None without one."""
        return self._key

    @property
    def reason(self) -> str:
        """What is said in the picture's place; empty while one is shown."""
        return self._reason

    def show(self, data: bytes, key: Hashable) -> None:
        """Show encoded bytes; the same `key` again is free. None is no key: see `clear`."""
        if key == self._key:
            return
        self._key, self._data = key, data
        self._serial += 1
        self._want()

    def clear(self, placeholder: str | None = None) -> None:
        """Show no picture, and say why (default: the placeholder that the widget was made with)."""
        self._key = self._data = self._image = None
        self._serial += 1
        self._stale = False
        self._put([], self._placeholder if placeholder is None else placeholder)

    def redraw(self) -> None:
        """Encode again, for a box or a setting that changed."""
        if self._key is not None:
            self._want()

    def on_mount(self) -> None:
        if self._stale:
            self._want()

    def on_resize(self, _: events.Resize) -> None:
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
                self._stale = False
                serial, data = self._serial, self._data
                drawn = await asyncio.to_thread(_make, self._image if data is None else data, self._box())
                if self._key is None:  # cleared meanwhile
                    continue
                if serial == self._serial and drawn.image is not None:
                    self._image, self._data = drawn.image, None  # decoded: a resize only encodes again
                # Shown even when a newer one already waits: under a stream faster than we draw it must still move.
                self._put(drawn.lines, drawn.reason)
        finally:
            self._drawing = False

    def _box(self) -> _Box:
        return _Box(*self.size, self._depth(), self._fit, self._budget)

    def _depth(self) -> Depth:
        if self._fixed_depth is not None:
            return self._fixed_depth
        app = self.app
        return depth_of_terminal(app.console.color_system, no_color=app.no_color, images=getattr(app, "images", "auto"))

    def _put(self, lines: list[Strip], reason: str) -> None:
        """Take new lines, and ask for a repaint of those that differ."""
        if lines and len(lines) == len(self._lines) and lines[0].cell_length == self._lines[0].cell_length:
            top = (self.size.height - len(lines)) // 2
            changed = [
                Region(0, top + y, self.size.width, 1)
                for y, (new, old) in enumerate(zip(lines, self._lines, strict=True))
                if new != old
            ]
            self._lines, self._reason = lines, reason
            if changed:
                self.refresh(*changed)
        elif (lines, reason) != (self._lines, self._reason):
            self._lines, self._reason = lines, reason
            self.refresh()

    def render(self) -> RenderResult:
        return self._reason  # only for what measures or copies the widget; the screen comes from render_line

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        base = self.rich_style
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


class _Drawn(NamedTuple):
    """What came out: lines, or the reason why there are none."""

    image: Image.Image | None
    lines: list[Strip]
    reason: str


def _make(source: bytes | Image.Image | None, box: _Box) -> _Drawn:
    """Decode if it is not decoded yet, then encode. Runs in a thread."""
    try:
        image = decode(source or b"") if source is None or isinstance(source, bytes) else source
    except PictureError as error:
        return _Drawn(None, [], str(error))
    lines = render(image, box.cols, box.rows, box.depth, fit=box.fit, budget=box.budget)
    return _Drawn(image, lines, "" if lines else f"picture {image.width}×{image.height} (pictures are off)")


def _plain(strip: Strip) -> bool:
    return all(segment.style is None for segment in strip)


def _centred(strip: Strip, width: int, style: Style) -> Strip:
    left = max(0, width - strip.cell_length) // 2
    right = max(0, width - strip.cell_length) - left
    return Strip([Segment(" " * left, style), *strip, Segment(" " * right, style)], width)

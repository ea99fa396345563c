"""Pictures of real pixels that lie over the half blocks of the same pictures, where the terminal can show them.

The half blocks stay under them. So whatever comes over a picture (a dialog, a message) only takes the pixels away, and
nothing ever waits for them: they are encoded in a thread, sent in slices when nothing else is on its way, and given up
when the picture is no longer wanted. It costs the half blocks' bytes on links that have them to spare.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from textual.errors import NoWidget
from textual.geometry import Region

from comfytui.tui.pictures import kitty, sixel
from comfytui.tui.terminal import restore
from comfytui.tui.terminal.protocol import FIRST_QUESTIONS, Answers, Protocol, asks, budget, choose

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget

    from comfytui.tui.terminal.link import Link
    from comfytui.tui.terminal.replies import Found

LEAST_SLICE: Final = 4_200  # bytes at once: kitty's piece with its head
MOST_SLICE: Final = 32_000
SCALES: Final = (1.0, 0.75, 0.5, 0.35)  # of the box's pixels, until the bytes suffice; kitty enlarges by itself
FEWER_COLOURS: Final = (128, 32)  # sixel cannot be enlarged, only coarsened
AGAIN: Final = 0.5  # seconds from what destroyed a sixel picture to drawing it again: more may follow


@dataclass(eq=False)
class _Laid:
    """One picture over one widget."""

    widget: Widget
    box: Region  # in the widget's content
    protocol: Protocol
    number: int
    pieces: list[tuple[int, str]] = field(default_factory=list)  # row of cells, sequence
    sent: bool = False  # the terminal has it (kitty: in its memory)
    where: Region | None = None  # on the screen, where it is shown
    busy: bool = False


class Graphics:
    """The pixels on one terminal. All methods are for the event loop."""

    def __init__(self, app: App[Any], link: Link, images: Callable[[], str]) -> None:
        """`images` tells the setting."""
        self._app, self._link, self._images = app, link, images
        self._answers = Answers()
        self._laid: dict[Widget, _Laid] = {}
        self._numbers = itertools.count(((os.getpid() & 0xFFFF) << 8) + 1)  # few programs in a terminal share a pid
        self._one = asyncio.Lock()  # a picture's pieces must not be mixed with another's
        self._asked = False
        self._had = Protocol.NONE
        self._left = False  # the terminal is another program's
        self._size = app.size

    def ask(self) -> None:
        """Ask the terminal what it can do, once, without waiting: until it answers there are half blocks."""
        driver = self._link.driver
        if driver is None or self._asked or self._app.no_color or not asks(self._images(), os.environ):
            return
        self._asked = True
        loop = asyncio.get_running_loop()

        def told(found: Found) -> None:  # in the thread that reads
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._told, found)

        driver.told, driver.farewell = told, self._farewell
        self._link.write(FIRST_QUESTIONS)

    def _told(self, found: Found) -> None:
        before, self._answers = self._answers, self._answers.with_found(found)
        now = self._answers
        if now.skips_strings and not before.skips_strings:
            self._link.write(kitty.QUESTION)
        if self._images() == "sixel" and now.sixel and not before.sixel and not sixel.available():
            self._app.notify("sixel needs an extra package: pip install 'comfytui[images]'", markup=False)
        self._look_again()

    def _look_again(self) -> None:
        """Draw pictures again when the terminal turns out to have pixels: its answer, or the link's speed, came late."""
        had, self._had = self._had, self.protocol
        if self._had is had or self._had is Protocol.NONE:
            return
        from comfytui.tui.widgets.picture import Picture

        for screen in self._app.screen_stack:  # also under a dialog
            for picture in screen.query(Picture):
                if picture not in self._laid:
                    picture.redraw()

    @property
    def protocol(self) -> Protocol:
        """What a still picture is shown with now, besides half blocks."""
        if not self._asked or self._left:
            return Protocol.NONE
        return choose(self._images(), self._answers, os.environ, self._link.rate, sixel.available())

    # Laying and taking away

    async def lay(self, widget: Widget, image: Image.Image, box: Region) -> None:
        """Lay an RGB picture over `box` (cells of the widget's content). Returns when it is sent or given up."""
        self.drop(widget)
        if (protocol := self.protocol) is Protocol.NONE or not box.area:
            return
        laid = self._laid[widget] = _Laid(widget, box, protocol, next(self._numbers))
        laid.pieces = await asyncio.to_thread(
            _encoded, image, box, protocol, laid.number, self._answers.cell, budget(self._link.rate)
        )
        if laid.pieces:
            await self._send(laid)
        elif self._laid.get(widget) is laid:
            del self._laid[widget]

    def drop(self, widget: Widget) -> None:
        """Take the picture of this widget away, also one that is on its way."""
        if (laid := self._laid.pop(widget, None)) is None:
            return
        if laid.protocol is Protocol.SIXEL:
            self._uncover(laid)
        elif laid.sent and not self._left:
            self._link.write(kitty.delete(laid.number))

    async def _send(self, laid: _Laid) -> None:
        if laid.busy:
            return
        laid.busy = True
        try:
            async with self._one:
                await (self._send_kitty(laid) if laid.protocol is Protocol.KITTY else self._draw_sixel(laid))
        finally:
            laid.busy = False

    async def _send_kitty(self, laid: _Laid) -> None:
        restore.GUARD.pictures = True
        for some in _slices(laid.pieces, max(LEAST_SLICE, min(MOST_SLICE, self._link.plan.slice))):
            await self._link.drained()
            if self._left:
                return
            if not self._wanted(laid):
                self._link.write(kitty.delete(laid.number))
                return
            self._link.write(some)
        laid.sent = True
        self.check()

    async def _draw_sixel(self, laid: _Laid) -> None:
        driver, place = self._link.driver, self._place(laid)
        if driver is None or place is None or self.protocol is not Protocol.SIXEL:
            return
        laid.where = place
        driver.watch(laid, place)
        for row, sequence in laid.pieces:
            await self._link.drained()
            if self._left or not self._wanted(laid) or laid.where != place or self._place(laid) != place:
                return
            self._link.write(sixel.place(sequence, place.x, place.y + row))
        laid.sent = True

    def _wanted(self, laid: _Laid) -> bool:
        return self._laid.get(laid.widget) is laid

    def _uncover(self, laid: _Laid) -> None:
        """Have the cells under a sixel picture sent again."""
        driver, where = self._link.driver, laid.where
        laid.where = None
        if driver is not None and where is not None:
            driver.unwatch(laid)
            driver.forget_rows(where.y + 1, where.bottom)
            if self._app.is_running and self._app.screen_stack:
                self._app.screen.refresh()

    # After each drawing

    def check(self) -> None:
        """Keep the pixels where their cells are, and out of the way of what lies above. Cheap without pictures."""
        if self._asked and not self._left:
            self._look_again()
        if not self._laid or self._left:
            return
        resized, self._size = self._app.size != self._size, self._app.size
        for laid in list(self._laid.values()):
            if not laid.widget.is_attached:
                self.drop(laid.widget)
            elif laid.protocol is Protocol.KITTY:
                self._check_kitty(laid, resized)
            else:
                self._check_sixel(laid)

    def _check_kitty(self, laid: _Laid, resized: bool) -> None:
        place = self._place(laid)
        if not laid.sent or (place == laid.where and not resized):
            return
        laid.where = place
        if place is None:
            self._link.write(kitty.hide(laid.number))
        else:
            self._link.write(kitty.place(laid.number, place.x, place.y, place.width, place.height))

    def _check_sixel(self, laid: _Laid) -> None:
        driver, place = self._link.driver, self._place(laid)
        if driver is not None and laid.where is not None:
            if place != laid.where:
                self._uncover(laid)
            elif driver.touched(laid):
                laid.where = None
        if place is not None and laid.where is None and laid.pieces and not laid.busy:
            laid.busy = True
            self._app.set_timer(AGAIN, lambda: self._again(laid))

    def _again(self, laid: _Laid) -> None:
        laid.busy = False
        if self._wanted(laid):
            self._app.run_worker(self._send(laid), name="pixels", group="pixels")

    def lost(self) -> None:
        """The terminal was left and entered again: it shows nothing of ours any more."""
        self._left = False
        for laid in self._laid.values():
            laid.sent, laid.where = False, None
            if laid.pieces and not laid.busy:
                self._again(laid)

    def _place(self, laid: _Laid) -> Region | None:
        """Where it belongs on the screen; None while something is over it or a part of it is not to be seen."""
        widget, app = laid.widget, self._app
        if not widget.is_attached or widget.screen is not app.screen:
            return None
        try:
            geometry = app.screen.find_widget(widget)
        except NoWidget:
            return None
        content = geometry.region.shrink(widget.styles.gutter)
        place = laid.box.translate(content.offset)
        if not content.contains_region(place) or not geometry.clip.contains_region(place):
            return None
        return place

    def _farewell(self) -> list[str]:
        """What the terminal must be told before it is left."""
        self._left = True
        return [kitty.delete(laid.number) for laid in self._laid.values() if laid.protocol is Protocol.KITTY]


def _encoded(
    image: Image.Image, box: Region, protocol: Protocol, number: int, cell: tuple[int, int], most: int
) -> list[tuple[int, str]]:
    """The picture's pieces within `most` bytes; none if that is not possible. Slow: for a thread."""
    wide, high = box.width * cell[0], box.height * cell[1]
    if protocol is Protocol.SIXEL:
        exact = image.resize((wide, high), Image.Resampling.BICUBIC)
        for colours in FEWER_COLOURS:
            strips = sixel.encode(exact, cell[1], colours)
            if sum(len(strip) for _, strip in strips) <= most:
                return strips
        return []
    for scale in SCALES:
        size = max(1, round(min(wide, image.width) * scale)), max(1, round(min(high, image.height) * scale))
        pieces = kitty.encode(image.resize(size, Image.Resampling.BICUBIC), number)
        if sum(map(len, pieces)) <= most:
            return [(0, piece) for piece in pieces]
    return []


def _slices(pieces: list[tuple[int, str]], most: int) -> Iterator[str]:
    """The pieces in order, several in one string of at most `most` characters."""
    some = ""
    for _, piece in pieces:
        if some and len(some) + len(piece) > most:
            yield some
            some = ""
        some += piece
    yield some

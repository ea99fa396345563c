"""Half blocks: two pixels a cell, within a budget of bytes.

What a picture costs on the wire is the colour changes along its lines (up to 43 bytes each), so the encoder quantises
the colours, joins equal neighbours into runs, and, while the picture is still over its budget, lets runs swallow ever
less similar neighbours. Smooth pictures never notice; pure noise, the first preview of a sampler, loses what nobody
could see in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from PIL import Image
from rich._palettes import EIGHT_BIT_PALETTE
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from comfytui.tui.pictures.depth import Depth
from comfytui.tui.terminal.thrift import PLAIN, set_pen

BYTES_PER_CELL: Final = 22  # 60×30 cells in under 40 kB: two previews a second on a 100 kB/s link
LEAST_BYTES: Final = 6_000  # a thumbnail of a hundred cells may have them all different
TOLERANCES: Final = (0, 5, 9, 14, 20, 28, 40, 56, 80, 128, 256)  # of 255 a channel; the last joins whole lines
STEADY: Final = 9  # of 255 a channel: a cell of a stream that changed less is not sent again; two levels of 64
BITS: Final = 6  # of each channel: 64 levels show no bands in a terminal

Pixel = tuple[int, int, int]
Cell = tuple[Pixel, Pixel]  # top, bottom
Run = tuple[int, Pixel, Pixel]  # cells, top, bottom

_LEVELS: Final = [round((value >> (8 - BITS)) * 255 / ((1 << BITS) - 1)) for value in range(256)] * 3


Grid = list[list[Cell]]  # rows of cells


class Drawn(NamedTuple):
    """A picture as lines, and its cells as they are shown: what the next one of a stream is compared with."""

    lines: list[Strip]
    cells: Grid


def halfblock(
    image: Image.Image, depth: Depth = Depth.TRUECOLOR, budget: int | None = None, before: Grid | None = None
) -> Drawn:
    """Encode an RGB picture of (columns, 2 × rows) pixels as one `Strip` a row.

    `budget` is in bytes of escape output (default 22 a cell). It holds for every picture that has at least 43 bytes
    a row to spend. `before` is what is shown now: a cell that hardly differs from it keeps its colours, so that it
    needs not be sent again; the error stays below STEADY levels however long the stream is.
    """
    width, height = image.size
    rows = height // 2
    limit = max(LEAST_BYTES, width * rows * BYTES_PER_CELL) if budget is None else budget
    exact = _quantised(image, depth)
    grid = [list(zip(*[iter(exact.crop((0, y, width, y + 1)).tobytes())] * 3, strict=True)) for y in range(rows * 2)]
    cells = [(grid[2 * row], grid[2 * row + 1]) for row in range(rows)]
    if before is not None and len(before) == rows and rows and len(before[0]) == width:
        cells = [_steady(top, bottom, old) for (top, bottom), old in zip(cells, before, strict=True)]
    colour = len("38;5;255") if depth is Depth.EIGHT_BIT else len("38;2;255;255;255")

    def at(tolerance: int) -> list[list[Run]]:
        return [_runs(top, bottom, tolerance) for top, bottom in cells]

    chosen = _first_within(at, colour, limit)
    style_of = _style_of(depth)
    lines = [Strip([_segment(run, style_of) for run in line], width) for line in chosen]
    return Drawn(lines, [[(top, bottom) for length, top, bottom in line for _ in range(length)] for line in chosen])


def _steady(top: Sequence[Pixel], bottom: Sequence[Pixel], old: Sequence[Cell]) -> tuple[list[Pixel], list[Pixel]]:
    """The cells of a row, those that hardly changed as they were."""
    kept = [
        was if _near(upper, was[0], STEADY) and _near(lower, was[1], STEADY) else (upper, lower)
        for upper, lower, was in zip(top, bottom, old, strict=True)
    ]
    return [cell[0] for cell in kept], [cell[1] for cell in kept]


def _first_within(at: Callable[[int], list[list[Run]]], colour: int, limit: int) -> list[list[Run]]:
    """The runs of the smallest tolerance whose price is within `limit`, found by bisection."""
    low, high = 0, len(TOLERANCES) - 1
    lines = at(TOLERANCES[0])
    if _total(lines, colour) <= limit:
        return lines
    best = None
    while low + 1 < high or best is None:
        middle = max(low + 1, (low + high) // 2)
        lines = at(TOLERANCES[middle])
        if _total(lines, colour) <= limit or middle == len(TOLERANCES) - 1:
            best, high = lines, middle
        else:
            low = middle
    return best


def _total(lines: Sequence[Sequence[Run]], colour: int) -> int:
    return sum(_price(run, colour) for line in lines for run in line)


def _quantised(image: Image.Image, depth: Depth) -> Image.Image:
    if depth is Depth.EIGHT_BIT:
        return image.quantize(palette=_xterm_palette(), dither=Image.Dither.NONE).convert("RGB")
    return image.point(_LEVELS)


def _runs(top: Sequence[Pixel], bottom: Sequence[Pixel], tolerance: int) -> list[Run]:
    """Join neighbours whose channels all differ by at most `tolerance` from the run's first cell."""
    runs: list[Run] = []
    length, first_top, first_bottom = 0, top[0], bottom[0]
    for upper, lower in zip(top, bottom, strict=True):
        if (upper == first_top and lower == first_bottom) or (
            tolerance and _near(upper, first_top, tolerance) and _near(lower, first_bottom, tolerance)
        ):
            length += 1
            continue
        runs.append((length, first_top, first_bottom))
        length, first_top, first_bottom = 1, upper, lower
    runs.append((length, first_top, first_bottom))
    return runs


def _near(a: Pixel, b: Pixel, tolerance: int) -> bool:
    return (
        -tolerance <= a[0] - b[0] <= tolerance
        and -tolerance <= a[1] - b[1] <= tolerance
        and -tolerance <= a[2] - b[2] <= tolerance
    )


def _segment(run: Run, style_of: Callable[[Pixel, Pixel], Style]) -> Segment:
    length, top, bottom = run
    # Equal halves are a space with a background: half the bytes, and no seam in fonts that draw the block too small.
    return Segment((" " if top == bottom else "▀") * length, style_of(top, bottom))


def _price(run: Run, colour: int) -> int:
    """Bytes of a run, at most: `ESC[` + a colour or two + `m` + text + `ESC[0m`."""
    length, top, bottom = run
    return 7 + colour + length if top == bottom else 8 + 2 * colour + 3 * length


def _style_of(depth: Depth) -> Callable[[Pixel, Pixel], Style]:
    return _style_8bit if depth is Depth.EIGHT_BIT else _style_rgb


# The caches below also keep each style's codes, which are worked out here, in the picture's thread: every preview brings
# a thousand new colours, and they would else be worked out while it is composed, on the event loop.


@lru_cache(maxsize=16384)
def _style_rgb(top: Pixel, bottom: Pixel) -> Style:
    front = None if top == bottom else Color.from_rgb(*top)
    return _with_codes(Style.from_color(front, Color.from_rgb(*bottom)), ColorSystem.TRUECOLOR)


@lru_cache(maxsize=16384)
def _style_8bit(top: Pixel, bottom: Pixel) -> Style:
    numbers = _xterm_numbers()
    front = None if top == bottom else Color.from_ansi(numbers[top])
    return _with_codes(Style.from_color(front, Color.from_ansi(numbers[bottom])), ColorSystem.EIGHT_BIT)


def _with_codes(style: Style, system: ColorSystem) -> Style:
    set_pen(PLAIN, Strip.render_ansi(style, system))  # the codes are kept in the style, what they mean by `set_pen`
    return style


@lru_cache(maxsize=1)
def _xterm_numbers() -> dict[Pixel, int]:
    """RGB → number for 16…255; the first 16 are the user's own colours, so no picture can rely on them."""
    return {tuple(EIGHT_BIT_PALETTE[number]): number for number in range(255, 15, -1)}  # type: ignore[misc]


@lru_cache(maxsize=1)
def _xterm_palette() -> Image.Image:
    palette = Image.new("P", (1, 1))
    flat = [channel for pixel in _xterm_numbers() for channel in pixel]
    palette.putpalette(flat + flat[:3] * (256 - len(flat) // 3))
    return palette

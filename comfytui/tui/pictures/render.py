"""One call from a decoded picture and a box of cells to its lines, whatever the terminal can show."""

from __future__ import annotations

from PIL import Image
from textual.strip import Strip

from comfytui.tui.pictures.depth import Depth
from comfytui.tui.pictures.halfblock import halfblock
from comfytui.tui.pictures.scale import Fit, scale
from comfytui.tui.pictures.shades import shades


def render(
    image: Image.Image, cols: int, rows: int, depth: Depth, *, fit: Fit = Fit.CONTAIN, budget: int | None = None
) -> list[Strip]:
    """Scale and encode for a box of `cols` × `rows` cells; `Depth.NONE` gives no lines. Pure: safe in any thread."""
    if depth is Depth.NONE or cols < 1 or rows < 1:
        return []
    if depth is Depth.SHADES:
        return shades(scale(image, cols, rows, fit, lines=1))
    return halfblock(scale(image, cols, rows, fit), depth, budget)

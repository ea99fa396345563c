"""One call from a decoded picture and a box of cells to its lines, whatever the terminal can show."""

from __future__ import annotations

from PIL import Image

from comfytui.tui.pictures.depth import Depth
from comfytui.tui.pictures.halfblock import Drawn, Grid, halfblock
from comfytui.tui.pictures.scale import Fit, scale
from comfytui.tui.pictures.shades import shades


def render(
    image: Image.Image,
    cols: int,
    rows: int,
    depth: Depth,
    *,
    fit: Fit = Fit.CONTAIN,
    budget: int | None = None,
    before: Grid | None = None,
) -> Drawn:
    """Scale and encode for a box of `cols` × `rows` cells; `Depth.NONE` gives no lines. Pure: safe in any thread.

    `before` are the cells of the picture that is shown now, for a stream (see `halfblock`).
    """
    if depth is Depth.NONE or cols < 1 or rows < 1:
        return Drawn([], [])
    if depth is Depth.SHADES:
        return Drawn(shades(scale(image, cols, rows, fit, lines=1)), [])
    return halfblock(scale(image, cols, rows, fit), depth, budget, before)

"""Pictures in a terminal: bytes from anywhere in, lines of cells out, nothing on the event loop.

`decode` → `scale` → an encoder (`halfblock`, `shades`). A terminal protocol with real pixels (kitty, sixel) is one
more encoder beside these two: it takes the same picture and cell box.
"""

from comfytui.tui.pictures.decode import MAX_PIXELS, PictureError, decode
from comfytui.tui.pictures.delta import Difference, changed, difference, price
from comfytui.tui.pictures.depth import Depth, depth_of_terminal
from comfytui.tui.pictures.halfblock import Drawn, Grid, halfblock
from comfytui.tui.pictures.render import render
from comfytui.tui.pictures.scale import Fit, fit_cells, scale
from comfytui.tui.pictures.shades import shades

__all__ = [
    "MAX_PIXELS",
    "Depth",
    "Difference",
    "Drawn",
    "Fit",
    "Grid",
    "PictureError",
    "changed",
    "decode",
    "depth_of_terminal",
    "difference",
    "fit_cells",
    "halfblock",
    "price",
    "render",
    "scale",
    "shades",
]

"""How many cells a picture takes, and its pixels at that size."""

from __future__ import annotations

from enum import StrEnum

from PIL import Image

CELL_ASPECT = 2  # a cell is twice as high as wide, in every common terminal font


class Fit(StrEnum):
    CONTAIN = "contain"  # whole picture, its own proportions, as large as fits
    COVER = "cover"  # fills the box, cuts what is over
    STRETCH = "stretch"  # fills the box, ignores proportions


def fit_cells(width: int, height: int, cols: int, rows: int) -> tuple[int, int]:
    """The largest (columns, rows) within `cols` × `rows` that keeps the proportions of `width` × `height` pixels.

    At least one cell each way, so that an extreme panorama is a line and not nothing.
    """
    cols, rows = max(1, cols), max(1, rows)
    ratio = min(cols / max(1, width), rows * CELL_ASPECT / max(1, height))
    return max(1, min(cols, round(width * ratio))), max(1, min(rows, round(height * ratio / CELL_ASPECT)))


def scale(image: Image.Image, cols: int, rows: int, fit: Fit = Fit.CONTAIN, *, lines: int = 2) -> Image.Image:
    """`image` at one pixel a column and `lines` pixels a row (2 for half blocks, 1 for characters).

    Shrinking averages (BOX), enlarging interpolates: a latent preview of 24×24 would else be a mosaic.
    """
    cols, rows = max(1, cols), max(1, rows)
    if fit is Fit.CONTAIN:
        cols, rows = fit_cells(*image.size, cols, rows)
    target = (cols, rows * lines)
    source = _cut(image, cols, rows) if fit is Fit.COVER else image
    enlarging = target[0] >= source.width and target[1] >= source.height
    return source.resize(target, Image.Resampling.BILINEAR if enlarging else Image.Resampling.BOX)


def _cut(image: Image.Image, cols: int, rows: int) -> Image.Image:
    """The middle of `image` with the proportions of the box."""
    wanted = cols / (rows * CELL_ASPECT)
    width, height = image.size
    if width / height > wanted:
        keep = max(1, round(height * wanted))
        left = (width - keep) // 2
        return image.crop((left, 0, left + keep, height))
    keep = max(1, round(width / wanted))
    top = (height - keep) // 2
    return image.crop((0, top, width, top + keep))

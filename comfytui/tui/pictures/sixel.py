"""Sixel: a picture as the characters of a terminal of 1983, pixel by pixel, in strips of whole rows of cells.

The encoder is textual-image's. It lies in a private module, because everything public there asks the terminal something
while it is imported and waits for the answer; the extra `images` is bound to one minor version for that.
"""

from __future__ import annotations

import importlib.util
from typing import Final

from PIL import Image

ROWS: Final = 4  # of cells that a strip is high


def available() -> bool:
    """Whether the encoder is installed. Imports nothing."""
    return importlib.util.find_spec("textual_image") is not None


def encode(image: Image.Image, cell_height: int, colours: int) -> list[tuple[int, str]]:
    """An RGB picture as (row of cells that it begins in, sequence) from top to bottom. Slow: for a thread.

    In strips, because a sixel picture cannot be interrupted: a key would wait for all of it. The colours are chosen
    once, so that no seam shows.
    """
    from textual_image._sixel import SixelOptions, image_to_sixels

    few = image.quantize(colors=colours, method=Image.Quantize.FASTOCTREE).convert("RGB")
    step = cell_height * ROWS
    strips = []
    for top in range(0, few.height, step):
        strip = few.crop((0, top, few.width, min(few.height, top + step)))
        # Their black behind what is not set, else what is left of the last band of six pixels would be painted black.
        sequence = image_to_sixels(strip, SixelOptions(colors=colours)).replace("\x1bP0;0;0q", "\x1bP0;1;0q", 1)
        strips.append((top // cell_height, sequence))
    return strips


def place(sequence: str, column: int, row: int) -> str:
    """Draw a strip with its upper left corner at a cell (0, 0 is the screen's)."""
    return f"\x1b7\x1b[{row + 1};{column + 1}H{sequence}\x1b8"

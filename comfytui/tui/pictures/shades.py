"""Brightness as characters: for terminals without colours, and for `NO_COLOR`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PIL import Image, ImageOps
from rich.segment import Segment
from textual.strip import Strip

RAMP: Final = " ░▒▓█"


def shades(image: Image.Image) -> list[Strip]:
    """Encode a picture of (columns, rows) pixels, one character each, contrast stretched and error-diffused.

    Five levels alone would lose every soft edge; diffusion spends the neighbours to keep the mean right.
    """
    width, height = image.size
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1).convert("RGB")
    levels = grey.quantize(palette=_ramp_palette(), dither=Image.Dither.FLOYDSTEINBERG).tobytes()
    text = [RAMP[min(level, len(RAMP) - 1)] for level in levels]
    return [Strip([Segment("".join(text[y * width : (y + 1) * width]))], width) for y in range(height)]


@lru_cache(maxsize=1)
def _ramp_palette() -> Image.Image:
    palette = Image.new("P", (1, 1))
    steps = [round(index * 255 / (len(RAMP) - 1)) for index in range(len(RAMP))]
    flat = [step for step in steps for _ in range(3)]
    palette.putpalette(flat + flat[-3:] * (256 - len(RAMP)))
    return palette

"""From untrusted bytes to a bounded RGB picture, or a reason why not."""

from __future__ import annotations

import io
import warnings
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS: Final = 80_000_000  # 8K is 33 million; above this a picture costs more memory than a dashboard may take
LONGEST_SIDE: Final = 1024  # what is kept: more than any terminal shows, and at most 3 MB

# What ComfyUI makes and previews. Never Pillow's whole list: EPS starts Ghostscript, and rare formats are rare code.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")

BACKDROP: Final = (32, 32, 36)  # behind what is transparent

# `decode` refuses by size itself; Pillow's warning would only be printed over the screen.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PictureError(Exception):
    """These bytes cannot be shown as a picture; the message says why, in words for a user."""


def decode(data: bytes, max_pixels: int = MAX_PIXELS, longest: int = LONGEST_SIDE) -> Image.Image:
    """Decode the first frame of `data` to RGB, at most `longest` pixels on its longer side.

    The size is read from the header and checked before a pixel is unpacked, so a small file that promises a huge
    picture costs nothing.

    Raises:
        PictureError: empty, no known picture format, larger than `max_pixels`, or broken.
    """
    if not data:
        raise PictureError("the picture is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as source:
            width, height = source.size
            if width * height > max_pixels:
                raise PictureError(
                    f"{width}×{height} is too large to show here (limit {max_pixels / 1e6:.0f} megapixels)"
                )
            source.draft("RGB", (longest, longest))  # JPEG only: lets the decoder skip what would be scaled away
            source.load()
            return _bounded(_to_rgb(source), longest)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"not a picture in a known format ({len(data)} bytes)") from None
    except Image.DecompressionBombError:
        raise PictureError(f"too large to show here (limit {max_pixels / 1e6:.0f} megapixels)") from None
    except MemoryError:
        raise PictureError("not enough memory to decode this picture") from None
    except Exception as error:
        # A decoder fed hostile bytes raises what it likes (SyntaxError, struct.error, IndexError, …); to the user all
        # of it is one fact, and the widget shows it in the picture's place.
        raise PictureError(f"broken picture: {error}"[:200]) from error


def _to_rgb(source: Image.Image) -> Image.Image:
    """8-bit RGB, upright, with transparency laid on a dark backdrop."""
    upright = ImageOps.exif_transpose(source)
    if upright.mode.startswith("I"):  # 16-bit grey: convert() would clip everything above 255 to white
        upright = upright.convert("I").point(lambda value: value / 256).convert("L")
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        backdrop = Image.new("RGBA", rgba.size, (*BACKDROP, 255))
        return Image.alpha_composite(backdrop, rgba).convert("RGB")
    return upright.convert("RGB")


def _bounded(image: Image.Image, longest: int) -> Image.Image:
    factor = -(-max(image.size) // longest)
    return image.reduce(factor) if factor > 1 else image

"""Opens pictures that somebody sent: known formats only, and their size is read before a pixel is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 178_956_970  # of all frames together: 2 GB as float32, and Pillow's own limit for one picture
# What cameras, browsers and editors write. Pillow would try forty formats more, whose readers few have looked at;
# that of EPS starts another program.
_FORMATS = [
    "PNG",
    "JPEG",
    "MPO",
    "WEBP",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "PPM",
    "AVIF",
    "ICO",
    "TGA",
    "JPEG2000",
    "QOI",
    "PSD",
    "DDS",
    "PCX",
    "SGI",
]


class PictureError(ValueError):
    """A file that cannot be used as a picture; the message says why and is fit for the sender."""


@cache
def formats() -> list[str]:
    """Those of our formats that this Pillow was built with."""
    from PIL import Image

    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


@contextmanager
def opened(source: Path | IO[bytes], name: str = "the file") -> Iterator[Image]:
    """The picture, not yet decoded and known to have at most `MAX_PIXELS` pixels. Decode it inside the `with`.

    Raises `PictureError` for what is no picture, is damaged or too large, and `FileNotFoundError`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source, formats=formats()) as picture:
            _check(picture, name)
            yield picture
    except (PictureError, FileNotFoundError):
        raise
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is not a picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} is too large: {MAX_PIXELS} pixels are the limit") from error
    except Exception as error:
        # Readers of damaged files end in whatever their arithmetic ends in: struct, index, key, memory errors.
        raise PictureError(f"{name} is damaged or cannot be converted: {error}") from error


def size_of(source: Path | IO[bytes], name: str = "the file") -> tuple[int, int] | None:
    """Width and height as the header says; None if it is no picture. Nothing is decoded.

    Raises `PictureError` for one with more than `MAX_PIXELS` pixels.
    """
    from PIL import Image

    try:
        with Image.open(source, formats=formats()) as picture:
            _check(picture, name)
            return picture.size
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} is too large: {MAX_PIXELS} pixels are the limit") from error
    except Exception:
        return None  # a damaged header is no picture either; uploads need not be any


def _check(picture: Image, name: str) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise PictureError(
            f"{name} is too large: {picture.width}x{picture.height} pixels, {MAX_PIXELS} pixels are the limit"
        )

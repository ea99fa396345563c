"""The texts of a WebP picture, still or animated: its EXIF and XMP chunks.

Source: WebP container specification (RFC 9649, section 2).
"""

from __future__ import annotations

import struct

from comfytui.workflow.embedded import exif, xml
from comfytui.workflow.embedded.source import Source, Texts, damaged, decoded


def texts(source: Source) -> Texts:
    """Keyword and text of each. Raises WorkflowError where the file ends in the middle."""
    (declared,) = struct.unpack("<I", source.take(4, 4, "its header"))
    end = 8 + declared
    at = 12
    while at + 8 <= min(end, source.size):
        source.part(at)
        kind, length = struct.unpack("<4sI", source.take(at, 8, "a chunk"))
        if kind == b"EXIF":
            yield from source.lenient(_exif(source, at + 8, length))
        elif kind == b"XMP ":
            yield from source.lenient(_xmp(source, at + 8, length))
        at += 8 + length + length % 2
    if max(at, end) > source.size + 1:  # the byte that pads the last chunk is left out by some
        raise damaged("ends in the middle of the picture", source.size)


def _exif(source: Source, at: int, length: int) -> Texts:
    yield from exif.texts(source.take(at, length, "its EXIF data"), at)


def _xmp(source: Source, at: int, length: int) -> Texts:
    yield from xml.xmp(decoded(source.take(at, length, "its XMP data")), at)

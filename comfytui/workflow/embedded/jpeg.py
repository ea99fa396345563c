"""The texts of a JPEG: EXIF and XMP in its APP1 segments, and its comments.

Source: ITU-T T.81, annex B; EXIF 2.32, 4.7. A segment has at most 65,533 bytes: larger workflows do not fit a JPEG.
"""

from __future__ import annotations

import struct

from comfytui.workflow.embedded import exif, xml
from comfytui.workflow.embedded.source import Source, Texts, damaged, decoded

XMP = b"http://ns.adobe.com/xap/1.0/\0"
ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
ENDS = (0xD9, 0xDA)  # the end of the picture, and the begin of its pixels: texts stand before


def texts(source: Source) -> Texts:
    """Keyword and text of each. Raises WorkflowError where the file ends in the middle."""
    at = 2
    while True:
        source.part(at)
        lead, marker = source.take(at, 2, "a marker")
        if lead != 0xFF:
            raise damaged("no segment where one must be", at)
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in ENDS:
            return
        if marker in ALONE:
            at += 2
            continue
        (length,) = struct.unpack(">H", source.take(at + 2, 2, "a segment"))
        if length < 2:
            raise damaged(f"a segment of {length} bytes", at)
        if marker == 0xFE or 0xE0 <= marker <= 0xEF:
            yield from source.lenient(_segment(marker, source.take(at + 4, length - 2, "a segment"), at + 4))
        at += 2 + length


def _segment(marker: int, body: bytes, at: int) -> Texts:
    if body.startswith(b"Exif\0\0"):
        yield from exif.texts(body, at)
    elif body.startswith(XMP):
        yield from xml.xmp(decoded(body[len(XMP) :]), at)
    else:
        text = decoded(body)
        key, colon, rest = text.partition(":")
        if colon and key.strip().lower() in exif.KEYS:
            yield key.strip().lower(), rest
        elif marker == 0xFE:
            yield "Comment", text

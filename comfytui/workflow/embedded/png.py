"""The texts of a PNG or APNG: its tEXt, zTXt, iTXt and `comf` chunks, EXIF and XMP. No pixel is decoded.

Done by hand rather than with Pillow: a picture's workflow is wanted in lists of thousands of files, Pillow refuses text
above 1 MiB (large workflows are larger), and this way nothing of a hostile picture is unpacked but its words.
Source: PNG specification (W3C, third edition), 11.3.3 and 11.3.4.
"""

from __future__ import annotations

import struct

from comfytui.workflow.embedded import exif, xml
from comfytui.workflow.embedded.source import Source, Texts, damaged, decoded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = "XML:com.adobe.xmp"


def texts(source: Source) -> Texts:
    """Keyword and text of each. Raises WorkflowError where the file ends in the middle."""
    at = len(SIGNATURE)
    while True:
        source.part(at)
        length, kind = struct.unpack(">I4s", source.take(at, 8, "a chunk"))
        if kind == b"IEND":
            return
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"comf", b"eXIf"):
            yield from source.lenient(_chunk(source, kind, at + 8, length))
        if at + 12 + length > source.size:
            raise damaged(f"ends in the middle of a chunk {decoded(kind)!r}", at)
        at += 12 + length


def _chunk(source: Source, kind: bytes, at: int, length: int) -> Texts:
    body = source.take(at, length, f"a chunk {decoded(kind)}")
    if kind == b"eXIf":
        yield from exif.texts(body, at)
        return
    keyword, zero, rest = body.partition(b"\0")
    if not zero:
        raise damaged("a text has no keyword", at)
    name = keyword.decode("latin-1")
    if kind in (b"tEXt", b"comf"):
        # The standard says Latin-1; writers put UTF-8 there all the same, and plain ASCII is both.
        yield name, decoded(rest)
    elif kind == b"zTXt":
        yield name, decoded(source.inflate(rest[1:], at))
    else:
        compressed = rest[:1] == b"\1"
        text = rest[2:].split(b"\0", 2)[-1]  # past the language tag and the translated keyword
        found = (source.inflate(text, at) if compressed else text).decode("utf-8", "replace")
        if name == XMP:
            yield from xml.xmp(found, at)
        else:
            yield name, found

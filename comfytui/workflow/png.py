"""The text chunks of a PNG, read without decoding its pixels.

Done by hand rather than with Pillow: a picture's workflow is wanted in file lists of thousands, Pillow refuses text
above 1 MiB (large workflows are larger), and this way nothing of a hostile picture is decoded but its words.
"""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 32 * 1024 * 1024  # bytes, of one inflated chunk and of all together


def texts(data: bytes) -> dict[str, str]:
    """keyword → text of tEXt, zTXt, iTXt and `comf` chunks; the first of a keyword counts.

    A truncated file gives what was whole. Raises ValueError if the data is no PNG, or its text is too large.
    """
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG file")
    found: dict[str, str] = {}
    total = 0
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        at += 12 + length
        if len(body) < length or kind == b"IEND":
            break
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"comf"):
            keyword, text = _chunk(kind, body)
            total += len(text)
            if total > MAX_TEXT:
                raise ValueError(f"more than {MAX_TEXT // 2**20} MiB of text in the picture")
            found.setdefault(keyword, text)
    return found


def _chunk(kind: bytes, body: bytes) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind in (b"tEXt", b"comf"):
        # The standard says Latin-1; writers put UTF-8 there all the same, and plain ASCII is both.
        return name, _utf8_or_latin1(rest)
    if kind == b"zTXt":
        return name, _utf8_or_latin1(_inflate(rest[1:]))
    compressed = rest[:1] == b"\1"
    text = rest[2:].split(b"\0", 2)[-1]  # past the language tag and the translated keyword
    return name, (_inflate(text) if compressed else text).decode("utf-8", "replace")


def _inflate(data: bytes) -> bytes:
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(data, MAX_TEXT)
    except zlib.error as error:
        raise ValueError("a compressed text in the picture is damaged") from error
    if stream.unconsumed_tail:
        raise ValueError(f"a text in the picture is larger than {MAX_TEXT // 2**20} MiB")
    return text


def _utf8_or_latin1(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")

"""The texts of files made of boxes: MP4 and MOV by their tags, AVIF and HEIF by their EXIF and XMP items.

Source: ISO 14496-12 (boxes, meta, iinf, iloc), ISO 23008-12 (EXIF items), Apple's QuickTime File Format (keys, ilst, user
data). Boxes of pictures and sound are stepped over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from comfytui.workflow.embedded import exif, xml
from comfytui.workflow.embedded.source import Source, Texts, damaged, decoded

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # the id of a box that holds XMP
MAX_KEYS = 10_000
MAX_ITEMS = 10_000
NAMES = {b"\xa9cmt": "comment", b"\xa9des": "description", b"desc": "description", b"ldes": "description"}


class Box(NamedTuple):
    """One box: its content lies from `start` to `end`."""

    kind: bytes
    start: int
    end: int


def texts(source: Source) -> Texts:
    """Keyword and text of each. Raises WorkflowError where the file ends in the middle."""
    for box in _boxes(source, 0, source.size):
        if box.kind == b"moov":
            yield from source.lenient(_movie(source, box))
        elif box.kind == b"meta":
            yield from source.lenient(_meta(source, box))
        elif box.kind == b"uuid" and source.peek(box.start, 16) == XMP:
            yield from source.lenient(_xmp(source, box.start + 16, box.end - box.start - 16))


def _boxes(source: Source, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        source.part(at)
        size, kind = struct.unpack(">I4s", source.take(at, 8, "a box"))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", source.take(at + 8, 8, "a box"))
            head = 16
        elif size == 0:
            size = end - at
        if size < head:
            raise damaged(f"a box {decoded(kind)!r} of {size} bytes", at)
        if at + size > end:
            raise damaged(f"ends in the middle of a box {decoded(kind)!r}", at)
        yield Box(kind, at + head, at + size)
        at += size


def _movie(source: Source, movie: Box) -> Texts:
    for box in _boxes(source, movie.start, movie.end):
        if box.kind == b"meta":
            yield from source.lenient(_meta(source, box))
        elif box.kind == b"udta":
            # A list of user data may end with a null of four bytes: fewer than a box has.
            for each in _boxes(source, box.start, box.end):
                if each.kind == b"meta":
                    yield from source.lenient(_meta(source, each))
                elif each.kind[:1] == b"\xa9":
                    yield from source.lenient(_user_text(source, each))


def _user_text(source: Source, box: Box) -> Texts:
    """QuickTime's own form of a text: length and language, two bytes each."""
    if box.end - box.start >= 4:
        (length,) = struct.unpack(">H", source.take(box.start, 2, "a text"))
        body = source.take(box.start + 4, min(length, box.end - box.start - 4), "a text")
        yield NAMES.get(box.kind, decoded(box.kind[1:])), decoded(body)


def _meta(source: Source, box: Box) -> Texts:
    # QuickTime's has no version and flags before its boxes, all others have.
    start = box.start if source.peek(box.start + 4, 4) == b"hdlr" else box.start + 4
    inner = {each.kind: each for each in _boxes(source, start, box.end)}
    if b"ilst" in inner:
        keys = _keys(source, inner[b"keys"]) if b"keys" in inner else []
        yield from _tags(source, inner[b"ilst"], keys)
    if b"iinf" in inner and b"iloc" in inner:
        yield from _items(source, inner)


def _keys(source: Source, box: Box) -> list[str]:
    (count,) = struct.unpack(">I", source.take(box.start + 4, 4, "the names of the tags"))
    if count > MAX_KEYS:
        raise damaged(f"says that it has {count} tags", box.start)
    return [
        decoded(source.take(key.start, key.end - key.start, "a name")) for key in _boxes(source, box.start + 8, box.end)
    ]


def _tags(source: Source, ilst: Box, keys: list[str]) -> Texts:
    for box in _boxes(source, ilst.start, ilst.end):
        (number,) = struct.unpack(">I", box.kind)
        name = NAMES.get(box.kind, decoded(box.kind))
        if 1 <= number <= len(keys):
            name = keys[number - 1].rpartition(".")[2]  # without com.apple.quicktime.
        for each in _boxes(source, box.start, box.end):
            if each.kind == b"name":
                name = decoded(source.take(each.start + 4, each.end - each.start - 4, "a name"))
            elif each.kind == b"data" and each.end - each.start >= 8:
                (kind,) = struct.unpack(">I", source.take(each.start, 4, "a tag"))
                if kind & 0xFFFFFF in (0, 1):  # unknown, or UTF-8; others are numbers and pictures
                    yield name, decoded(source.take(each.start + 8, each.end - each.start - 8, f"the tag {name[:40]}"))


def _items(source: Source, inner: dict[bytes, Box]) -> Texts:
    """The EXIF and XMP items of a picture, where its table of places says that they are."""
    wanted = {number: kind for number, kind in _infos(source, inner[b"iinf"]) if kind in (b"Exif", b"mime")}
    idat = inner.get(b"idat")
    for number, at, length in _places(source, inner[b"iloc"], idat.start if idat else 0):
        kind = wanted.get(number)
        if kind == b"Exif" and length > 4:
            (skipped,) = struct.unpack(">I", source.take(at, 4, "its EXIF data"))
            body = source.take(at, length, "its EXIF data")[4 + skipped :]
            yield from source.lenient(exif.texts(body, at + 4 + skipped))
        elif kind == b"mime":
            yield from source.lenient(_xmp(source, at, length))


def _xmp(source: Source, at: int, length: int) -> Texts:
    yield from xml.xmp(decoded(source.take(at, length, "its XMP data")), at)


def _infos(source: Source, box: Box) -> Iterator[tuple[int, bytes]]:
    version = source.take(box.start, 1, "the list of items")[0]
    for each in _boxes(source, box.start + (6 if version == 0 else 8), box.end):
        if each.kind != b"infe":
            continue
        head = source.peek(each.start, 14)
        if len(head) < 14 or head[0] < 2:
            continue
        form = ">4xH2x4s" if head[0] == 2 else ">4xI2x4s"
        yield struct.unpack_from(form, head)


def _places(source: Source, box: Box, idat: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and length of each item that lies in one piece."""
    body = source.take(box.start, box.end - box.start, "the table of items")
    fields = _Fields(body, box.start)
    version = fields.number(1)
    fields.number(3)
    sizes = fields.number(2)
    offset_size, length_size, base_size, index_size = ((sizes >> shift) & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    count = fields.number(wide)
    if count > MAX_ITEMS:
        raise damaged(f"says that it has {count} items", box.start)
    for _ in range(count):
        number = fields.number(wide)
        method = fields.number(2) & 15 if version else 0
        fields.number(2)  # which file: this one
        base = fields.number(base_size)
        extents = []
        for _ in range(fields.number(2)):
            if version and index_size:
                fields.number(index_size)
            extents.append((fields.number(offset_size), fields.number(length_size)))
        if len(extents) == 1 and method in (0, 1):
            offset, length = extents[0]
            yield number, base + offset + (idat if method == 1 else 0), length


class _Fields:
    """Numbers of a block, one after the other."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body, self._at, self._next = body, at, 0

    def number(self, size: int) -> int:
        """The next number of `size` bytes, 0 if it has none. Raises WorkflowError at the end of the block."""
        found = self._body[self._next : self._next + size]
        if len(found) < size:
            raise damaged("the table of items is cut off", self._at + self._next)
        self._next += size
        return int.from_bytes(found, "big")

"""The texts of sound files: Vorbis comments of FLAC and Ogg, and the ID3 tags of MP3.

Source: FLAC (RFC 9639, 8.6), Ogg (RFC 3533), Vorbis I (5), Opus (RFC 7845, 5.2), ID3v2.3 and v2.4 (4.2.6, 4.10).
"""

from __future__ import annotations

import struct

from comfytui.workflow.embedded.source import MAX_TEXT, Source, Texts, damaged, decoded

MAX_COMMENTS = 10_000
ENCODINGS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


def flac(source: Source, at: int = 0) -> Texts:
    """Keyword and text of each comment. Raises WorkflowError where the file ends in the middle."""
    at += 4
    last = False
    while not last:
        source.part(at)
        head = source.take(at, 4, "a block")
        last, kind, length = head[0] >= 128, head[0] & 127, int.from_bytes(head[1:], "big")
        if kind == 4:
            yield from source.lenient(_comments(source.take(at + 4, length, "its comments"), at + 4))
        at += 4 + length


def ogg(source: Source) -> Texts:
    """Keyword and text of each comment: they are the second packet of a stream. Raises WorkflowError."""
    packets: dict[int, list[bytearray]] = {}  # of each stream: those that are whole, then one that goes on
    at = 0
    total = 0
    while at < source.size:
        source.part(at)
        head = source.take(at, 27, "a page")
        if head[:4] != b"OggS":
            raise damaged("no page where one must be", at)
        (serial,) = struct.unpack_from("<I", head, 14)
        table = source.take(at + 27, head[26], "a page")
        body_at = at + 27 + len(table)
        body = source.take(body_at, sum(table), "a page")
        total += len(body)
        if total > MAX_TEXT:
            return
        stream = packets.setdefault(serial, [bytearray()])
        used = 0
        for size in table:
            stream[-1] += body[used : used + size]
            used += size
            if size < 255:
                if len(stream) == 2:
                    yield from source.lenient(_packet(bytes(stream[1]), body_at))
                    return
                stream.append(bytearray())
        at = body_at + len(body)


def mp3(source: Source) -> Texts:
    """Keyword and text of the tags before the sound; a FLAC file may follow them. Raises WorkflowError."""
    head = source.take(0, 10, "its tags")
    version, flags = head[3], head[5]
    size = _seven(head[6:10])
    if version in (3, 4):
        body = source.take(10, size, "its tags")
        if flags & 0x80 and version == 3:
            body = body.replace(b"\xff\0", b"\xff")
        yield from source.lenient(_frames(body, version, flags))
    if source.peek(10 + size, 4) == b"fLaC":
        yield from flac(source, 10 + size)


def _packet(packet: bytes, at: int) -> Texts:
    for start in (b"\x03vorbis", b"OpusTags", b"\x7fFLAC"):
        if packet.startswith(start):
            yield from _comments(packet[len(start) :], at)
            return
    if packet[:1] and packet[0] & 127 == 4:  # FLAC in Ogg: the block as it stands in a file
        yield from _comments(packet[4:], at)


def _comments(data: bytes, at: int) -> Texts:
    place = 0

    def part(what: str) -> bytes:
        nonlocal place
        if place + 4 > len(data):
            raise damaged(f"ends in the middle of {what}", at + place)
        (length,) = struct.unpack_from("<I", data, place)
        place += 4
        if place + length > len(data):
            raise damaged(f"ends in the middle of {what}", at + place)
        place += length
        return data[place - length : place]

    part("its comments")
    if place + 4 > len(data):
        raise damaged("ends in the middle of its comments", at + place)
    (count,) = struct.unpack_from("<I", data, place)
    place += 4
    if count > MAX_COMMENTS:
        raise damaged(f"says that it has {count} comments", at + place)
    for _ in range(count):
        key, _, text = part("a comment").partition(b"=")
        yield decoded(key), decoded(text)


def _frames(body: bytes, version: int, flags: int) -> Texts:
    at = 0
    if flags & 0x40 and len(body) >= 4:  # an extended header: its size counts itself in version 4 only
        at = _seven(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big")
    while at + 10 <= len(body) and body[at]:
        name = body[at : at + 4]
        size = _seven(body[at + 4 : at + 8]) if version == 4 else int.from_bytes(body[at + 4 : at + 8], "big")
        if at + 10 + size > len(body):
            raise damaged("ends in the middle of a tag", 10 + at)
        frame, form = body[at + 10 : at + 10 + size], body[at + 9]
        if version == 4 and form & 0x01:  # its length stands before it
            frame = frame[4:]
        if version == 4 and form & 0x02:
            frame = frame.replace(b"\xff\0", b"\xff")
        packed = form & (0x0C if version == 4 else 0xC0)
        if frame and not packed:
            if name == b"TXXX":
                yield from _described(frame[0], frame[1:])
            elif name == b"COMM":
                yield from (("comment", text) for _, text in _described(frame[0], frame[4:]))
        at += 10 + size


def _described(encoding: int, data: bytes) -> Texts:
    codec = ENCODINGS.get(encoding)
    if codec is None:
        return
    wide = codec.startswith("utf-16")
    end = (
        next((at for at in range(0, len(data) - 1, 2) if data[at : at + 2] == b"\0\0"), -1)
        if wide
        else data.find(b"\0")
    )
    if end >= 0:
        name, text = data[:end], data[end + (2 if wide else 1) :]
        yield name.decode(codec, "replace"), text.decode(codec, "replace").rstrip("\0")


def _seven(data: bytes) -> int:
    """A number in bytes of seven bits."""
    found = 0
    for each in data:
        found = found << 7 | each & 127
    return found

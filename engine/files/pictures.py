"""What a PNG says about itself: the prompt and the workflow in its text chunks."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 32 * 1024 * 1024  # bytes of one chunk; a workflow with embedded pictures reaches a few megabytes
MAX_TEXTS = 64 * 1024 * 1024  # bytes of all chunks together: a few kilobytes each can unpack to much more
MAX_CHUNKS = 4096


def text_chunks(prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None) -> dict[str, str]:
    """Keyword → JSON text: `prompt`, then a chunk for each key of `extra_pnginfo` (`workflow`)."""
    chunks: dict[str, str] = {}
    if prompt is not None:
        chunks["prompt"] = json.dumps(prompt)
    for key, value in (extra or {}).items():
        chunks[key] = json.dumps(value)
    return chunks


def encode_png(image: Image, chunks: Mapping[str, str] | None = None, compress_level: int = 4) -> bytes:
    """The picture as PNG with `chunks` as tEXt. Level 4 is ComfyUI's for saved pictures, 1 for previews."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, value in (chunks or {}).items():
        info.add_text(_keyword(key), value)
    buffer = BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=compress_level)
    return buffer.getvalue()


def read_text(source: Path | bytes) -> dict[str, str]:
    """The text chunks of a PNG (tEXt, zTXt, iTXt), without decoding the picture; the first of a keyword wins.

    Anything else than a PNG gives `{}`, a damaged one what was read up to the damage, one with more than `MAX_TEXTS` what
    was read up to there. Raises `OSError`.
    """
    if isinstance(source, bytes):
        return _read(BytesIO(source))
    with source.open("rb") as file:
        return _read(file)


def _read(file: BinaryIO) -> dict[str, str]:
    found: dict[str, str] = {}
    total = 0
    if file.read(8) != _SIGNATURE:
        return found
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            break
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or length > MAX_TEXT:
            file.seek(length + 4, 1)
            continue
        body = file.read(length)
        if len(body) < length:
            break
        file.seek(4, 1)  # the checksum
        keyword, _, rest = body.partition(b"\0")
        text = _decode(kind, rest)
        total += len(text or "")
        if total > MAX_TEXTS:
            break
        if text is not None:
            found.setdefault(keyword.decode("latin-1"), text)
    return found


def _decode(kind: bytes, rest: bytes) -> str | None:
    """The text of a chunk after its keyword; None if it is damaged or too large."""
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        raw = _inflate(rest[1:])
        return None if raw is None else raw.decode("latin-1")
    if len(rest) < 2:
        return None
    compressed = rest[0] == 1
    parts = rest[2:].split(b"\0", 2)  # language, translated keyword, text
    if len(parts) < 3:
        return None
    raw = _inflate(parts[2]) if compressed else parts[2]
    return None if raw is None else raw.decode("utf-8", "replace")


def _inflate(data: bytes) -> bytes | None:
    """At most `MAX_TEXT` bytes: a few kilobytes can unpack to gigabytes."""
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(data, MAX_TEXT)
    except zlib.error:
        return None
    return text if engine.eof else None


def _keyword(key: str) -> str:
    """PNG keywords are 1 to 79 latin-1 characters; a client may send any string."""
    return key.encode("latin-1", "replace").decode("latin-1").replace("\0", "")[:79] or "_"

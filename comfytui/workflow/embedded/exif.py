"""The texts of EXIF data: strings `prompt:{…}` and `workflow:{…}` in whatever tag, and what other programs write.

Source: EXIF 2.32 (CIPA DC-008), 4.6; TIFF 6.0, section 2. Only directories that point forward into the block are read.
"""

from __future__ import annotations

import re
import struct

from comfytui.workflow.embedded.source import MAX_TEXT, Texts, damaged, decoded

KEYS = ("prompt", "workflow", "parameters")
MAX_DIRECTORIES = 8
MAX_ENTRIES = 1000
POINTERS = (0x8769,)  # to the directory of EXIF's own tags
USER_COMMENT, DESCRIPTION, XP_COMMENT = 0x9286, 0x010E, 0x9C9C
NAMES = {USER_COMMENT: "UserComment", DESCRIPTION: "ImageDescription", XP_COMMENT: "Comment"}
TEXTS = (1, 2, 6, 7, 129)  # types that can hold text, of one byte an item
_KEYED = re.compile(rb"\s*(?:prompt|workflow|parameters)\s*:", re.I)


def texts(data: bytes, at: int) -> Texts:
    """Keyword and text of each; `at` is where in the file the block begins. Raises WorkflowError."""
    block = data.removeprefix(b"Exif\0\0")
    at += len(data) - len(block)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        raise damaged("its EXIF data is not EXIF", at)
    waiting: list[int] = [struct.unpack_from(f"{order}I", block, 4)[0]]
    seen: set[int] = set()
    total = 0
    while waiting:
        offset = waiting.pop(0)
        if offset in seen or len(seen) >= MAX_DIRECTORIES:  # directories can point to one another
            continue
        seen.add(offset)
        if offset + 2 > len(block):
            raise damaged("its EXIF data is cut off", at + min(offset, len(block)))
        (count,) = struct.unpack_from(f"{order}H", block, offset)
        if count > MAX_ENTRIES:
            raise damaged(f"its EXIF data says that it has {count} entries", at + offset)
        for number in range(count):
            entry = offset + 2 + 12 * number
            if entry + 12 > len(block):
                raise damaged("its EXIF data is cut off", at + entry)
            tag, kind, items, value = struct.unpack_from(f"{order}HHII", block, entry)
            if tag in POINTERS and kind == 4:
                waiting.append(value)
            elif kind in TEXTS:
                start = entry + 8 if items <= 4 else value
                if start + items > len(block):
                    raise damaged(f"its EXIF tag {tag:#06x} is cut off", at + entry)
                if tag in NAMES or _KEYED.match(block, start, start + min(items, 40)):
                    total += items  # thousands of entries can name the same bytes
                    if total > MAX_TEXT:
                        raise damaged(f"more than {MAX_TEXT >> 20} MiB of text in its EXIF data", at + entry)
                    yield from _tag(tag, block[start : start + items], order)


def _tag(tag: int, raw: bytes, order: str) -> Texts:
    text = _text(tag, raw, order)
    key, colon, rest = text.partition(":")
    if colon and key.strip().lower() in KEYS:
        yield key.strip().lower(), rest
    elif tag in NAMES and text.strip():
        yield NAMES[tag], text


def _text(tag: int, raw: bytes, order: str) -> str:
    if tag == XP_COMMENT:
        return raw.decode("utf-16-le", "replace").rstrip("\0")
    if tag != USER_COMMENT:
        return decoded(raw)
    code, text = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        # In the block's byte order by the standard; most writers use big-endian whatever the block has.
        likely = ("utf-16-le", "utf-16-be") if text[1:2] == b"\0" else ("utf-16-be", "utf-16-le")
        guess = likely if text[:1] == b"\0" or text[1:2] == b"\0" else (f"utf-16-{'le' if order == '<' else 'be'}",)
        return text.decode(guess[0], "replace").rstrip("\0")
    return decoded(text if code in (b"ASCII\0\0\0", bytes(8)) else raw)

"""Which kind a file is by its first bytes, and the texts that it carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, NamedTuple

import msgspec

from comfytui.workflow.embedded import boxes, jpeg, matroska, png, sound, tensors, webp, xml
from comfytui.workflow.embedded.source import MAX_TEXTS, Source, Texts, damaged
from comfytui.workflow.errors import WorkflowError

HEAD = 512  # bytes that tell the kind
MAX_KEYWORD = 200
MAX_KEPT = 1000  # texts; ComfyUI writes two


class Kind(NamedTuple):
    """A kind of file: what a user calls it, its endings, and what reads its texts."""

    name: str
    suffixes: tuple[str, ...]
    texts: Callable[[Source], Texts]


KINDS = {
    "png": Kind("picture", (".png", ".apng"), png.texts),
    "webp": Kind("picture", (".webp",), webp.texts),
    "jpeg": Kind("picture", (".jpg", ".jpeg"), jpeg.texts),
    "avif": Kind("picture", (".avif", ".heic", ".heif"), boxes.texts),
    "svg": Kind("picture", (".svg",), xml.svg),
    "mp4": Kind("film", (".mp4", ".mov", ".m4v", ".m4a"), boxes.texts),
    "matroska": Kind("film", (".webm", ".mkv"), matroska.texts),
    "flac": Kind("sound", (".flac",), sound.flac),
    "ogg": Kind("sound", (".ogg", ".opus", ".oga"), sound.ogg),
    "mp3": Kind("sound", (".mp3",), sound.mp3),
    "safetensors": Kind("file", (".latent", ".safetensors"), tensors.safetensors),
    "glb": Kind("scene", (".glb",), tensors.glb),
}
SUFFIXES = tuple(suffix for kind in KINDS.values() for suffix in kind.suffixes)
PICTURES = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")


class Embedded(msgspec.Struct, frozen=True):
    """What a file carries. `texts`: keyword (lower case) → text, the first of a keyword.

    `damage` is what was wrong with the file, if something was: what stood before it, or beside it, is there.
    """

    kind: str
    texts: Mapping[str, str]
    damage: WorkflowError | None = None

    @property
    def name(self) -> str:
        """What a user calls such a file: picture, film, sound, scene, file."""
        return KINDS[self.kind].name


def kind_of(head: bytes, size: int) -> str:
    """The kind of a file that begins with `head` (HEAD bytes are enough), a key of KINDS; empty for any other."""
    if head.startswith(png.SIGNATURE):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[4:8] == b"ftyp":
        return "avif" if head[8:12] in PICTURES else "mp4"
    if head[4:8] in (b"moov", b"wide", b"mdat") and int.from_bytes(head[:4], "big") <= max(size, 8):
        return "mp4"  # QuickTime's oldest
    if head.startswith(matroska.SIGNATURE):
        return "matroska"
    starts = {b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mp3", b"glTF": "glb"}
    for start, kind in starts.items():
        if head.startswith(start):
            return kind
    if tensors.is_safetensors(head):
        return "safetensors"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return "svg" if text.startswith(b"<") and b"<svg" in head else ""


def find(file: BinaryIO, size: int) -> Embedded | None:
    """What the file carries; None if it is no kind of file that can. `size` in bytes; the place in the file is moved.

    A damaged file gives what could be read, see `Embedded.damage`. Raises WorkflowError if it cannot be read at all.
    """
    source = Source(file, size)
    kind = kind_of(source.peek(0, HEAD), size)
    if not kind:
        return None
    texts: dict[str, str] = {}
    total = 0
    damage: WorkflowError | None = None
    try:
        for keyword, text in KINDS[kind].texts(source):
            total += len(text)
            if total > MAX_TEXTS or len(texts) >= MAX_KEPT:
                raise damaged(f"more than {MAX_TEXTS >> 20} MiB of text", 0)
            texts.setdefault(keyword[:MAX_KEYWORD].lower(), text)
    except WorkflowError as error:
        damage = error
    return Embedded(kind, texts, source.damage or damage)

"""The picture that a model file brings in its own header, where trainers put an example of what it draws."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any

import msgspec

_MAX_HEADER = 64 * 1024 * 1024  # bytes; several pictures as text are some megabytes
_THUMBNAIL = "modelspec.thumbnail"  # Stability AI's ModelSpec: a data URL
_COVERS = "ssmd_cover_images"  # Model Metadata Editor: JSON, a list of pictures in base64


class _Header(msgspec.Struct):
    """Of a safetensors file; the tensors' places are skipped unread."""

    metadata: dict[str, Any] = msgspec.field(default_factory=dict, name="__metadata__")


def embedded(model: Path) -> bytes | None:
    """The bytes of the picture inside a safetensors file, not yet looked at; None without one or for another file."""
    if model.suffix != ".safetensors":
        return None
    try:
        metadata = _metadata(model)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None
    for text in (metadata.get(_THUMBNAIL), _first(metadata.get(_COVERS))):
        if isinstance(text, str) and (data := _bytes(text)):
            return data
    return None


def _metadata(model: Path) -> dict[str, Any]:
    with model.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER:
            return {}
        return msgspec.json.decode(file.read(length), type=_Header).metadata


def _first(text: Any) -> Any:
    try:
        covers = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return covers[0] if isinstance(covers, list) and covers else None


def _bytes(text: str) -> bytes | None:
    """Of base64, or of a data URL that holds it."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None

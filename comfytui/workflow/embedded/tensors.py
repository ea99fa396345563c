"""The texts of files with a JSON header: saved latents and other safetensors by their metadata, GLB scenes by their extras.

Source: safetensors' README (format); glTF 2.0, 3.2 and 4.4. The numbers behind the header are not read.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from comfytui.workflow.embedded.source import Source, Texts, damaged


class _Header(msgspec.Struct):
    metadata: dict[str, Any] = msgspec.field(default_factory=dict, name="__metadata__")


class _Asset(msgspec.Struct):
    extras: dict[str, Any] = msgspec.field(default_factory=dict)


class _Scene(msgspec.Struct):
    asset: _Asset = msgspec.field(default_factory=_Asset)


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins so is one: a length, then an object. Eight letters would be a length beyond all."""
    return len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 1 << 40


def safetensors(source: Source) -> Texts:
    """Key and text of the metadata. Raises WorkflowError."""
    (length,) = struct.unpack("<Q", source.take(0, 8, "its header"))
    yield from _strings(_decoded(source.take(8, length, "its header"), _Header, 8).metadata)


def glb(source: Source) -> Texts:
    """Key and text of what the scene has as extras of its asset. Raises WorkflowError."""
    length, kind = struct.unpack("<I4s", source.take(12, 8, "its header"))
    if kind != b"JSON":
        raise damaged("a scene without a description", 12)
    yield from _strings(_decoded(source.take(20, length, "the scene"), _Scene, 20).asset.extras)


def _decoded(data: bytes, form: type, at: int) -> Any:
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(f"its header is damaged: {error}", at) from error


def _strings(found: dict[str, Any]) -> Texts:
    for key, value in found.items():
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, (dict, list)):
            yield key, msgspec.json.encode(value).decode()

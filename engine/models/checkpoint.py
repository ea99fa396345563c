"""Opens safetensors files: their keys, shapes and metadata at once, their tensors when asked for.

Only safetensors: the older formats are pickles, which run code when they are opened.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

PICKLES = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".pkl"})
MAX_HEADER = 100_000_000  # bytes; the format's own limit
Shape = tuple[int, ...]


class ModelFileError(Exception):
    """A model file cannot be used; the message names the file, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A safetensors file, not yet read: `shapes` by key, and `read` for the tensors themselves."""

    path: Path
    shapes: Mapping[str, Shape]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def under(self, prefix: str) -> dict[str, Shape]:
        """Shapes of the keys that start with `prefix`, without it."""
        return {k[len(prefix) :]: s for k, s in self.shapes.items() if k.startswith(prefix)}

    @contextmanager
    def reader(self) -> Iterator[Any]:
        """The memory-mapped file: `get(key)` gives a tensor on the CPU, in the type it is stored in."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="pt", device="cpu") as file:
                yield file.get_tensor
        except SafetensorError as error:
            raise ModelFileError(
                f"{self.path.name} is not a whole safetensors file ({error}); download it again"
            ) from error

    def read(self, names: Mapping[str, str], dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Tensors in `dtype` under new names: `names` maps a key of the file to the name wanted."""
        with self.reader() as get:
            return {new: get(key).to(dtype) for key, new in names.items()}


def open_weights(path: Path) -> Weights:
    """Read the header of a safetensors file and check that the file is as long as the header says.

    Raises `ModelFileError` for a missing, truncated or foreign file, and for pickles.
    """
    if path.suffix.lower() in PICKLES:
        raise ModelFileError(
            f"{path.name} is a pickle ({path.suffix}), which can run any code when it is opened; only safetensors files are read: "
            "convert it, or get the .safetensors of the same model"
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            # a JSON object begins with a brace; anything else in its place is another kind of file
            brace = file.read(1)
            if not 2 <= length <= MAX_HEADER or brace != b"{":
                raise ModelFileError(
                    f"{path.name} is not a safetensors file: expected its header, found {_kind_of_bytes(start + brace)}"
                )
            if 8 + length > size:
                raise ModelFileError(
                    f"{path.name} is cut short: its header alone has {length} bytes, the file {size}; download it again"
                )
            text = brace + file.read(length - 1)
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error
    return _parse(path, text, size - 8 - length)


def _parse(path: Path, text: bytes, available: int) -> Weights:
    shapes, needed = {}, 0
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        for key, entry in header.items():
            shapes[key] = tuple(int(n) for n in entry["shape"])
            needed = max(needed, int(entry["data_offsets"][1]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelFileError(
            f"{path.name} is not a safetensors file: its header does not parse ({type(error).__name__})"
        ) from error
    if needed > available:
        raise ModelFileError(
            f"{path.name} is cut short: {needed} bytes of weights are announced, {available} are there; download it again"
        )
    return Weights(path, shapes, metadata if isinstance(metadata, dict) else {})


def _kind_of_bytes(start: bytes) -> str:
    """What a file that is no safetensors seems to be, from its first bytes."""
    if not start.strip(b"\0"):
        return "nothing (an empty file)"
    if start.startswith(b"PK"):
        return "a zip archive (a PyTorch pickle?)"
    if start.startswith(b"GGUF"):
        return "a GGUF file"
    if start.lstrip()[:1] == b"<":
        return "a web page (an error page saved in place of the model?)"
    if start.startswith(b"version "):
        return "a Git LFS pointer; fetch the real file with git lfs pull"
    return f"the bytes {start[:8].hex(' ')}"

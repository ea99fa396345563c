"""Opens model files: their keys, shapes and metadata at once, their tensors when asked for.

Safetensors only, unless the command line says otherwise: the older formats are pickles, which run code when they are
opened by anything that is not careful (see `pickles`).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from engine.models import pickles

PICKLES = pickles.SUFFIXES | {".pt2", ".pkl"}
MAX_HEADER = (
    32 * 1024 * 1024
)  # bytes; the format allows 100 MB, whose parsing takes gigabytes, and the largest have one
MAX_TENSORS = 100_000
# Bits of a number, by the format's names. https://github.com/huggingface/safetensors, "Format"
_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
_BITS |= dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8)
_BITS |= dict.fromkeys(("I16", "U16", "F16", "BF16"), 16) | dict.fromkeys(("I32", "U32", "F32"), 32)
_BITS |= dict.fromkeys(("I64", "U64", "F64", "C64"), 64)
Shape = tuple[int, ...]


class ModelFileError(Exception):
    """A model file cannot be used; the message names the file, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model file, not yet read: `shapes` by key, and `read` for the tensors themselves.

    `metadata` is what the file's author wrote: text to show, and nothing that is believed or run.
    """

    path: Path
    shapes: Mapping[str, Shape]
    metadata: Mapping[str, str] = field(default_factory=dict)
    tensors: Mapping[str, torch.Tensor] | None = None  # of a pickled file, mapped; None: in the safetensors file

    def under(self, prefix: str) -> dict[str, Shape]:
        """Shapes of the keys that start with `prefix`, without it."""
        return {k[len(prefix) :]: s for k, s in self.shapes.items() if k.startswith(prefix)}

    @contextmanager
    def reader(self) -> Iterator[Any]:
        """The memory-mapped file: `get(key)` gives a tensor on the CPU, in the type it is stored in."""
        if self.tensors is not None:
            yield self.tensors.__getitem__
            return
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


def open_weights(path: Path, *, allow_pickle: bool = False) -> Weights:
    """Read the header of a safetensors file and check that the file holds what the header says.

    With `allow_pickle`, pickled files are read too, their weights only.
    Raises `ModelFileError` for a missing, truncated, inconsistent or foreign file, and for pickles.
    """
    if path.suffix.lower() in PICKLES:
        return _open_pickle(path, allow_pickle)
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


def _open_pickle(path: Path, allowed: bool) -> Weights:
    safe = "convert it, or get the .safetensors of the same model"
    if path.suffix.lower() not in pickles.SUFFIXES:
        raise ModelFileError(f"{path.name} is a pickle ({path.suffix}) of a kind that is never read: {safe}")
    if not allowed:
        raise ModelFileError(
            f"{path.name} is a pickle ({path.suffix}), which can run any code when it is opened; only safetensors files are read: "
            f"{safe}. An engine started with --allow-pickle reads such files too, their weights only"
        )
    try:
        tensors = pickles.read(path)
    except pickles.PickleError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error}; {safe}") from error
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error
    return Weights(path, {key: tuple(tensor.shape) for key, tensor in tensors.items()}, {}, tensors)


def _parse(path: Path, text: bytes, available: int) -> Weights:
    shapes: dict[str, Shape] = {}
    places: list[tuple[int, int, str]] = []
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        if len(header) > MAX_TENSORS:
            raise ModelFileError(f"{path.name} announces {len(header)} tensors; {MAX_TENSORS} are the limit")
        for key, entry in header.items():
            shapes[key] = tuple(_natural(n) for n in entry["shape"])
            start, end = (_natural(n) for n in entry["data_offsets"])
            bits = _BITS[entry["dtype"]] * math.prod(shapes[key])
            if bits % 8 or end - start != bits // 8:
                raise ModelFileError(
                    f"{path.name} is damaged: {key[:100]} should have {bits / 8:g} bytes and has {end - start}; "
                    "download it again"
                )
            places.append((start, end, key))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelFileError(
            f"{path.name} is not a safetensors file: its header does not parse ({type(error).__name__})"
        ) from error
    needed = max((end for _, end, _ in places), default=0)
    if needed > available:
        raise ModelFileError(
            f"{path.name} is cut short: {needed} bytes of weights are announced, {available} are there; download it again"
        )
    places.sort()
    for (_, before, first), (after, end, second) in pairwise(places):
        if after < before and end > after:
            raise ModelFileError(
                f"{path.name} is damaged: {first[:100]} and {second[:100]} lie over each other; download it again"
            )
    told = metadata.items() if isinstance(metadata, dict) else ()
    return Weights(path, shapes, {key: value for key, value in told if isinstance(value, str)})


def _natural(value: Any) -> int:
    """A number of elements or bytes. Raises `ValueError`."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(value)
    return value


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

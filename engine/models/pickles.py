"""Reads PyTorch's pickled files, and of them nothing but the weights."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

SUFFIXES = frozenset({".ckpt", ".pt", ".pth", ".bin"})
_MAX_DEPTH = 4  # dicts in dicts: textual inversions have two, trainers' checkpoints three
_MAX_TENSORS = 100_000
_WHOLE = 512 * 1024 * 1024  # bytes of a file that cannot be mapped and is read whole


class PickleError(Exception):
    """The file cannot be read without running what is in it, or holds no weights; the message says which."""


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, memory-mapped where its format allows it. Nested names are joined by dots.

    A `state_dict` at the top is taken for the whole. `weights_only` builds tensors and plain containers and calls
    nothing else that the file names (torch 2.6 or newer, see CVE-2025-32434). Raises `PickleError` and `OSError`.
    """
    mapped = zipfile.is_zipfile(path)
    if not mapped and path.stat().st_size > _WHOLE:
        raise PickleError(
            "it has the format of before PyTorch 1.6, which must be read whole, and is too large for that"
        )
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]{1,100})", str(error))
        what = f"it names {named[1]}" if named else "it is damaged, or no pickle of PyTorch"
        raise PickleError(f"there is more in it than weights: {what}") from error
    except OSError:
        raise
    except Exception as error:
        # A damaged pickle ends in whatever its opcodes end in; none of them were called on our behalf.
        raise PickleError(f"it is damaged ({type(error).__name__})") from error
    found: dict[str, torch.Tensor] = {}
    inner = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else loaded
    _collect(inner, "", 0, found)
    if not found:
        raise PickleError("there are no tensors in it")
    return found


def _collect(value: Any, name: str, depth: int, found: dict[str, torch.Tensor]) -> None:
    if isinstance(value, torch.Tensor):
        if len(found) >= _MAX_TENSORS:
            raise PickleError(f"it has more than {_MAX_TENSORS} tensors")
        if value.layout is not torch.strided or value.is_quantized:
            raise PickleError(f"{name} is not a plain tensor")
        found[name] = value.detach()
    elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
        for key, item in value.items():
            if isinstance(key, str):
                _collect(item, f"{name}.{key}" if name else key, depth + 1, found)

"""Where the engine's files are: output, input, temp and user folders, and the folders of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MODEL_EXTENSIONS = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"})


@dataclass(frozen=True, slots=True)
class Folders:
    """Absolute paths, decided once at the start; both processes hold the same value."""

    base: Path
    output: Path
    input: Path
    temp: Path
    user: Path
    models: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # folder type → roots, first wins

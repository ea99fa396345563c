"""Pictures inside model files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from engine.files.covers import embedded

PICTURE = b"\x89PNG not really"
TEXT = base64.b64encode(PICTURE).decode()


def model(folder: Path, metadata: Any, name: str = "a.safetensors") -> Path:
    header = json.dumps(
        {"__metadata__": metadata, "t": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
    ).encode()
    path = folder / name
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        {"modelspec.thumbnail": f"data:image/png;base64,{TEXT}"},
        {"ssmd_cover_images": json.dumps([TEXT, "other"])},
        {"modelspec.thumbnail": "data:image/png;base64,§", "ssmd_cover_images": json.dumps([TEXT])},
    ],
)
def test_the_picture_in_the_header(tmp_path: Path, metadata: dict[str, str]) -> None:
    assert embedded(model(tmp_path, metadata)) == PICTURE


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"ssmd_cover_images": "[]"},
        {"ssmd_cover_images": "{"},
        {"ssmd_cover_images": "[" * 5000},
        {"ssmd_cover_images": '["§"]'},
        {"ssmd_cover_images": "[3]"},
        {"modelspec.thumbnail": 4},
        ["not an object"],
    ],
)
def test_models_without_one(tmp_path: Path, metadata: Any) -> None:
    assert embedded(model(tmp_path, metadata)) is None


def test_files_that_are_no_safetensors(tmp_path: Path) -> None:
    for name, data in (("a.safetensors", b"12"), ("b.safetensors", (1 << 60).to_bytes(8, "little")), ("c.ckpt", b"")):
        (tmp_path / name).write_bytes(data)
        assert embedded(tmp_path / name) is None
    assert embedded(tmp_path / "absent.safetensors") is None

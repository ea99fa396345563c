"""Favourites are kept per workflow, and a damaged file costs nothing but them."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.settings import favourites


def test_each_workflow_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "state" / "favourites.json"
    favourites.keep("a", {"3.seed": "", "6.text": "subject"}, path)
    favourites.keep("b", {"3.seed": "dice"}, path)
    assert favourites.of("a", path) == {"3.seed": "", "6.text": "subject"}
    assert favourites.of("b", path) == {"3.seed": "dice"}
    favourites.keep("a", {}, path)
    assert favourites.of("a", path) == {}
    assert favourites.of("", path) == {}


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(favourites, "MAX_WORKFLOWS", 3)
    path = tmp_path / "f.json"
    for shape in "abcda":
        favourites.keep(shape, {"1.x": shape}, path)
    assert [bool(favourites.of(shape, path)) for shape in "abcd"] == [True, False, True, True]


@pytest.mark.parametrize("data", [b"", b"{", b'{"workflows": [1]}', b"[" * 100_000, b"\xff"])
def test_a_damaged_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(data)
    assert favourites.of("a", path) == {}
    favourites.keep("a", {"1.x": "n"}, path)
    assert favourites.of("a", path) == {"1.x": "n"}

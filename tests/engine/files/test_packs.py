"""What packs of custom nodes hold for a front end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.files import packs


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_folders_that_are_packs(tmp_path: Path) -> None:
    for name in ("one", ".git", "__pycache__", "off.disabled"):
        (tmp_path / "a" / name).mkdir(parents=True)
    (tmp_path / "b/one").mkdir(parents=True)
    put(tmp_path / "a/single.py", "")
    roots = (tmp_path / "a", tmp_path / "b", tmp_path / "absent")
    assert packs.packs(roots) == {"one": tmp_path / "a/one"}


def test_templates_by_pack(tmp_path: Path) -> None:
    put(tmp_path / "one/example_workflows/b.json", {})
    put(tmp_path / "one/example_workflows/b.jpg", "")
    put(tmp_path / "one/workflows/a.json", {})
    put(tmp_path / "two/readme.json", {})
    assert packs.templates([tmp_path]) == {"one": ["a", "b"]}
    assert packs.template_file([tmp_path], "one", "b.jpg") == tmp_path / "one/example_workflows/b.jpg"
    assert packs.template_file([tmp_path], "one", "a.json") == tmp_path / "one/workflows/a.json"
    for pack, name in (
        ("two", "readme.json"),
        ("three", "a.json"),
        ("one", "../../two/readme.json"),
        ("one", "c.json"),
    ):
        assert packs.template_file([tmp_path], pack, name) is None
    (tmp_path / "one/workflows/out.json").symlink_to(tmp_path / "two/readme.json")
    assert packs.template_file([tmp_path], "one", "out.json") is None


def test_translations_are_merged_and_broken_ones_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "a/locales/de/main.json", {"menu": {"x": "X"}, "y": "a"})
    put(tmp_path / "a/locales/de/nodeDefs.json", {"N": {"display_name": "Knoten"}})
    put(tmp_path / "b/locales/de/main.json", {"menu": {"z": "Z"}, "y": "b"})
    put(tmp_path / "b/locales/fr/commands.json", {"Do": {"label": "Faire"}})
    put(tmp_path / "b/locales/fr/settings.json", "{")
    assert packs.translations([tmp_path]) == {
        "de": {"menu": {"x": "X", "z": "Z"}, "y": "b", "nodeDefs": {"N": {"display_name": "Knoten"}}},
        "fr": {"commands": {"Do": {"label": "Faire"}}},
    }
    assert "b/locales/fr/settings.json is left out" in caplog.text


def test_subgraphs_keep_their_ids(tmp_path: Path) -> None:
    put(tmp_path / "p/subgraphs/Upscale twice.json", {"nodes": []})
    (one,) = packs.subgraphs([tmp_path]).values()
    assert (one.name, one.pack) == ("Upscale twice", "custom_nodes.p")
    assert packs.text_of(one) == '{"nodes": []}'
    put(tmp_path / "p/subgraphs/another.json", {})
    assert one.id in packs.subgraphs([tmp_path])
    assert len(packs.subgraphs([tmp_path])) == 2


def test_a_subgraph_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    put(tmp_path / "p/subgraphs/big.json", " " * (8 * 1024 * 1024 + 1))
    (one,) = packs.subgraphs([tmp_path]).values()
    with pytest.raises(ValueError, match="larger than"):
        packs.text_of(one)

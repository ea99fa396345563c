"""What a run has to upload: media files beside the workflow, and never a file that it has no business with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.uploads import uploads

INFO = {
    "LoadImage": {"input": {"required": {"image": [["there.png"], {"image_upload": True}]}}, "output": ["IMAGE"]},
    "LoadAudio": {"input": {"required": {"audio": ["COMBO", {"options": [], "audio_upload": True}]}}},
    "Text": {"input": {"required": {"image": ["STRING"]}}},
}


def graph(value: object, kind: str = "LoadImage", name: str = "image") -> dict:
    return {"1": {"class_type": kind, "inputs": {name: value}}}


def test_what_is_missing_and_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "a.png").write_bytes(b"12345")
    (tmp_path / "input" / "b.wav").write_bytes(b"1")
    (found,) = uploads(graph("a.png"), INFO, tmp_path)
    assert (found.node_id, found.input, found.path, found.size) == ("1", "image", (tmp_path / "a.png").resolve(), 5)
    (found,) = uploads(graph("b.wav", "LoadAudio", "audio"), INFO, tmp_path)
    assert found.path is not None and found.path.name == "b.wav"
    (found,) = uploads(graph("sub/a.png"), INFO, tmp_path)
    assert found.path is not None, "the server's folder need not be ours"
    (found,) = uploads(graph("gone.png"), INFO, tmp_path)
    assert found.path is None and found.value == "gone.png"


def test_what_the_server_has_and_what_is_no_upload(tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"1")
    for each in (
        graph("there.png"),
        graph(["2", 0]),
        graph("a.png [output]"),
        graph("there.png", "Text"),
        graph("x", "Gone"),
    ):
        assert uploads(each, INFO, tmp_path) == []


def test_no_other_file_of_this_disk_is_carried_away(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "home" / "flows"
    folder.mkdir(parents=True)
    (home / "secret.png").write_bytes(b"1")
    (folder / "id_rsa").write_bytes(b"1")
    (folder / "link.png").symlink_to(home / "secret.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "folder.png").mkdir()
    for value in (
        "../secret.png",
        str(home / "secret.png"),
        "link.png",
        "loop.png",
        "folder.png",
        "a\0b.png",
        "~/secret.png",
    ):
        (found,) = uploads(graph(value), INFO, folder)
        assert found.path is None, value
    (found,) = uploads(graph("id_rsa"), INFO, folder)
    assert "no picture" in found.refused


@given(st.text(min_size=1, max_size=60) | st.text(alphabet="./\\~[]inputo x", min_size=1, max_size=30))
def test_any_value_is_answered(value: str) -> None:
    for found in uploads(graph(value), INFO, Path("tests")):
        assert found.path is None or found.path.is_relative_to(Path("tests").resolve())


def test_a_file_that_no_server_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.workflow.uploads.MAX_BYTES", 3)
    (tmp_path / "a.png").write_bytes(b"1234")
    (found,) = uploads(graph("a.png"), INFO, tmp_path)
    assert "servers take" in found.refused

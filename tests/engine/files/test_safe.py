from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.safe import UnsafeNameError, beside, clean, inside


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "\\etc",
        "C:\\x",
        "c:x",
        "a\0b",
        "a\nb",
        "..",
        "a/..",
        "..\\x",
        "x" * 2000,
        "\ud800",
        "\uff0e\uff0e/x",
        "a/\u2025/x",
        "\uff0e\uff0e\uff0fx",
        "\uff23:x",
        " .. /x",
        "..\u00a0/x",
        "a\u202egnp.exe",
        "a\u2066b",
        "a\x9bb",
        "a\u2028b",
        "\ufeffa",
        "x" * 256,
        "a/" + "é" * 128,
        "é/" * 400,
        "NUL",
        "con.png",
        "a/aux .txt",
        "COM\u00b9",
    ],
)
def test_names_that_leave_or_break_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeNameError):
        inside(tmp_path, name)


def test_ordinary_names_are_kept(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/ä b (1).png") == tmp_path / "a/ä b (1).png"
    assert inside(tmp_path, "") == tmp_path
    assert clean("./a//b/.") == "a/b"
    assert clean("sub\\a.png") == "sub/a.png"
    assert clean("a..b/...c") == "a..b/...c"


def test_a_link_that_leads_out_is_refused_unless_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(UnsafeNameError, match="leads out"):
        inside(root, "link/a.png")
    assert inside(root, "link/a.safetensors", follow=True) == root / "link/a.safetensors"
    with pytest.raises(UnsafeNameError):
        inside(root, "loop/a")


def test_a_root_that_is_itself_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert inside(tmp_path / "link", "a.png") == tmp_path / "link/a.png"


_parts = st.sampled_from(["..", ".", "", "a", "b.png", "/", "\\", "C:", "\0", "é", " "])


@given(
    st.one_of(
        st.text(max_size=40), st.lists(_parts, max_size=8).map("/".join), st.lists(_parts, max_size=8).map("\\".join)
    )
)
def test_whatever_is_let_through_stays_inside(name: str) -> None:
    root = Path("/nonexistent/root")
    try:
        path = inside(root, name)
    except UnsafeNameError:
        return
    assert ".." not in path.parts
    assert path.resolve().is_relative_to(root)


def test_names_of_other_scripts_are_kept(tmp_path: Path) -> None:
    for name in (
        "写真／夏.png",
        "café.png",
        "קובץ.png",
        "a\u200d.png",
        "😀.png",
        "ab:c.png",
        "comet.png",
        "nulls/a",
        "x" * 255,
    ):
        assert inside(tmp_path, name) == tmp_path / name


def test_folders_of_models_may_have_any_name(tmp_path: Path) -> None:
    assert inside(tmp_path, "aux/a.safetensors", follow=True) == tmp_path / "aux/a.safetensors"
    with pytest.raises(UnsafeNameError):
        inside(tmp_path, "../a.safetensors", follow=True)


def test_what_lies_beside_a_model(tmp_path: Path) -> None:
    real, away = tmp_path / "real", tmp_path / "away"
    real.mkdir()
    away.mkdir()
    (tmp_path / "models").symlink_to(real)
    for folder in (real, away):
        (folder / "a.png").write_bytes(b"x")
    (real / "b.png").symlink_to(away / "a.png")
    (real / "c.png").symlink_to(real / "a.png")
    (real / "d.png").symlink_to(real / "d.png")
    model = tmp_path / "models/a.safetensors"
    found = [
        name for name in ("a.png", "b.png", "c.png", "d.png", "e.png", "x" * 300) if beside(model, name) is not None
    ]
    assert found == ["a.png", "c.png"]

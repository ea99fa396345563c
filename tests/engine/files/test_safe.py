from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.safe import UnsafeNameError, clean, inside


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

import errno
import os
from datetime import datetime
from pathlib import Path

import pytest

from engine.files import naming
from engine.files.naming import save, save_place
from engine.files.safe import UnsafeNameError


@pytest.fixture(autouse=True)
def fresh_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "_last", {})


def test_numbers_go_on_after_the_largest_there_is(tmp_path: Path) -> None:
    for name in ("img_00007_.png", "IMG_00009_.png", "img_other_00100_.png", "img_00003_.latent", "img.png"):
        (tmp_path / name).touch()
    place = save_place(tmp_path, "img")
    assert save(place, b"x", ".png") == "img_00010_.png"
    assert save(place, b"x", ".latent") == "img_00011_.latent"


def test_a_number_taken_by_someone_else_is_skipped(tmp_path: Path) -> None:
    place = save_place(tmp_path, "img")
    assert save(place, b"1", ".png") == "img_00001_.png"
    (tmp_path / "img_00002_.png").write_bytes(b"theirs")
    assert save(place, b"3", ".png") == "img_00003_.png"
    assert (tmp_path / "img_00002_.png").read_bytes() == b"theirs"


def test_tokens_and_folders(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7)
    place = save_place(
        tmp_path, "%year%-%month%/%day%_%hour%%minute%%second%_%width%x%height%_%batch_num%", 64, 32, moment
    )
    assert place.subfolder == "2026-03"
    assert save(place, b"x", ".png", batch_number=3) == "04_050607_64x32_3_00001_.png"
    assert save(place, b"x", ".png", batch_number=4) == "04_050607_64x32_4_00002_.png"
    naming._last.clear()
    assert save(place, b"x", ".png") == "04_050607_64x32_0_00003_.png"
    assert save_place(tmp_path, "%unknown%").stem == "%unknown%"


@pytest.mark.parametrize("prefix", ["../x", "/abs/x", "a/../../x", "x\0", "x" * 300])
def test_a_prefix_stays_inside(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(UnsafeNameError):
        save_place(tmp_path, prefix)


def test_a_cleared_output_folder_is_made_again(tmp_path: Path) -> None:
    place = save_place(tmp_path, "sub/img")
    save(place, b"x", ".png")
    (tmp_path / "sub/img_00001_.png").unlink()
    (tmp_path / "sub").rmdir()
    assert save(place, b"x", ".png") == "img_00001_.png"


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = save_place(tmp_path, "img")
    real = os.fdopen

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, _: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(naming.os, "fdopen", lambda *a, **k: Full(real(*a, **k)))
    with pytest.raises(OSError, match=r"No space.*img_00001_"):
        save(place, b"x", ".png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_where_files_without_a_name_are_unknown_the_name_is_still_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no links on this file system")

    monkeypatch.setattr(naming, "_unnamed", lambda _: None)
    if not links:
        monkeypatch.setattr(naming.os, "link", refused)
    place = save_place(tmp_path, "img")
    assert save(place, b"first", ".png") == "img_00001_.png"
    monkeypatch.setattr(naming, "_last", {})
    (tmp_path / "img_00002_.png").write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError):
        naming.write_new(tmp_path / "img_00002_.png", b"second")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "img_00001_.png": b"first",
        "img_00002_.png": b"somebody else's",
    }


def test_what_is_saved_is_forced_to_the_disk_before_its_name_is_and_temporary_files_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"  # noqa: PTH112 - not a path of ours
        forced.append(f"{kind}, {len(list(tmp_path.rglob('*.png')))} named")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    place = save_place(tmp_path, "a/b/img")
    assert forced == ["folder, 0 named"] * 2  # the names of b and a
    save(place, b"x", ".png", durable=True)
    assert forced[2:] == ["file, 0 named", "folder, 1 named"]
    save(save_place(tmp_path, "a/b/img"), b"x", ".png")
    assert len(forced) == 4
    monkeypatch.setattr(naming, "_unnamed", lambda folder: None)  # a file system without files that have no name
    save(place, b"x", ".png", durable=True)
    assert forced[4:] == ["file, 2 named", "folder, 3 named"]

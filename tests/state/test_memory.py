"""What is remembered beside the jobs: stars, notes, times and the catalogue, over the end of the program."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from comfytui.client.errors import NotKept
from comfytui.state.catalogues import FRESH, KEPT, Catalogues
from comfytui.state.disk import NAME, VERSION, Disk
from comfytui.state.marks import MAX_NOTE, Marks
from comfytui.state.model import Mark
from tests.state.conftest import until
from tests.state.test_moves import program
from tests.support.replay import FakeComfy, txt2img


async def test_stars_notes_and_times_are_there_at_the_next_start(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            prompt_id = (await connection.submit(txt2img())).prompt_id
            await until(connection, lambda s: s.timings and prompt_id in s.history)
            learned = connection.state.timings
            await connection.star(prompt_id)
            await connection.note(prompt_id, " for the cover\n")
            await connection.star("another")
            await connection.star("another", False)
            assert connection.state.marks == {prompt_id: Mark(True, "for the cover")}
        async with program(server, tmp_path) as connection:
            state = await until(connection, lambda s: s.timings)
            assert dict(state.timings) == dict(learned)
            assert state.marks == {prompt_id: Mark(True, "for the cover")}


async def test_the_catalogue_is_asked_for_once_per_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.state.memory.SLOW", 0.0)  # a slow link: what is kept is not asked for behind
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            await until(connection, lambda s: s.stats is not None)
            assert "KSampler" in await connection.load_object_info()
            await connection.load_object_info()
        async with program(server, tmp_path) as connection:
            await until(connection, lambda s: s.stats is not None)
            assert "KSampler" in await connection.load_object_info()
            assert len(server.asked("GET", "/object_info")) == 1
            await connection.load_object_info(force=True)
            assert len(server.asked("GET", "/object_info")) == 2


def test_catalogues_of_another_version_old_or_damaged_are_not_used(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "db")
    kept = Catalogues(disk, "http://one")
    kept.save("1.0", {"A": {"x": "\x1b[31m"}}, 1000.0)
    found = kept.load("1.0", 1001.0)
    assert found is not None
    assert "\x1b" not in found["A"]["x"]
    assert kept.load("1.1", 1001.0) is None
    assert kept.load("1.0", 1001.0 + FRESH) is None
    disk.write(lambda db: db.execute("UPDATE catalogues SET body = 'x'"))
    assert kept.load("1.0", 1001.0) is None
    for n in range(2 * KEPT):
        Catalogues(disk, f"http://{n}").save("1", {"A": {}}, 2000.0 + n)
    assert disk.read(lambda db: db.execute("SELECT count(*) FROM catalogues").fetchone()) == (KEPT,)


def test_notes_are_bounded_and_any_text_is_kept(tmp_path: Path) -> None:
    marks = Marks(Disk(tmp_path / "db"), "http://one")
    assert len(marks.note("a", "x" * 2 * MAX_NOTE).note) == MAX_NOTE
    marks.note("b", "\ud800 ä")
    assert Marks(Disk(tmp_path / "db"), "http://one").all()["b"].note == "? ä"
    assert Marks(Disk(tmp_path / "db"), "http://two").all() == {}


def test_a_database_of_a_newer_program_is_put_aside_and_not_changed(tmp_path: Path) -> None:
    disk = Disk(tmp_path / NAME)
    disk.write(lambda db: db.execute(f"PRAGMA user_version={VERSION + 1}"))
    disk.close()
    Marks(Disk(tmp_path / NAME), "s").star("a")
    assert (tmp_path / f"{NAME}.unusable").exists()
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_what_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotKept, match="file"):
        Marks(Disk(tmp_path / "file" / NAME), "s").star("a")

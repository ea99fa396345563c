"""Disks that are full, read-only or locked, and files that are damaged or somebody else's."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import database
from engine.jobs.database import VERSION, StoreError
from engine.jobs.job import Job
from engine.jobs.store import JobStore
from tests.engine.jobs.test_store import finished, job, opened
from tests.support.disks import fill, read_only, small_disk


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY", 0.05)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 1024) as folder:
        yield folder


async def refused(path: Path) -> StoreError:
    store = JobStore(path)
    store.start()
    with pytest.raises(StoreError) as error:
        await store.opened()
    await store.close()
    return error.value


async def filled(path: Path, count: int = 200) -> None:
    """A store with waiting jobs and a history of a few hundred pages."""
    store = await opened(path)
    text = b'{"text":"' + b"x" * 3000 + b'"}'
    jobs = [Job(number, f"h{number}", text, b"{}", ("1",), 7) for number in range(count)]
    await asyncio.gather(*(store.add(one) for one in jobs))
    for one in jobs:
        store.finish(finished(one))
    await asyncio.gather(*(store.add(job(1000 + number, f"w{number}")) for number in range(20)))
    await store.close()


async def names(store: JobStore) -> tuple[set[str], set[str]]:
    waiting, _ = await store.load()
    return {one.prompt_id for one in waiting}, {name for name, _ in await store.history(None, 0)}


# ── full, read-only, locked ─────────────────────────────────────────────────────────────────────


async def test_a_full_disk_refuses_in_words_and_takes_jobs_again_when_there_is_room(disk: Path) -> None:
    store = await opened(disk / "jobs.sqlite")
    await store.add(job(0, "before"))
    ballast = fill(disk)
    with pytest.raises(StoreError, match=r"jobs\.sqlite.*full") as error:
        await store.add(Job(1, "big", b'"' + b"x" * 100_000 + b'"', b"{}", (), 0))
    assert error.value.trouble == "full"
    assert await names(store) == ({"before"}, set())  # it still answers
    ballast.unlink()
    await store.add(job(2, "after"))
    assert await names(store) == ({"before", "after"}, set())
    await store.close()


async def test_a_disk_that_is_full_at_the_start_is_told(disk: Path) -> None:
    fill(disk)
    assert (await refused(disk / "jobs.sqlite")).trouble == "full"


async def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    await filled(tmp_path / "state" / "jobs.sqlite")
    before = (tmp_path / "state" / "jobs.sqlite").read_bytes()
    with read_only(tmp_path / "state") as folder:
        error = await refused(folder / "jobs.sqlite")
    assert error.trouble == "readonly"
    assert "state/jobs.sqlite cannot be written" in str(error)
    assert "--user-directory" in str(error)
    assert (tmp_path / "state" / "jobs.sqlite").read_bytes() == before


async def test_a_file_that_another_process_has_locked_is_told_and_used_when_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = await opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another process") as error:
        await store.add(job(0, "a"))
    assert error.value.trouble == "locked"
    other.execute("ROLLBACK")
    await store.add(job(1, "b"))
    await store.close()

    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    assert (await refused(path)).trouble == "locked"
    other.close()
    again = await opened(path)
    assert (await names(again))[0] == {"b"}
    await again.close()


# ── damaged ─────────────────────────────────────────────────────────────────────────────────────


async def test_garbage_is_set_aside_whole(tmp_path: Path) -> None:
    path, garbage = tmp_path / "jobs.sqlite", random.Random(1).randbytes(20_000)
    path.write_bytes(garbage)
    (tmp_path / "jobs.sqlite-wal").write_bytes(b"the log beside it")
    store = await opened(path)
    await store.add(job(0, "a"))
    await store.close()
    kept = {file.name.partition("damaged-")[2].partition("-wal")[1]: file for file in tmp_path.glob("*.damaged-*")}
    assert kept[""].read_bytes() == garbage
    assert kept["-wal"].read_bytes() == b"the log beside it"
    path.write_bytes(garbage)
    await (await opened(path)).close()  # a second time in the same second
    path.write_bytes(b"")
    (tmp_path / "jobs.sqlite-wal").write_bytes(b"all that is left")
    await (await opened(path)).close()
    assert any(file.read_bytes() == b"all that is left" for file in tmp_path.glob("*.damaged-*-wal*"))
    assert len([file for file in tmp_path.glob("*.damaged-*") if file.read_bytes() == garbage]) == 2


async def test_a_truncated_file_is_set_aside_and_what_can_be_read_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    await filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    store = await opened(path)
    await store.add(job(9999, "new"))
    waiting, _ = await names(store)
    assert "new" in waiting
    assert len(list(tmp_path.glob("jobs.sqlite.damaged-*"))) >= 1
    await store.close()


@pytest.mark.parametrize("seed", range(6))
async def test_damage_in_the_middle_costs_at_most_what_lies_there(tmp_path: Path, seed: int) -> None:
    """Overwritten pages, found at the start or at first use: the store goes on, and the damaged file is kept."""
    path = tmp_path / "jobs.sqlite"
    await filled(path)
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(3):
        page = chance.randrange(20, len(data) // 4096)  # the tables' roots lie before
        data[page * 4096 : (page + 1) * 4096] = chance.randbytes(4096)
    path.write_bytes(data)
    store = await opened(path)
    waiting, history = set(), set()
    for _ in range(3):  # damage that is met is mended, and then the answer is there
        try:
            waiting, history = await names(store)
        except StoreError as error:
            assert error.trouble == "damaged"
    assert len(history) > 100
    assert len(waiting) >= 10
    await store.add(job(5000, "new"))
    store.finish(finished(job(5000, "new")))
    assert await store.entry("new") is not None
    await store.close()


async def test_a_newer_format_and_foreign_files_are_left_alone(tmp_path: Path) -> None:
    def make(name: str, *statements: str) -> Path:
        db = sqlite3.connect(tmp_path / name)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()
        return tmp_path / name

    cases = {
        make("newer", f"PRAGMA user_version={VERSION + 1}"): "newer version",
        make("foreign", "CREATE TABLE recipes (name)"): "recipes",
        make("numbered", f"PRAGMA user_version={VERSION}", "CREATE TABLE recipes (name)"): "not one of this engine",
    }
    for path, words in cases.items():
        before = path.read_bytes()
        error = await refused(path)
        assert words in str(error)
        assert "--user-directory" in str(error)
        assert path.read_bytes() == before
    assert not list(tmp_path.glob("*damaged*"))


# ── versions ────────────────────────────────────────────────────────────────────────────────────

_VERSION_1 = """
CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, number NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, job BLOB NOT NULL
);
CREATE INDEX waiting_id ON waiting (id);
CREATE TABLE history (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, number NOT NULL, status TEXT NOT NULL, workflow_id TEXT,
    create_time INTEGER NOT NULL, start_time INTEGER, end_time INTEGER, outputs_count INTEGER NOT NULL,
    preview BLOB, error BLOB, item BLOB NOT NULL, outcome BLOB NOT NULL
);
CREATE INDEX history_created ON history (create_time);
PRAGMA user_version=1;
"""


async def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    import msgspec

    path = tmp_path / "jobs.sqlite"
    db = sqlite3.connect(path)
    db.executescript(_VERSION_1)
    outcome = b'"outputs":{}'
    row = "INSERT INTO history VALUES (?, ?, ?, 'success', NULL, 7, 10, 15, 2, NULL, NULL, X'5b305d', ?)"
    db.executemany(row, [(3, "a", 0, outcome), (8, "b", -41, outcome)])
    body = msgspec.msgpack.encode(job(5.5, "w"))
    db.execute("INSERT INTO waiting (id, number, attempts, job) VALUES ('w', 5.5, 2, ?)", (body,))
    db.commit()
    db.close()
    store = await opened(path)
    (waiting,), number = await store.load()
    assert (waiting.prompt_id, waiting.number, waiting.attempts) == ("w", 5.5, 2)
    assert number == 42
    assert await store.history(None, 0) == [(name, b'{"prompt":[0],"outputs":{}}') for name in "ab"]
    row = await store.row("a")
    assert row is not None
    assert (row.start_time, row.end_time, row.outputs_count) == (10, 15, 2)
    await store.close()

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.jobs.job import Finished, Job
from engine.jobs.store import JobStore, StoreError


def job(number: float, prompt_id: str, **more: Any) -> Job:
    return Job(number, prompt_id, b'{"1":{}}', b'{"create_time":7}', ("1",), 7, **more)


def finished(one: Job, status: str = "success", outputs: dict[str, Any] | None = None) -> Finished:
    messages = [
        ("execution_start", {"timestamp": 10}),
        ("execution_error" if status == "error" else f"execution_{status}", {"timestamp": 15}),
    ]
    return Finished(one, status, outputs or {}, {}, messages)


async def opened(path: Path) -> JobStore:
    store = JobStore(path)
    store.start()
    await store.opened()
    return store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[JobStore]:
    made = await opened(tmp_path / "jobs.sqlite")
    yield made
    await made.close()


async def test_waiting_jobs_come_back_as_they_were(store: JobStore) -> None:
    jobs = [job(0, "a", client_id="c", workflow_id="w"), job(5.0, "b"), job(-3, "c")]
    await asyncio.gather(*(store.add(one) for one in jobs))
    await store.close()
    again = await opened(store.path)
    loaded, number = await again.load()
    assert sorted(loaded, key=lambda one: one.prompt_id) == jobs
    assert [type(one.number) for one in loaded] == [int, float, int]
    assert number == 4  # after the largest that the counter gave; 5.0 was a client's
    await again.close()


async def test_a_finished_job_moves_to_the_history(store: JobStore) -> None:
    one = job(0, "a")
    await store.add(one)
    store.finish(finished(one, outputs={"9": {"images": [{"filename": "x.png", "type": "output"}]}}))
    entry = json.loads(await store.entry("a") or b"")
    assert entry["prompt"] == [0, "a", {"1": {}}, {"create_time": 7}, ["1"]]
    assert entry["status"]["status_str"] == "success"
    assert entry["status"]["completed"] is True
    assert (await store.load())[0] == []
    row = await store.row("a")
    assert row is not None
    assert (row.outputs_count, row.start_time, row.end_time) == (1, 10, 15)
    assert json.loads(row.preview or b"")["nodeId"] == "9"


async def test_pages_of_the_history(store: JobStore) -> None:
    for number in range(7):
        store.finish(finished(job(number, f"p{number}")))

    async def names(limit: int | None, offset: int) -> list[str]:
        return [name for name, _ in await store.history(limit, offset)]

    assert await names(2, -1) == ["p5", "p6"]
    assert await names(2, 1) == ["p1", "p2"]
    assert await names(100, 5) == ["p5", "p6"]
    assert await names(None, 4) == ["p4", "p5", "p6"]
    first = await store.history_after(-1, 4)
    assert [name for _, name, _ in first] == ["p0", "p1", "p2", "p3"]
    assert [name for _, name, _ in await store.history_after(first[-1][0], 4)] == ["p4", "p5", "p6"]


async def test_an_id_that_is_used_again_replaces_its_entry(store: JobStore) -> None:
    store.finish(finished(job(0, "a")))
    store.finish(finished(job(1, "b")))
    store.finish(finished(job(2, "a"), "error"))
    assert [name for name, _ in await store.history(None, 0)] == ["b", "a"]


async def test_forgetting(store: JobStore) -> None:
    for name in "abc":
        store.finish(finished(job(0, name)))
    await store.forget(["a", "unknown"])
    assert [name for name, _ in await store.history(None, 0)] == ["b", "c"]
    await store.forget(None)
    assert await store.history(None, 0) == []


async def test_with_a_limit_the_oldest_entries_make_room(store: JobStore) -> None:
    for number in range(6):
        store.finish(finished(job(number, f"p{number}")), keep=3)
    assert [name for name, _ in await store.history(None, 0)] == ["p3", "p4", "p5"]


async def test_attempts_are_counted_and_taken_back(store: JobStore) -> None:
    one = job(0, "a")
    await store.add(one)
    store.begun(one)
    store.begun(one)
    store.begun(one, by=-1)
    assert (await store.load())[0][0].attempts == 1


async def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"this is no database, but long enough to be read as a header of one" * 40)
    store = await opened(path)
    await store.add(job(0, "a"))
    assert len(list(tmp_path.glob("jobs.sqlite.damaged-*"))) == 1
    await store.close()


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    store = JobStore(path)
    store.start()
    with pytest.raises(StoreError, match="newer version"):
        await store.opened()
    await store.close()


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "absent/jobs.sqlite")
    store.start()
    with pytest.raises(StoreError, match="absent"):
        await store.opened()


async def test_one_refused_write_does_not_take_its_neighbours_with_it(store: JobStore) -> None:
    def broken(_: object) -> None:
        raise ValueError("no")

    results = await asyncio.gather(
        store.add(job(0, "a")), store._work.run(broken), store.add(job(1, "b")), return_exceptions=True
    )
    assert isinstance(results[1], StoreError)
    assert {one.prompt_id for one in (await store.load())[0]} == {"a", "b"}


async def test_a_full_disk_is_told_to_who_waits(store: JobStore) -> None:
    await store._work.run(lambda db: db.execute("PRAGMA max_page_count=20"))
    with pytest.raises(StoreError, match="full"):
        await store.add(Job(0, "big", b'"' + b"x" * 1_000_000 + b'"', b"{}", (), 0))
    await store._work.run(lambda db: db.execute("PRAGMA max_page_count=100000"))
    await store.add(job(1, "small"))
    assert [one.prompt_id for one in (await store.load())[0]] == ["small"]


_KILLED = """
import asyncio, sys
from pathlib import Path
from engine.jobs.store import JobStore
from tests.engine.jobs.test_store import finished, job
async def main():
    store = JobStore(Path(sys.argv[1])); store.start()
    for number in range(50):
        await store.add(job(number, f"p{number}"))
        print(number, flush=True)
    store.finish(finished(job(0, "p0")))
    await store.entry("p0")
    print("done", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_what_was_accepted_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == b"done\n":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(lines) == 51
    store = await opened(path)
    loaded, number = await store.load()
    assert len(loaded) == 49
    assert number == 50
    assert await store.entry("p0") is not None
    await store.close()


async def fill(store: JobStore, count: int) -> None:
    for number in range(count):
        one = job(number, f"p{number}", workflow_id=f"w{number % 7}")
        one = msgspec.structs.replace(one, create_time=number // 2)
        status = ("success", "error", "interrupted", "success")[number % 4]
        end = "execution_error" if status == "error" else f"execution_{status}"
        spent = number * 7919 % 1000
        messages = [("execution_start", {"timestamp": 10}), (end, {"timestamp": 10 + spent})]
        store.finish(Finished(one, status, {}, {}, messages))
    await store.load()


async def test_pages_of_jobs_are_pieces_of_the_whole_in_any_order(store: JobStore) -> None:
    await fill(store, 41)
    await store.forget(["p3", "p17"])
    everything = [(n, ("success", "error", "interrupted", "success")[n % 4]) for n in range(41) if n not in (3, 17)]
    for kinds in (("success",), ("error", "interrupted"), ("success", "error", "interrupted")):
        for workflow in (None, "w3"):
            for by, key in (("create_time", lambda n: n // 2), ("duration", lambda n: n * 7919 % 1000)):
                for descending in (True, False):
                    chosen = [n for n, kind in everything if kind in kinds and workflow in (None, f"w{n % 7}")]
                    whole = sorted(chosen, key=lambda n, key=key: (key(n), n), reverse=descending)
                    for limit, offset in ((5, 0), (5, 4), (50, 0), (7, 30), (None, 3), (5, 90)):
                        rows, total = await store.page(
                            kinds, workflow, by, descending=descending, limit=limit, offset=offset
                        )
                        assert [row.prompt_id for row in rows] == [f"p{n}" for n in whole[offset:][:limit]]
                        assert total == len(whole)


async def test_a_page_reads_what_it_shows_however_long_the_history_is(store: JobStore) -> None:
    """Steps of SQLite's machine, which are the same on every computer."""

    async def steps(ask: Any) -> int:
        counted = [0]

        def watch(db: sqlite3.Connection | None, on: bool) -> None:
            assert db is not None
            db.set_progress_handler((lambda: counted.__setitem__(0, counted[0] + 1)) if on else None, 1)

        await store._work.run(lambda db: watch(db, True))
        await ask()
        await store._work.run(lambda db: watch(db, False))
        return counted[0]

    all_kinds = ("success", "error", "interrupted")
    pages = {
        "newest": lambda: store.page(all_kinds, None, limit=10),
        "failed": lambda: store.page(("error", "interrupted"), None, limit=10),
        "longest": lambda: store.page(("success",), None, "duration", limit=10),
        "history": lambda: store.history(10, -1),
        "oldest": lambda: store.page(all_kinds, None, limit=10, offset=total - 10),
    }
    total = 300
    await fill(store, total)
    few = {name: await steps(ask) for name, ask in pages.items()}
    total = 6000
    await fill(store, total)
    many = {name: await steps(ask) for name, ask in pages.items()}
    for name, count in many.items():
        assert count < 1.5 * few[name] + 50, (name, few, many)
    # Skipping costs a few steps an entry, from the nearer end, and reads no body.
    middle = await steps(lambda: store.page(all_kinds, None, limit=10, offset=3000))
    assert middle < 3000 * 12

"""The queue through the death of the engine and of its disk, with a worker whose answers the test decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import dispatch
from engine.jobs.database import StoreError
from engine.jobs.dispatch import Dispatcher, Submission
from engine.jobs.store import JobStore
from engine.worker import messages
from tests.engine.server.conftest import FakeWorker
from tests.support.disks import fill, small_disk


class Ears:
    """Everything that clients are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str, Any]] = []
        self.change = asyncio.Event()

    def tell(self, client: str | None, kind: str, data: Any) -> None:
        self.told.append((client, kind, data))
        self.change.set()

    def preview(self, client: str | None, preview: messages.Preview) -> None: ...

    def text(self, client: str | None, text: messages.Text) -> None: ...


class Life:
    """One run of the engine over a file; `die` leaves the file as a kill does."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.store, self.worker, self.ears = JobStore(path), FakeWorker(), Ears()
        self.dispatcher = Dispatcher(self.store, self.worker, self.ears, **options)

    async def start(self) -> Life:
        self.store.start()
        await self.dispatcher.restore()
        return self

    async def submit(self, prompt_id: str, **more: Any) -> int | float:
        asked = Submission(prompt_id, {"1": {"class_type": "A", "inputs": {}}}, {"client_id": "me"}, **more)
        verdict = await self.dispatcher.submit(asked, patience=1)
        assert verdict.error is None
        return verdict.number

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.001)

    def finish(self) -> None:
        running = self.dispatcher.running
        assert running is not None
        stamp = {"prompt_id": running.prompt_id, "timestamp": 1}
        self.dispatcher.on_message(
            messages.Finished(running.prompt_id, "success", messages=[("execution_success", stamp)])
        )

    async def ended(self, count: int) -> None:
        ends = lambda: [one for one in self.ears.told if one[1] == "executing" and one[2]["node"] is None]  # noqa: E731
        await self.until(lambda: len(ends()) >= count)

    async def status(self, prompt_id: str) -> dict[str, Any]:
        entry = await self.store.entry(prompt_id)
        assert entry is not None
        return json.loads(entry)["status"]


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    lives: list[Life] = []

    async def make(path: Path = tmp_path / "jobs.sqlite", **options: Any) -> Life:
        for one in lives:  # the one before is dead: it hears nothing, and nobody hears it
            await one.store.close()
        lives.append(await Life(path, **options).start())
        return lives[-1]

    yield make
    for one in lives:
        await one.store.close()


async def began(life: Life) -> None:
    """Until it is on disk that the running job began."""
    await life.until(
        lambda: life.dispatcher._note is not None and life.dispatcher._note.when() < asyncio.get_running_loop().time()
    )
    async with asyncio.timeout(20):
        while (await life.store.load())[0][0].attempts == 0:
            await asyncio.sleep(0.001)


async def test_the_queue_goes_on_in_order_and_numbers_are_never_given_twice(live: Callable[..., Any]) -> None:
    life = await live()
    assert [await life.submit(name) for name in "abc"] == [0, 1, 2]
    assert await life.submit("first", front=True) == -3
    life.finish()
    await life.ended(1)
    await life.store.forget(None)  # the counter does not live in the history
    await life.dispatcher.clear()
    life = await live()
    assert life.dispatcher.running.prompt_id == "first"
    assert await life.submit("d") == 4
    life = await live()
    assert life.dispatcher.running.prompt_id == "first"
    assert [job.prompt_id for job in life.dispatcher.waiting()] == ["d"]


async def test_an_interrupted_job_runs_again(live: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_NOTED_AFTER", 0.0)
    life = await live()
    await life.submit("a")
    await life.submit("b")
    await began(life)
    life = await live()
    assert life.dispatcher.running.prompt_id == "a"
    life.finish()
    await life.ended(1)
    assert (await life.status("a"))["completed"] is True
    assert life.dispatcher.running.prompt_id == "b"


async def test_or_it_is_marked_as_interrupted_and_the_next_runs(live: Callable[..., Any]) -> None:
    life = await live(run_again=False)
    await life.submit("a")
    await life.submit("b")
    await began(life)
    life = await live(run_again=False)
    assert life.dispatcher.running.prompt_id == "b"
    status = await life.status("a")
    assert status["status_str"] == "error"
    assert status["messages"][-1][0] == "execution_interrupted"
    assert status["messages"][-1][1]["prompt_id"] == "a"
    # In order, and so by nobody's fault: what ran is in the queue again.
    await began(life)
    life.dispatcher.stop()
    life = await live(run_again=False)
    assert life.dispatcher.running.prompt_id == "b"


async def test_who_hears_of_the_end_finds_it_on_disk(live: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    life = await live()
    await life.submit("a")
    told_before = len(life.ears.told)
    life.finish()
    assert len(life.ears.told) == told_before  # not yet
    await life.ended(1)
    again = await live()
    assert again.dispatcher.running is None
    assert (await again.status("a"))["completed"] is True


async def test_a_full_disk_stops_the_queue_until_there_is_room(
    live: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatch, "_RETRIES", (0.01,))
    with small_disk(tmp_path / "disk", 1024) as disk:
        life = await live(disk / "jobs.sqlite")
        for name in "abc":
            await life.submit(name)
        ballast = fill(disk)
        life.finish()
        await life.until(lambda: "the queue waits" in caplog.text)
        assert "full" in caplog.text
        with pytest.raises(StoreError, match="full"):
            # Small writes may yet fit in what SQLite has: this one does not.
            await life.submit("d" * 100_000)
        assert life.dispatcher.running.prompt_id == "a"
        ballast.unlink()
        await life.ended(1)
        assert life.dispatcher.running.prompt_id == "b"
        assert (await life.status("a"))["completed"] is True
        life.finish()
        await life.ended(2)
        assert life.dispatcher.running.prompt_id == "c"
        await life.store.close()


async def test_with_a_limit_the_history_stays_short(live: Callable[..., Any]) -> None:
    life = await live(history_limit=2)
    for count, name in enumerate("abc", 1):
        await life.submit(name)
        life.finish()
        await life.ended(count)
    assert [name for name, _ in await life.store.history(None, 0)] == ["b", "c"]


async def test_without_a_file_everything_works_and_nothing_stays(tmp_path: Path) -> None:
    life = await Life(None).start()  # type: ignore[arg-type]
    await life.submit("a")
    await life.submit("b")
    life.finish()
    await life.ended(1)
    assert (await life.status("a"))["completed"] is True
    await life.store.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_job_that_cannot_be_taken_off_the_disk_stays_in_the_queue(
    live: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await live()
    for name in "abc":
        await life.submit(name)

    async def full(jobs: Any) -> None:
        raise StoreError("the disk is full", "full")

    with monkeypatch.context() as broken:
        broken.setattr(life.store, "remove", full)
        with pytest.raises(StoreError):
            await life.dispatcher.delete(["b"])
        with pytest.raises(StoreError):
            await life.dispatcher.clear()
    assert [job.prompt_id for job in life.dispatcher.waiting()] == ["b", "c"]
    assert await life.dispatcher.delete(["b"]) == 1
    assert [job.prompt_id for job in (await live()).dispatcher.waiting()] == ["c"]


async def test_a_job_whose_end_is_being_written_cannot_be_interrupted_any_more(live: Callable[..., Any]) -> None:
    life = await live()
    await life.submit("a")
    life.finish()
    assert life.dispatcher.running is not None  # its end is not on disk
    assert not life.dispatcher.interrupt("a")
    assert not life.dispatcher.interrupt(None)
    await life.ended(1)
    assert not any(isinstance(one, messages.Interrupt) for one in life.worker.sent)


async def test_jobs_of_one_id_and_one_number_are_two_jobs(live: Callable[..., Any]) -> None:
    life = await live()
    for _ in range(3):
        await life.submit("same", number=5)
    life.finish()
    await life.ended(1)
    life = await live()
    assert [life.dispatcher.running and life.dispatcher.running.prompt_id, len(life.dispatcher.waiting())] == [
        "same",
        1,
    ]
    assert await life.dispatcher.delete(["same"]) == 1
    assert len((await life.store.load())[0]) == 1  # what runs

"""Lists that are too long for one piece: whole, in order, while jobs come and go, and never half without a sign."""

from __future__ import annotations

import random
from typing import Any

import aiohttp
import pytest

from engine.jobs.job import Finished, Job
from engine.jobs.store import StoreError
from engine.server.routes import jobs as module
from tests.engine.server.conftest import Rig

PIECE = 7


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", PIECE)


async def fill(rig: Rig, count: int) -> None:
    """A history with equal times, equal durations, and all ways to end."""
    chance = random.Random(count)
    for number in range(count):
        created, took = chance.randrange(5), chance.randrange(4)
        status = chance.choice(("success", "error", "interrupted"))
        workflow = chance.choice(("w", None))
        job = Job(number, f"p{number}", b"{}", b"{}", (), created, None, workflow)
        stamps = [("execution_start", {"timestamp": 10}), (f"execution_{status}", {"timestamp": 10 + took})]
        await rig.shared.store.finish(Finished(job, status, {}, {}, stamps))


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("by", ["created_at", "execution_duration"])
@pytest.mark.parametrize("more", ["", "&workflow_id=w", "&status=failed,pending", "&status=failed,cancelled,completed"])
async def test_a_long_list_is_its_short_pages_one_behind_the_other(rig: Rig, order: str, by: str, more: str) -> None:
    await fill(rig, 60)
    for _ in range(3):
        await rig.submit()
    query = f"/api/jobs?sort_by={by}&sort_order={order}{more}"
    whole = await rig.get(query)
    total = whole["pagination"]["total"]
    assert total == len(whole["jobs"]) > 2 * PIECE
    assert whole["pagination"] == {"offset": 0, "limit": None, "total": total, "has_more": False}
    pages: list[Any] = []
    for offset in range(0, total, 2):
        pages += (await rig.get(f"{query}&limit=2&offset={offset}"))["jobs"]
    assert whole["jobs"] == pages
    for offset, limit in ((1, 30), (5, 20), (total - 15, 20)):
        part = await rig.get(f"{query}&limit={limit}&offset={offset}")
        assert part["jobs"] == pages[offset : offset + limit]
        assert part["pagination"]["has_more"] is (offset + limit < total)


async def test_what_ends_or_goes_meanwhile_is_told_neither_twice_nor_in_anothers_place(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(rig, 40)
    store, real = rig.shared.store, type(rig.shared.store).page_after
    count = 0

    async def busy(self: Any, *args: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        await store.forget([f"p{count}"])
        job = Job(900 + count, f"new{count}", b"{}", b"{}", (), 99, None, None)  # the newest: where the list began
        await store.finish(Finished(job, "success", {}, {}, []))
        return await real(self, *args, **named)

    monkeypatch.setattr(type(store), "page_after", busy)
    told = [job["id"] for job in (await rig.get("/api/jobs"))["jobs"]]
    assert len(told) == len(set(told))
    assert {f"p{number}" for number in range(count + 1, 40)} <= set(told)
    assert not any(name.startswith("new") for name in told)


async def test_a_list_that_breaks_off_is_not_taken_for_a_whole_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(rig, 40)

    async def damaged(*_: Any, **__: Any) -> Any:
        raise StoreError("the file is damaged", "damaged")

    monkeypatch.setattr(type(rig.shared.store), "page_after", damaged)
    with pytest.raises(aiohttp.ClientError):
        await rig.get("/api/jobs")
    monkeypatch.setattr(type(rig.shared.store), "history_after", damaged)
    await fill(rig, 70)
    async with rig.client.get("/history") as response:  # nothing is sent yet: it can still be said
        assert response.status == 503
        assert "damaged" in (await response.json())["error"]["details"]


@pytest.mark.parametrize("path", ["/history", "/api/jobs", "/queue"])
async def test_the_head_of_a_long_answer_has_no_body(rig: Rig, path: str) -> None:
    await fill(rig, 70)
    for _ in range(70):
        await rig.submit()
    async with rig.client.head(path) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.read() == b""
    assert await rig.get("/prompt") == {"exec_info": {"queue_remaining": 70}}  # the connection is in order


async def test_a_long_queue_is_whole_and_in_order(rig: Rig) -> None:
    made = [(await rig.submit())["prompt_id"] for _ in range(100)]
    told = await rig.get("/queue")
    assert [item[1] for item in told["queue_running"]] == made[:1]
    assert [item[1] for item in told["queue_pending"]] == made[1:]

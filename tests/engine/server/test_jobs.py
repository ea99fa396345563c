"""`/api/jobs`: filters, order, pages, and ending a job."""

from __future__ import annotations

from typing import Any

import pytest

from engine.worker import messages
from tests.engine.server.conftest import Rig


async def finished(rig: Rig, status: str = "success", **more: Any) -> str:
    prompt_id = (await rig.submit(**more))["prompt_id"]
    assert rig.finish(status) == prompt_id
    return prompt_id


async def ids(rig: Rig, query: str) -> list[str]:
    return [job["id"] for job in (await rig.get(f"/api/jobs?{query}"))["jobs"]]


async def test_interrupted_jobs_have_failed_unless_cancelled_ones_are_asked_for(rig: Rig) -> None:
    done, failed, stopped = [await finished(rig, status) for status in ("success", "error", "interrupted")]
    assert set(await ids(rig, "status=failed")) == {failed, stopped}
    told = {job["id"]: job for job in (await rig.get("/api/jobs"))["jobs"]}
    assert told[stopped]["status"] == "failed"
    assert "execution_error" not in told[stopped]
    page = await rig.get("/api/jobs?status=failed,cancelled")
    assert {job["id"]: job["status"] for job in page["jobs"]} == {failed: "failed", stopped: "cancelled"}
    assert page["pagination"]["total"] == 2
    assert await ids(rig, "status=cancelled") == [stopped]
    assert await ids(rig, "status=completed,%20Cancelled") == [stopped, done]


async def test_order_and_pages(rig: Rig) -> None:
    made = [await finished(rig) for _ in range(4)]
    running, waiting = [(await rig.submit())["prompt_id"] for _ in range(2)]
    newest_first = [waiting, running, *made[::-1]]
    assert await ids(rig, "") == newest_first
    assert await ids(rig, "sort_order=asc") == newest_first[::-1]
    assert await ids(rig, "limit=2&offset=1") == newest_first[1:3]
    assert await ids(rig, "offset=-5&limit=1") == newest_first[:1]
    page = await rig.get("/api/jobs?limit=4&offset=2")
    assert page["pagination"] == {"offset": 2, "limit": 4, "total": 6, "has_more": False}
    assert await ids(rig, "offset=600") == []
    assert await ids(rig, f"offset={10**30}") == []
    assert await ids(rig, f"limit={10**30}") == newest_first


async def test_cancelling_what_waits_and_what_runs(rig: Rig) -> None:
    running, waiting = [(await rig.submit())["prompt_id"] for _ in range(2)]
    for prefix in ("", "/api"):
        async with rig.client.post(f"{prefix}/api/jobs/nope/cancel") as response:
            assert (response.status, await response.json()) == (200, {"cancelled": False})
    async with rig.client.post(f"/api/jobs/{waiting}/cancel") as response:
        assert await response.json() == {"cancelled": True}
    assert await ids(rig, "status=pending") == []
    async with rig.client.post("/api/jobs/cancel", json={"job_ids": [running, "nope"]}) as response:
        assert await response.json() == {"cancelled": True}
    assert rig.worker.sent[-1] == messages.Interrupt(running)
    rig.finish("interrupted")
    async with rig.client.post(f"/api/jobs/{running}/cancel") as response:
        assert await response.json() == {"cancelled": False}


@pytest.mark.parametrize("body", [{}, {"job_ids": "x"}, {"job_ids": [1]}, []])
async def test_a_list_of_jobs_that_is_none(rig: Rig, body: Any) -> None:
    async with rig.client.post("/api/jobs/cancel", json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request"

import asyncio
import json
import uuid
from pathlib import Path

import pytest

from engine.worker import messages
from tests.engine.server.conftest import Rig, make_rig

GRAPH = {"1": {"class_type": "A", "inputs": {}}}


async def test_an_accepted_prompt_gets_an_id_and_a_number(rig: Rig) -> None:
    first, second = await rig.submit(), await rig.submit(prompt_id="mine", client_id="c")
    assert uuid.UUID(first["prompt_id"]).version == 4
    assert (first["number"], first["node_errors"]) == (0, {})
    assert (second["prompt_id"], second["number"]) == ("mine", 1)
    assert await rig.get("/prompt") == {"exec_info": {"queue_remaining": 2}}
    assert await rig.get("/api/prompt") == {"exec_info": {"queue_remaining": 2}}


async def test_the_queue_shows_items_in_the_order_in_which_they_run(rig: Rig) -> None:
    running = await rig.submit(client_id="c", extra_data={"x": 1, "api_key_comfy_org": "secret"})
    later, front = await rig.submit(), await rig.submit(front=True)
    between = await rig.submit(number=0.5)
    queue = await rig.get("/queue")
    (item,) = queue["queue_running"]
    assert item[:3] == [0, running["prompt_id"], GRAPH]
    assert {**item[3], "create_time": 0} == {"x": 1, "client_id": "c", "create_time": 0}
    assert item[4] == ["1"]
    waiting = [(one[0], one[1]) for one in queue["queue_pending"]]
    assert waiting == [(-2, front["prompt_id"]), (0.5, between["prompt_id"]), (1, later["prompt_id"])]
    sent = next(one for one in rig.worker.sent if isinstance(one, messages.Execute))
    assert sent.extra_data["api_key_comfy_org"] == "secret"
    assert b"secret" not in (rig.base / "jobs.sqlite-wal").read_bytes()


async def test_a_refused_prompt_uses_up_its_number(rig: Rig) -> None:
    rig.worker.error = {
        "type": "prompt_no_outputs",
        "message": "Prompt has no outputs",
        "details": "",
        "extra_info": {},
    }
    async with rig.client.post("/prompt", json={"prompt": {}}) as response:
        assert response.status == 400
        assert await response.json() == {"error": rig.worker.error, "node_errors": {}}
    async with rig.client.post("/prompt", json={"client_id": "c"}) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "no_prompt"
    rig.worker.error = None
    assert (await rig.submit())["number"] == 2


async def test_node_errors_may_come_with_success(rig: Rig) -> None:
    rig.worker.node_errors = {"7": {"errors": [], "dependent_outputs": ["7"], "class_type": "B"}}
    assert (await rig.submit())["node_errors"] == rig.worker.node_errors


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{bad", "line 1, column 2"),
        (b'{"prompt":\n  {"1": x}}', "line 2, column 9"),
        (b"", "empty"),
        (b"[1]", "a JSON object, not a list"),
        (b'{"prompt": []}', "prompt must be an object"),
        (b'{"prompt": {}, "number": "x"}', "number must be a number"),
        (b'{"prompt": {}, "number": 1e999}', "Number out of range"),
        (b'{"prompt": {}, "extra_data": 3}', "extra_data"),
        (b'{"prompt": {}, "client_id": 3}', "client_id"),
        (b'{"prompt": {}, "extra_data": {"extra_pnginfo": [1]}}', "extra_pnginfo must be an object"),
        (b'{"prompt": {"7": {"inputs": {"a": 1' + b"0" * 400 + b"}}}}", "input a of node 7 is a number of 1329 bits"),
        (b'{"prompt": {}, "prompt_id": "' + b"x" * 300 + b'"}', "prompt_id is 300 characters"),
        (b'{"prompt": {}, "partial_execution_targets": "9"}', "partial_execution_targets"),
        (b'{"prompt": {}, "extra_data": {"n": 99999999999999999999999}}', "cannot be processed"),
        (b'{"prompt": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "nested too deeply"),
        (b"\xff\xfe", "byte"),
    ],
)
async def test_a_bad_body_is_refused_with_its_place(rig: Rig, body: bytes, told: str) -> None:
    async with rig.client.post("/prompt", data=body) as response:
        answer = await response.json()
        assert response.status == 400, answer
    assert told in answer["error"]["details"]
    assert await rig.get("/prompt") == {"exec_info": {"queue_remaining": 0}}


async def test_a_worker_that_cannot_start_is_explained(rig: Rig) -> None:
    rig.worker.failure = "The worker ended with exit code 1\nImportError: no torch"
    for method, path in (("POST", "/prompt"), ("GET", "/object_info")):
        async with rig.client.request(method, path, json={"prompt": GRAPH} if method == "POST" else None) as response:
            assert response.status == 503
            error = (await response.json())["error"]
        assert "exit code 1" in error["message"]
        assert "no torch" in error["details"]


async def test_deleting_and_clearing_what_waits(rig: Rig) -> None:
    running, one, two, three = [(await rig.submit())["prompt_id"] for _ in range(4)]
    async with rig.client.post("/queue", json={"delete": [one, running, "unknown"]}) as response:
        assert (response.status, await response.read()) == (200, b"")
    async with rig.client.delete(f"/queue/{two}") as response:
        assert response.status == 200
    async with rig.client.delete(f"/queue/{two}") as response:
        assert response.status == 404
    queue = await rig.get("/queue")
    assert [item[1] for item in queue["queue_running"] + queue["queue_pending"]] == [running, three]
    async with rig.client.post("/api/queue", json={"clear": True}) as response:
        assert response.status == 200
    assert (await rig.get("/queue"))["queue_pending"] == []
    assert await rig.get(f"/history/{one}") == {}


async def test_interrupting(rig: Rig) -> None:
    running = (await rig.submit())["prompt_id"]
    for body in (b"", b"{}", b"not json", json.dumps({"prompt_id": running}).encode()):
        rig.worker.sent.clear()
        async with rig.client.post("/interrupt", data=body) as response:
            assert (response.status, await response.read()) == (200, b"")
        assert rig.worker.sent == [messages.Interrupt(running)]
    rig.worker.sent.clear()
    async with rig.client.post("/interrupt", json={"prompt_id": "other"}) as response:
        assert response.status == 200
    assert rig.worker.sent == []


async def test_freeing(rig: Rig) -> None:
    for body in ({"unload_models": True}, {"free_memory": True}, {}):
        async with rig.client.post("/free", json=body) as response:
            assert (response.status, await response.read()) == (200, b"")
    assert rig.worker.sent == [messages.Free(True, False), messages.Free(True, True)]


async def test_jobs_run_one_after_another_and_enter_the_history(rig: Rig) -> None:
    first, second = [(await rig.submit(client_id="c"))["prompt_id"] for _ in range(2)]
    images = {"9": {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}}
    assert rig.finish(outputs=images) == first
    await rig.get("/history")  # answered when the end of the first is written
    assert rig.finish("interrupted") == second
    history = await rig.get("/history")
    assert list(history) == [first, second]
    assert history[first]["outputs"] == images
    assert history[first]["status"]["status_str"] == "success"
    assert history[second]["status"] == {
        "status_str": "error",
        "completed": False,
        "messages": [
            ["execution_start", {"prompt_id": second, "timestamp": 1000}],
            ["execution_interrupted", {"prompt_id": second, "timestamp": 1500}],
        ],
    }
    assert await rig.get(f"/history/{first}") == {first: history[first]}
    assert await rig.get("/history/nope") == {}


async def test_pages_of_the_history(rig: Rig) -> None:
    ids = []
    for _ in range(70):  # more than a piece of the streamed answer
        ids.append((await rig.submit())["prompt_id"])
        rig.finish()
    assert list(await rig.get("/history")) == ids
    assert list(await rig.get("/history?max_items=2")) == ids[-2:]
    assert list(await rig.get("/history?max_items=2&offset=1")) == ids[1:3]
    assert list(await rig.get("/history?max_items=2&offset=-1")) == ids[-2:]
    assert list(await rig.get("/history?offset=68")) == ids[68:]
    assert await rig.get("/history?max_items=0") == {}
    async with rig.client.get("/history?max_items=x") as response:
        assert response.status == 400
        assert "max_items" in (await response.json())["error"]["details"]
    async with rig.client.post("/history", json={"delete": [ids[0]]}) as response:
        assert (response.status, await response.read()) == (200, b"")
    async with rig.client.delete(f"/history/{ids[1]}") as response:
        assert response.status == 200
    assert list(await rig.get("/history"))[:1] == ids[2:3]
    async with rig.client.post("/history", json={"clear": True}) as response:
        assert response.status == 200
    assert await rig.get("/history") == {}


async def test_jobs_in_one_list(rig: Rig) -> None:
    done = (await rig.submit(extra_data={"extra_pnginfo": {"workflow": {"id": "w"}}}))["prompt_id"]
    rig.finish(outputs={"9": {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}})
    failed = (await rig.submit())["prompt_id"]
    rig.finish("error")
    running, waiting = [(await rig.submit())["prompt_id"] for _ in range(2)]
    jobs = {job["id"]: job for job in (await rig.get("/api/jobs"))["jobs"]}
    states = {one: jobs[one]["status"] for one in (done, failed, running, waiting)}
    assert list(states.values()) == ["completed", "failed", "in_progress", "pending"]
    assert jobs[done]["preview_output"]["mediaType"] == "images"
    assert jobs[failed]["execution_error"]["timestamp"] == 1500
    assert set(jobs[running]) == {"id", "status", "priority", "create_time", "outputs_count"}
    assert [job["id"] for job in (await rig.get("/api/jobs?workflow_id=w"))["jobs"]] == [done]
    page = await rig.get("/api/jobs?status=completed,failed&sort_by=execution_duration&sort_order=asc&limit=1")
    assert page["pagination"] == {"offset": 0, "limit": 1, "total": 2, "has_more": True}
    whole = await rig.get(f"/api/jobs/{done}")
    assert whole["workflow"]["prompt"] == GRAPH
    assert whole["execution_status"]["completed"] is True
    assert (await rig.get(f"/api/jobs/{running}"))["status"] == "in_progress"
    for query, error in (
        ("status=x", "Invalid status value(s): x. Valid values: pending, in_progress, completed, failed, cancelled"),
        ("sort_by=x", "sort_by must be 'created_at' or 'execution_duration'"),
        ("sort_order=x", "sort_order must be 'asc' or 'desc'"),
        ("limit=0", "limit must be a positive integer"),
        ("limit=x", "limit must be an integer"),
        ("offset=x", "offset must be an integer"),
    ):
        async with rig.client.get(f"/api/jobs?{query}") as response:
            assert (response.status, await response.json()) == (400, {"error": error})
    async with rig.client.get("/api/jobs/nope") as response:
        assert (response.status, await response.json()) == (404, {"error": "Job not found"})
    async with rig.client.post(f"/api/jobs/{waiting}/cancel") as response:
        assert await response.json() == {"cancelled": True}
    async with rig.client.post("/api/jobs/cancel", json={"job_ids": [running, "nope"]}) as response:
        assert await response.json() == {"cancelled": True}
    assert messages.Interrupt(running) in rig.worker.sent


async def test_the_death_of_the_worker_fails_one_job_and_runs_the_next(rig: Rig) -> None:
    first, second = [(await rig.submit())["prompt_id"] for _ in range(2)]
    rig.tell(messages.Event(first, "execution_start", {"prompt_id": first, "timestamp": 1}))
    rig.tell(messages.Event(first, "executed", {"node": "1", "display_node": "1", "output": {"images": []}}))
    rig.tell(messages.Event(first, "executing", {"node": "1", "display_node": "1", "prompt_id": first}))
    rig.shared.dispatcher.on_death("The worker was ended by SIGKILL\nlast line")
    entry = (await rig.get(f"/history/{first}"))[first]
    kind, error = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    assert (error["node_id"], error["node_type"]) == ("1", "A")
    assert error["exception_message"] == "The worker was ended by SIGKILL\n"
    assert error["traceback"] == ["The last line of the worker's log:\n", "last line\n"]
    assert entry["outputs"] == {"1": {"images": []}}
    running = rig.shared.dispatcher.running
    assert running is not None
    assert running.prompt_id == second


async def test_queue_and_history_survive_a_restart(tmp_path: Path) -> None:
    rig = await make_rig(tmp_path)
    done = (await rig.submit())["prompt_id"]
    rig.finish()
    running, waiting = [(await rig.submit())["prompt_id"] for _ in range(2)]
    await rig.client.close()
    await rig.shared.store.close()
    again = await make_rig(tmp_path)
    queue = await again.get("/queue")
    assert [item[1] for item in queue["queue_running"] + queue["queue_pending"]] == [running, waiting]
    assert list(await again.get("/history")) == [done]
    assert (await again.submit())["number"] == 3
    await again.client.close()
    await again.shared.store.close()


async def test_a_job_that_kills_the_engine_is_given_up(tmp_path: Path) -> None:
    rig = await make_rig(tmp_path)
    prompt_id = (await rig.submit())["prompt_id"]
    running = rig.shared.dispatcher.running
    assert running is not None
    for _ in range(3):
        rig.shared.store.begun(running)
    await rig.client.close()
    await rig.shared.store.close()
    again = await make_rig(tmp_path)
    assert (await again.get("/queue"))["queue_running"] == []
    entry = (await again.get("/history"))[prompt_id]
    assert "died 3 times" in entry["status"]["messages"][-1][1]["exception_message"]
    await again.client.close()
    await again.shared.store.close()


async def test_a_prompt_that_cannot_be_kept_is_not_accepted(rig: Rig) -> None:
    await rig.shared.store._work.run(lambda db: db.execute("PRAGMA max_page_count=10"))
    body = {"prompt": {"1": {"class_type": "A", "inputs": {"text": "x" * 500_000}}}}
    async with rig.client.post("/prompt", json=body) as response:
        assert response.status == 507
        assert "full" in (await response.json())["error"]["details"]
    assert await rig.get("/prompt") == {"exec_info": {"queue_remaining": 0}}


async def test_many_prompts_at_once_all_get_their_own_number(rig: Rig) -> None:
    answers = await asyncio.gather(*(rig.submit() for _ in range(50)))
    assert sorted(answer["number"] for answer in answers) == list(range(50))


async def test_a_worker_that_fails_without_a_word_still_gives_an_error(rig: Rig) -> None:
    prompt_id = (await rig.submit())["prompt_id"]
    rig.tell(messages.Finished(prompt_id, "error"))
    entry = (await rig.get(f"/history/{prompt_id}"))[prompt_id]
    assert entry["status"]["messages"][-1][0] == "execution_error"


async def test_words_about_another_prompt_are_ignored(rig: Rig) -> None:
    prompt_id = (await rig.submit())["prompt_id"]
    rig.tell(messages.Finished("other", "success"))
    running = rig.shared.dispatcher.running
    assert running is not None
    assert running.prompt_id == prompt_id


async def test_a_run_that_is_stopped_in_order_is_no_attempt(tmp_path: Path) -> None:
    for _ in range(5):
        rig = await make_rig(tmp_path)
        if rig.shared.dispatcher.running is None:
            await rig.submit()
        rig.shared.dispatcher.stop()
        await rig.client.close()
        await rig.shared.store.close()
    rig = await make_rig(tmp_path)
    running = rig.shared.dispatcher.running
    assert running is not None
    assert running.attempts == 0
    await rig.client.close()
    await rig.shared.store.close()

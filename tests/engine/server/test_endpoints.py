"""Every endpoint is there, also below `/api`, and the rules of the smaller ones."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from yarl import URL

from tests.engine.server.conftest import Rig, make_rig
from tests.support.engine import RunningEngine

# Method, path, body, and the status with nothing on the disk and nothing in the queue.
ENDPOINTS: tuple[tuple[str, str, Any, int], ...] = (
    ("GET", "/ws", None, 400),  # no handshake
    ("GET", "/prompt", None, 200),
    ("POST", "/prompt", {"prompt": {"1": {"class_type": "A", "inputs": {}}}}, 200),
    ("POST", "/interrupt", None, 200),
    ("POST", "/free", {}, 200),
    ("GET", "/queue", None, 200),
    ("POST", "/queue", {"clear": True}, 200),
    ("DELETE", "/queue/x", None, 404),
    ("GET", "/history", None, 200),
    ("GET", "/history/x", None, 200),
    ("POST", "/history", {"clear": True}, 200),
    ("DELETE", "/history/x", None, 404),
    ("GET", "/api/jobs", None, 200),
    ("GET", "/api/jobs/x", None, 404),
    ("POST", "/api/jobs/x/cancel", None, 200),
    ("POST", "/api/jobs/cancel", {"job_ids": []}, 200),
    ("GET", "/view", None, 404),
    ("POST", "/upload/image", None, 400),
    ("POST", "/upload/mask", None, 400),
    ("GET", "/view_metadata/loras", None, 404),
    ("GET", "/system_stats", None, 200),
    ("GET", "/object_info", None, 200),
    ("GET", "/object_info/KSampler", None, 200),
    ("GET", "/extensions", None, 200),
    ("GET", "/embeddings", None, 200),
    ("GET", "/models", None, 200),
    ("GET", "/models/loras", None, 200),
    ("GET", "/experiment/models", None, 200),
    ("GET", "/experiment/models/loras", None, 200),
    ("GET", "/experiment/models/preview/loras/0/x.safetensors", None, 404),
    ("GET", "/features", None, 200),
    ("GET", "/settings", None, 200),
    ("POST", "/settings", {}, 200),
    ("GET", "/settings/x", None, 200),
    ("POST", "/settings/x", 1, 200),
    ("GET", "/userdata?dir=.", None, 200),
    ("GET", "/v2/userdata", None, 200),
    ("POST", "/userdata/a.json", {}, 200),
    ("GET", "/userdata/a.json", None, 200),
    ("POST", "/userdata/a.json/move/a.json", None, 200),
    ("DELETE", "/userdata/nope", None, 404),
    ("GET", "/users", None, 200),
    ("POST", "/users", {"username": ""}, 400),
    ("GET", "/workflow_templates", None, 200),
    ("GET", "/workflow_templates/pack/x.json", None, 404),
    ("GET", "/global_subgraphs", None, 200),
    ("GET", "/global_subgraphs/x", None, 200),
    ("GET", "/i18n", None, 200),
    ("GET", "/openapi.json", None, 200),
)
INTERNAL: tuple[tuple[str, str, Any, int], ...] = (
    ("GET", "/internal/logs", None, 200),
    ("GET", "/internal/logs/raw", None, 200),
    ("PATCH", "/internal/logs/subscribe", {"clientId": "x", "enabled": True}, 200),
    ("GET", "/internal/folder_paths", None, 200),
    ("GET", "/internal/files/output", None, 200),
)


async def ask(rig: Rig, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body)
    async with rig.client.request(method, URL(path, encoded=True), data=data, headers=headers) as response:
        return response.status, await response.read()


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_every_endpoint_is_there(rig: Rig, prefix: str) -> None:
    found = [(method, path, (await ask(rig, method, prefix + path, body))[0]) for method, path, body, _ in ENDPOINTS]
    assert found == [(method, path, status) for method, path, _, status in ENDPOINTS]


async def test_internal_endpoints_have_no_twin(rig: Rig) -> None:
    for method, path, body, status in INTERNAL:
        assert (await ask(rig, method, path, body))[0] == status, path
        assert (await ask(rig, method, f"/api{path}", body))[0] == (404 if method == "GET" else 405), path


async def test_actions_answer_with_an_empty_body(rig: Rig) -> None:
    for path in ("/queue", "/history", "/settings", "/free", "/interrupt"):
        assert await ask(rig, "POST", path, {}) == (200, b"")


async def test_files_newest_first(rig: Rig) -> None:
    for age, name in enumerate(("new.png", "old.png", "older.txt")):
        path = rig.shared.folders.output / name
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    (rig.shared.folders.output / "folder").mkdir()
    assert await rig.get("/internal/files/output") == ["new.png", "old.png", "older.txt"]
    for kind in ("input", "temp"):
        assert await rig.get(f"/internal/files/{kind}") == []


async def test_model_files_with_their_place_and_size(rig: Rig) -> None:
    folder = rig.base / "models/embeddings"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/b.pt").write_bytes(b"123")
    (folder / "a.safetensors").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"")
    assert await rig.get("/embeddings") == ["a", "sub/b"]
    first, second = await rig.get("/experiment/models/embeddings")
    assert set(first) == {"name", "pathIndex", "modified", "created", "size"}
    assert (second["name"], second["pathIndex"], second["size"]) == ("sub/b.pt", 0, 3)
    kinds = {entry["name"]: entry["folders"] for entry in await rig.get("/experiment/models")}
    assert kinds["embeddings"] == [str(folder)]
    assert not {"configs", "custom_nodes"} & kinds.keys()


async def test_moving_a_users_file(rig: Rig) -> None:
    for name, text in (("a.json", 1), ("b.json", 2)):
        assert (await ask(rig, "POST", f"/userdata/{name}", text))[0] == 200
    assert await ask(rig, "POST", "/userdata/a.json/move/b.json?overwrite=false") == (409, b"File already exists")
    status, body = await ask(rig, "POST", "/userdata/a.json/move/sub%2Fc.json?full_info=true")
    assert (status, json.loads(body)["path"], json.loads(body)["size"]) == (200, "sub/c.json", 1)
    assert await ask(rig, "POST", "/userdata/a.json/move/d.json") == (404, b"")
    assert await ask(rig, "POST", "/userdata/b.json/move/..%2Fd.json") == (403, b"")
    assert await ask(rig, "POST", "/userdata/sub%2Fc.json/move/b.json") == (200, b'"b.json"')
    assert await ask(rig, "GET", "/userdata/b.json") == (200, b"1")


async def test_listings_of_a_users_files(rig: Rig) -> None:
    for name in ("workflows%2Fa.json", "workflows%2Fsub%2Fb.json", "other.json"):
        assert (await ask(rig, "POST", f"/userdata/{name}", {}))[0] == 200
    assert await rig.get("/userdata?dir=workflows") == ["a.json"]
    assert await rig.get("/userdata?dir=workflows&recurse=true") == ["a.json", "sub/b.json"]
    assert await rig.get("/userdata?dir=workflows&recurse=1") == ["a.json"]  # only the word `true` counts
    split = [["a.json", "a.json"], ["sub/b.json", "sub", "b.json"]]
    assert await rig.get("/userdata?dir=workflows&recurse=true&split=true") == split
    full = await rig.get("/userdata?dir=workflows&recurse=true&split=true&full_info=true")
    assert [set(one) for one in full] == [{"path", "size", "modified", "created"}] * 2
    tree = await rig.get("/v2/userdata?path=workflows")
    assert [(one["path"], one["type"]) for one in tree] == [
        ("workflows/sub", "directory"),
        ("workflows/a.json", "file"),
        ("workflows/sub/b.json", "file"),
    ]
    assert await rig.get("/v2/userdata?path=workflows%252Fsub") == tree[2:]  # decoded once more


async def test_users_have_files_of_their_own(tmp_path: Path) -> None:
    rig = await make_rig(tmp_path, "--multi-user")
    ids = [json.loads((await ask(rig, "POST", "/users", {"username": name}))[1]) for name in ("one", "two")]
    for number, user in enumerate(ids):
        assert (await ask(rig, "POST", "/userdata/a.json", number, **{"Comfy-User": user}))[0] == 200
    for number, user in enumerate(ids):
        assert await ask(rig, "GET", "/userdata/a.json", **{"Comfy-User": user}) == (200, str(number).encode())
    for method, path in (("GET", "/userdata/a.json"), ("POST", "/userdata/a.json"), ("GET", "/v2/userdata")):
        assert (await ask(rig, method, path, {} if method == "POST" else None, **{"Comfy-User": "__x"}))[0] == 401
        assert (await ask(rig, method, path, {} if method == "POST" else None))[0] == 401
    await rig.client.close()
    await rig.shared.store.close()


# ── with nodes that run ─────────────────────────────────────────────────────────────────────────


def picture(*outputs: str) -> dict[str, Any]:
    """One picture that each of `outputs` shows."""
    size = {"width": 8, "height": 8, "batch_size": 1, "color": 3}
    shown = {one: {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}} for one in outputs}
    return {"1": {"class_type": "EmptyImage", "inputs": size}, **shown}


async def run(engine: RunningEngine, **body: Any) -> tuple[dict[str, Any], list[str]]:
    """The entry in the history, and the types of events."""
    told: list[str] = []
    async with aiohttp.ClientSession() as session, asyncio.timeout(120):
        async with session.ws_connect(f"{engine.url}/ws?clientId=runner") as socket:
            async with session.post(f"{engine.url}/prompt", json={"client_id": "runner", **body}) as response:
                assert response.status == 200, await response.text()
                prompt_id = (await response.json())["prompt_id"]
            async for message in socket:
                event = {"type": "binary", "data": {}} if message.type is aiohttp.WSMsgType.BINARY else message.json()
                told.append(event["type"])
                if event["type"] == "executing" and event["data"] == {"node": None, "prompt_id": prompt_id}:
                    break
        async with session.get(f"{engine.url}/history/{prompt_id}") as response:
            return (await response.json())[prompt_id], told


async def test_only_the_outputs_that_are_asked_for_run(engine: RunningEngine) -> None:
    entry, told = await run(engine, prompt=picture("2", "3"), partial_execution_targets=["3", "nope"])
    assert list(entry["outputs"]) == entry["prompt"][4] == ["3"]
    assert told.count("executed") == 1
    status, body = engine.call("POST", "/prompt", {"prompt": picture("2"), "partial_execution_targets": []})
    assert (status, json.loads(body)["error"]["type"]) == (400, "prompt_no_outputs")


async def test_interrupting_another_prompt_leaves_this_one(engine: RunningEngine) -> None:
    assert engine.call("POST", "/interrupt", {"prompt_id": "another"}) == (200, b"")
    assert engine.call("POST", "/interrupt", {}) == (200, b"")  # nothing runs, and the next one is not stopped by it
    entry, _ = await run(engine, prompt=picture("2"))
    assert entry["status"]["status_str"] == "success"


async def test_values_are_stored_as_they_were_converted(engine: RunningEngine) -> None:
    graph = picture("2")
    graph["1"]["inputs"] |= {"width": "16", "height": 8.9, "batch_size": True}
    entry, _ = await run(engine, prompt=graph)
    assert entry["prompt"][2]["1"]["inputs"] == {"width": 16, "height": 8, "batch_size": 1, "color": 3}


@pytest.mark.parametrize(("given", "value"), [(2**64, 2.0**64), ("9" * 30, 1e30)])
async def test_a_number_that_no_message_carries_is_an_error_of_its_node(
    engine: RunningEngine, given: Any, value: float
) -> None:
    graph = picture("2")
    graph["1"]["inputs"]["width"] = given
    status, body = engine.call("POST", "/prompt", {"prompt": graph})
    (error,) = json.loads(body)["node_errors"]["1"]["errors"]
    assert (status, error["type"]) == (400, "value_bigger_than_max")
    assert error["message"] == f"Value {given} bigger than max of 16384"
    assert error["extra_info"]["received_value"] == value


async def test_a_client_that_comes_back_is_told_where_its_prompt_is_and_hears_the_rest(engine: RunningEngine) -> None:
    graph = {
        "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 8192, "height": 8192, "batch_size": 1}},
        "2": {
            "class_type": "LatentUpscaleBy",
            "inputs": {"samples": ["1", 0], "upscale_method": "bislerp", "scale_by": 1},
        },
        "3": {
            "class_type": "LatentUpscaleBy",
            "inputs": {"samples": ["2", 0], "upscale_method": "area", "scale_by": 0.1},
        },
        "4": {"class_type": "SaveLatent", "inputs": {"samples": ["3", 0], "filename_prefix": "back"}},
    }
    children = psutil.Process(engine.process.pid).children()
    worker = next(one for one in children if any("engine.worker" in word for word in one.cmdline()))
    async with aiohttp.ClientSession() as session, asyncio.timeout(120):
        url = f"{engine.url}/ws?clientId=returns"
        async with session.ws_connect(url) as first:
            async with session.post(f"{engine.url}/prompt", json={"prompt": graph, "client_id": "returns"}) as response:
                prompt_id = (await response.json())["prompt_id"]
            while (event := await first.receive_json())["type"] != "executing" or event["data"]["node"] != "2":
                pass
            worker.suspend()  # so that it is still there when the client comes back
        try:
            async with session.ws_connect(url) as second:
                greeting = [await second.receive_json(), await second.receive_json()]
                worker.resume()
                assert greeting[0]["data"] == {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "returns"}
                assert greeting[1] == {"type": "executing", "data": {"node": "2"}}
                rest = [await second.receive_json()]
                while rest[-1]["type"] != "executing" or rest[-1]["data"]["node"] is not None:
                    rest.append(await second.receive_json())
        finally:
            worker.resume()
    assert rest[-1]["data"]["prompt_id"] == prompt_id
    assert [one["data"]["node"] for one in rest if one["type"] == "executed"] == ["4"]
    assert "execution_success" in [one["type"] for one in rest]

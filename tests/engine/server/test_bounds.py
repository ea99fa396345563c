"""How much one request may ask: what is too much is refused with the bound in words, and never with 500."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.server import limits
from engine.server.bodies import BadBodyError, decode, encode, shallow
from tests.engine.server.conftest import Rig
from tests.engine.server.test_security import started

NODE = {"class_type": "A", "inputs": {}}


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


async def refused(rig: Rig, body: Any, path: str = "/prompt", status: int = 400) -> str:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with rig.client.post(path, data=data) as response:
        text = await response.text()
        assert response.status == status, text[:300]
        return text


@pytest.mark.parametrize(
    ("body", "bound"),
    [
        ({"prompt": {str(number): NODE for number in range(limits.NODES + 1)}}, limits.NODES),
        ({"prompt": {"x" * 257: NODE}}, limits.IDENTIFIER),
        ({"prompt": {"1": {"class_type": "x" * 257}}}, limits.IDENTIFIER),
        ({"prompt": {"1": {"class_type": "A", "inputs": {"x" * 257: 1}}}}, limits.IDENTIFIER),
        ({"prompt": {"1": {"class_type": "A", "inputs": {str(n): 1 for n in range(1001)}}}}, limits.INPUTS),
        ({"prompt": {"1": NODE}, "prompt_id": "x" * 257}, limits.IDENTIFIER),
        ({"prompt": {"1": NODE}, "client_id": "x" * 257}, limits.IDENTIFIER),
        ({"prompt": {"1": NODE}, "partial_execution_targets": ["1"] * 10_001}, limits.LISTED),
    ],
    ids=range(8),
)
async def test_prompts_beyond_a_bound(rig: Rig, body: Any, bound: int) -> None:
    assert f"{bound} " in await refused(rig, body)
    assert rig.worker.sent == []  # the worker never hears of it


async def test_lists_of_ids(rig: Rig) -> None:
    for path in ("/queue", "/history"):
        assert "10000 are the limit" in await refused(rig, {"delete": ["x"] * 10_001}, path)


@pytest.mark.parametrize(
    "path",
    ["/prompt", "/queue", "/history", "/free", "/settings", "/settings/a", "/users", "/api/jobs/cancel", "/interrupt"],
)
async def test_deep_json_is_refused_by_every_route(rig: Rig, path: str) -> None:
    for text in (nested(200), nested(100_000), nested(200_000, '{"a":', "}").replace(":}", ":1}"), "[" * 100_000):
        for body in (text, '{"prompt":{},"extra_data":{"x":' + text + "}}"):
            async with rig.client.post(path, data=body.encode()) as response:
                told = await response.text()
                assert response.status == (200 if path == "/interrupt" else 400), told
    async with rig.client.patch("/internal/logs/subscribe", data=nested(5000).encode()) as response:
        assert response.status == 400


async def test_deep_json_of_sockets_and_uploads(rig: Rig) -> None:
    socket = await rig.client.ws_connect("/ws")
    await socket.receive_json()
    await socket.send_str('{"type":"feature_flags","data":' + nested(20_000) + "}")
    await socket.send_str('{"type":"feature_flags","data":{}}')
    assert (await socket.receive_json())["type"] == "feature_flags"
    await socket.send_str(" " * (limits.SOCKET_MESSAGE + 1))
    message = await socket.receive()
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)
    form = aiohttp.FormData()
    form.add_field("image", b"x", filename="a.png")
    form.add_field("original_ref", nested(20_000))
    async with rig.client.post("/upload/mask", data=form) as response:
        assert response.status == 400
        assert "original_ref" in await response.text()


async def test_the_queue_is_bounded_by_a_flag(tmp_path: Path) -> None:
    async with started(tmp_path, "--max-queue", "2") as rig:
        for _ in range(3):  # one runs
            await rig.submit()
        text = await refused(rig, {"prompt": {"1": NODE}}, status=429)
        assert "2 are the limit (--max-queue)" in text
        rig.worker.executed.clear()
        rig.finish()
        await rig.worker.executed.wait()  # the next one left the queue
        await rig.submit()


async def test_bodies_by_their_announced_and_their_real_size(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JSON_BODY", 1000)
    assert "1000 are the limit" in await refused(rig, b" " * 1001, status=413)

    async def pieces() -> Any:
        for _ in range(20):
            yield b" " * 100

    async with rig.client.post("/prompt", data=pieces()) as response:
        assert response.status == 413
        assert "1000 are the limit" in await response.text()


async def test_settings_and_users_do_not_grow_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SETTINGS", 100)
    monkeypatch.setattr(limits, "USERS", 2)
    for path, body in (("/settings", {"a": "x" * 60}), ("/settings/b", "x" * 10)):
        async with rig.client.post(path, json=body) as response:
            assert response.status == 200
    assert "100 are the limit" in await refused(rig, {"c": "x" * 80}, "/settings")
    assert "100 are the limit" in await refused(rig, "x" * 80, "/settings/c")
    assert "c" not in await rig.get("/settings")
    for name in ("one", "two"):
        async with rig.client.post("/users", json={"username": name}) as response:
            assert response.status == 200
    assert "2 users" in await refused(rig, {"username": "three"}, "/users")


async def test_forms_of_many_parts_and_long_fields(rig: Rig) -> None:
    form = aiohttp.FormData()
    for number in range(limits.FORM_PARTS + 1):
        form.add_field(f"f{number}", "x", filename="f")
    async with rig.client.post("/upload/image", data=form) as response:
        assert response.status == 400
        assert f"{limits.FORM_PARTS} parts" in await response.text()
    form = aiohttp.FormData()
    form.add_field("subfolder", "x" * (limits.FORM_FIELD + 1))
    form.add_field("image", b"x", filename="a.png")
    async with rig.client.post("/upload/image", data=form) as response:
        assert response.status == 400
        assert f"{limits.FORM_FIELD} bytes" in await response.text()


async def test_an_upload_over_the_flag_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, "--max-upload-size", "0.01") as rig:
        form = aiohttp.FormData()
        form.add_field("image", b"x" * 20_000, filename="a.png")
        async with rig.client.post("/upload/image", data=form) as response:
            assert response.status == 413
            assert "--max-upload-size" in await response.text()
        assert not list(rig.shared.folders.input.iterdir())


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=20,
)


@given(_values, st.integers(0, 2 * limits.DEPTH))
def test_depth_is_counted_as_a_person_would(value: Any, around: int) -> None:
    def depth(one: Any) -> int:
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    for turn in range(around):
        value = [value] if turn % 2 else {"a": value}
    text = encode(value)
    if depth(value) <= limits.DEPTH:
        assert shallow(decode(text), text) == value
    else:
        with pytest.raises(BadBodyError, match=str(limits.DEPTH)):
            shallow(decode(text), text)


async def test_the_queue_takes_as_many_as_it_may_hold_however_many_come_at_once(tmp_path: Path) -> None:
    async with started(tmp_path, "--max-queue", "3") as rig:
        await rig.submit()  # it runs, and does not wait

        async def try_one(number: int) -> int:
            async with rig.client.post("/prompt", json={"prompt": {"1": NODE}, "prompt_id": f"p{number}"}) as response:
                return response.status

        statuses = await asyncio.gather(*(try_one(number) for number in range(20)))
        assert sorted(statuses) == [200] * 3 + [429] * 17
        said = await refused(rig, {"prompt": {"1": NODE}}, status=429)
        assert "3 are the limit (--max-queue)" in said
        rig.finish()
        async with asyncio.timeout(10):
            while len(rig.shared.dispatcher.waiting()) == 3:
                await asyncio.sleep(0)
        await rig.submit()


async def test_the_queue_holds_so_many_bytes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "QUEUE", 3_000)
    await rig.submit()
    for _ in range(3):
        await rig.submit(extra_data={"x": "y" * 1_000})
    assert "3000 are the limit" in await refused(rig, {"prompt": {"1": NODE}}, status=429)
    async with rig.client.post("/queue", json={"clear": True}) as response:
        assert response.status == 200
    await rig.submit()

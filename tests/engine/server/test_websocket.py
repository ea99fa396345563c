import asyncio
import json
import struct
from typing import Any

import aiohttp
import pytest

from engine.server.hub import Hub, Socket
from engine.worker import messages
from tests.engine.server.conftest import Rig


async def read(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The next frame: a message, or bytes."""
    frame = await asyncio.wait_for(socket.receive(), 10)
    assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), frame
    return json.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else frame.data


async def read_until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> list[Any]:
    seen = [await read(socket)]
    while not (isinstance(seen[-1], dict) and seen[-1]["type"] == kind):
        seen.append(await read(socket))
    return seen


def event(prompt_id: str, kind: str, broadcast: bool = False, **data: Any) -> messages.Event:
    return messages.Event(prompt_id, kind, {"prompt_id": prompt_id, **data}, broadcast)


def preview(prompt_id: str) -> messages.Preview:
    return messages.Preview(prompt_id, "3", "3", None, "3", "image/jpeg", b"\xff\xd8picture")


async def test_the_first_frame_tells_the_queue_and_the_name(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=me") as socket:
        data = {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"}
        assert await read(socket) == {"type": "status", "data": data}
    async with rig.client.ws_connect("/api/ws") as socket:
        sid = (await read(socket))["data"]["sid"]
        assert len(sid) == 32
        assert int(sid, 16) >= 0


async def test_feature_flags_are_answered_and_the_rest_is_ignored(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws") as socket:
        await read(socket)
        for nonsense in ("{", "[]", '{"type": "x"}', '{"type": "feature_flags", "data": 3}', "[" * 3000):
            await socket.send_str(nonsense)
        await socket.send_bytes(b"x")
        await socket.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
        answer = await read(socket)
    assert answer == {"type": "feature_flags", "data": await rig.get("/features")}
    assert answer["data"]["supports_preview_metadata"] is True
    assert answer["data"]["max_upload_size"] == 104857600


async def test_the_events_of_a_prompt_come_in_order(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=me") as mine, rig.client.ws_connect("/ws?clientId=other") as other:
        await read(mine), await read(other)
        prompt_id = (await rig.submit(client_id="me"))["prompt_id"]
        rig.tell(event(prompt_id, "execution_start"))
        rig.tell(event(prompt_id, "execution_cached", nodes=[]))
        rig.tell(event(prompt_id, "executing", node="1", display_node="1"))
        rig.tell(event(prompt_id, "execution_success"))
        rig.finish()
        seen = [await read(mine) for _ in range(8)]
        assert [one["type"] for one in seen] == [
            *("status", "status", "execution_start", "execution_cached", "executing", "execution_success"),
            *("status", "executing"),
        ]
        remaining = [one["data"]["status"]["exec_info"]["queue_remaining"] for one in seen if one["type"] == "status"]
        assert remaining == [1, 1, 0]
        assert seen[-1]["data"] == {"node": None, "prompt_id": prompt_id}
        assert list(await rig.get(f"/history/{prompt_id}")) == [prompt_id]  # written before the last message
        assert [(await read(other))["type"] for _ in range(3)] == ["status"] * 3


async def test_without_a_client_only_broadcasts_are_heard(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws") as socket:
        await read(socket)
        prompt_id = (await rig.submit())["prompt_id"]
        rig.tell(event(prompt_id, "execution_start"))
        rig.tell(event(prompt_id, "progress_state", broadcast=True, nodes={}))
        rig.finish()
        assert [(await read(socket))["type"] for _ in range(4)] == ["status", "status", "progress_state", "status"]


async def test_previews_take_the_form_that_the_client_reads(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=me") as socket:
        await read(socket)
        prompt_id = (await rig.submit(client_id="me"))["prompt_id"]
        await read_until(socket, "status"), await read_until(socket, "status")
        progress = event(prompt_id, "progress", node="3", value=1, max=2)
        rig.tell(preview(prompt_id))
        rig.tell(progress)
        assert (await read(socket))["type"] == "progress"
        assert await read(socket) == struct.pack(">II", 1, 1) + b"\xff\xd8picture"

        await socket.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
        await read_until(socket, "feature_flags")
        rig.tell(preview(prompt_id))
        rig.tell(progress)
        frame = await read(socket)
        kind, length = struct.unpack_from(">II", frame)
        about = json.loads(frame[8 : 8 + length])
        assert (kind, frame[8 + length :]) == (4, b"\xff\xd8picture")
        assert about == {
            **{"node_id": "3", "prompt_id": prompt_id, "display_node_id": "3"},
            **{"parent_node_id": None, "real_node_id": "3", "image_type": "image/jpeg"},
        }
        assert (await read(socket))["type"] == "progress"
        rig.tell(messages.Text(prompt_id, "12", "halb fertig ✓"))
        assert await read(socket) == struct.pack(">II", 3, 2) + b"12" + "halb fertig ✓".encode()


async def test_a_client_that_comes_back_hears_where_its_prompt_is(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=me") as first:
        await read(first)
        prompt_id = (await rig.submit(client_id="me"))["prompt_id"]
        rig.tell(event(prompt_id, "executing", node="3", display_node="3"))
        await read_until(first, "executing")
        async with rig.client.ws_connect("/ws?clientId=me") as second:
            assert (await read(second))["data"]["status"]["exec_info"]["queue_remaining"] == 1
            assert await read(second) == {"type": "executing", "data": {"node": "3"}}
            # The end of the older socket must not take the newer one off the table.
            await first.close()
            rig.tell(event(prompt_id, "progress", node="3", value=1, max=2))
            assert (await read(second))["type"] == "progress"
    async with rig.client.ws_connect("/ws?clientId=stranger") as stranger:
        await read(stranger)
        rig.finish()
        assert (await read(stranger))["type"] == "status"


async def test_large_frames_arrive_whole(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=me", max_msg_size=0) as socket:
        await read(socket)
        for size in (125, 126, 65535, 65536, 3_000_000):
            rig.shared.hub.tell("me", "custom", "x" * size)
            assert (await read(socket))["data"] == "x" * size


async def test_log_lines_reach_who_subscribed(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=me") as socket:
        await read(socket)
        body = {"clientId": "me", "enabled": True}
        async with rig.client.patch("/internal/logs/subscribe", json=body) as response:
            assert (response.status, await response.read()) == (200, b"")
        rig.shared.journal.add("a line")
        message = await read(socket)
        assert message["type"] == "logs"
        assert message["data"]["entries"][0]["m"] == "a line\n"
    raw = await rig.get("/internal/logs/raw")
    assert raw["entries"][-1]["m"] == "a line\n"
    assert "a line\n" in await rig.get("/internal/logs")


async def test_everyone_is_notified_of_what_happens_to_the_server(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws") as one, rig.client.ws_connect("/ws") as other:
        await read(one), await read(other)
        rig.shared.hub.notify("The worker is started again.")
        for socket in (one, other):
            first, second = await read(socket), await read(socket)
            assert (first["type"], second["type"]) == ("notifications", "notification")
            assert first["data"]["value"] == second["data"]["value"] == "The worker is started again."


class StuckLine:
    """A connection whose client reads nothing until it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.got: list[bytes] = []

    def send(self, frames: bytes) -> bool:
        self.got.append(frames)
        return self.go.is_set()

    async def room(self) -> None:
        await self.go.wait()


async def test_a_slow_client_gets_the_newest_progress_and_every_other_event() -> None:
    hub, line = Hub(), StuckLine()
    socket = Socket("slow", line)
    hub.add(socket)
    hub.tell("slow", "executed", {"node": "first"})
    await asyncio.sleep(0)  # it fills the line
    for step in range(2000):
        hub.tell("slow", "progress", {"prompt_id": "p", "node": "3", "value": step, "max": 2000})
        if step % 100 == 0:
            hub.tell("slow", "executed", {"node": str(step)})
        if step % 10 == 0:
            await asyncio.sleep(0)
    assert socket.waiting < 60
    assert len(line.got) == 1  # nothing is handed to a full line
    line.go.set()
    pump = asyncio.create_task(socket.pump())
    while socket.waiting:
        await asyncio.sleep(0)
    pump.cancel()
    sent = b"".join(line.got)
    assert sent.count(b'"executed"') == 21
    assert sent.rfind(b'"value":1999') > sent.rfind(b'"executed"')
    assert sent.count(b'"progress"') < 50


async def test_a_client_that_reads_nothing_is_dropped() -> None:
    hub = Hub()
    socket = Socket("dead", StuckLine())
    hub.add(socket)
    for number in range(5000):
        hub.tell("dead", "executed", {"node": str(number)})
    assert socket.lost.is_set()
    assert socket.waiting == 0


async def test_the_stop_of_the_server_says_goodbye(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws") as socket:
        await read(socket)
        rig.shared.hub.stopping.set()
        frame = await asyncio.wait_for(socket.receive(), 10)
        assert frame.type is aiohttp.WSMsgType.CLOSE
        assert frame.data == 1001


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_sockets_of_foreign_pages_are_refused(rig: Rig, origin: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await rig.client.ws_connect("/ws", headers={"Origin": origin})
    assert refused.value.status == 403

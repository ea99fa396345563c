"""Sockets that do not read, and a thousand that do: the one whose job runs notices neither."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import aiohttp
import pytest

from engine.worker import messages
from tests.engine.server.conftest import Rig
from tests.engine.server.test_websocket import event, read, read_until

CROWD = 1000


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Room for both ends of every socket; skips where the system does not give it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 3 * CROWD
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            pytest.skip(f"{hard} files may be open; {needed} are needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class RawClient:
    """A WebSocket client that reads only when it is told to."""

    def __init__(self, rig: Rig, sid: str, receive_buffer: int | None = None) -> None:
        self.line = socket.socket()
        if receive_buffer is not None:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.line.setblocking(False)
        self._address = (rig.client.host, rig.client.port)
        self._request = (
            f"GET /ws?clientId={sid} HTTP/1.1\r\nHost: {rig.client.host}:{rig.client.port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.line, self._address)
        await loop.sock_sendall(self.line, self._request.encode())
        assert (await loop.sock_recv(self.line, 12)).endswith(b" 101")

    async def read_until(self, end: bytes) -> bytes:
        got = b""
        while end not in got:
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.line, 1 << 20), 20)
            assert data, "closed"
            got += data
        return got


async def test_a_client_that_does_not_read_holds_up_nobody_and_gets_the_newest_in_the_end(rig: Rig) -> None:
    stuck = RawClient(rig, "stuck", receive_buffer=4096)
    await stuck.connect()
    picture = b"\xff\xd8" + b"x" * 30_000
    steps = 1500
    async with rig.client.ws_connect("/ws?clientId=reader", max_msg_size=0) as reader:
        await read(reader)
        prompt_id = (await rig.submit())["prompt_id"]  # of nobody: its progress is everyone's

        async def follow() -> int:
            """Read to the last step; how many previews came."""
            previews = 0
            while True:
                frame = await read(reader)
                if isinstance(frame, bytes):
                    previews += 1
                elif frame["type"] == "progress" and frame["data"]["value"] == steps:
                    return previews

        following = asyncio.create_task(follow())
        most = 0
        for step in range(1, steps + 1):
            rig.tell(messages.Preview(prompt_id, "3", "3", None, "3", "image/jpeg", picture))
            rig.tell(event(prompt_id, "progress", True, node="3", value=step, max=steps))
            await asyncio.sleep(0)
            held = rig.shared.hub.get("stuck")
            assert held is not None
            most = max(most, held.waiting)
            assert held._bytes < 4_000_000  # of the 45 MB that were sent
        assert most < 60
        assert await asyncio.wait_for(following, 20) > 10
        held = rig.shared.hub.get("stuck")
        assert held is not None
        assert not held.lost.is_set()
    got = await stuck.read_until(b'"value":%d' % steps)
    assert len(got) < 8_000_000
    stuck.line.close()


async def test_a_thousand_sockets_all_hear_the_end_and_the_jobs_own_hears_all_in_order(
    rig: Rig, descriptors: None
) -> None:
    with ExitStack() as opened:
        crowd = [RawClient(rig, f"c{number}") for number in range(CROWD)]
        for one in crowd:
            opened.callback(one.line.close)
            await one.connect()
        async with rig.client.ws_connect("/ws?clientId=me") as mine:
            await read(mine)
            prompt_id = (await rig.submit(client_id="me"))["prompt_id"]
            rig.tell(event(prompt_id, "execution_start"))
            for step in range(1, 201):
                rig.tell(event(prompt_id, "progress", True, node="3", value=step, max=200))
                await asyncio.sleep(0)
            rig.finish()
            seen: list[Any] = []
            while not (seen and seen[-1]["type"] == "executing" and seen[-1]["data"]["node"] is None):
                seen.append(await read(mine))
            steps = [one["data"]["value"] for one in seen if one["type"] == "progress"]
            assert steps[-1] == 200
            assert steps == sorted(set(steps))
            remaining = [
                one["data"]["status"]["exec_info"]["queue_remaining"] for one in seen if one["type"] == "status"
            ]
            assert remaining[-1] == 0
            assert seen[-2]["type"] == "status"  # before the end, as for a client that is alone
        for one in crowd:
            heard = await one.read_until(b'"queue_remaining":0}}}') if one is crowd[0] else b""
            assert b'"progress"' not in heard  # not their job
        # Everyone's last word is the same.
        for one in crowd[1:]:
            await one.read_until(b'"queue_remaining":0}}}')


async def test_with_a_crowd_progress_of_nobodys_job_is_thinned_and_its_end_is_not(rig: Rig) -> None:
    async with rig.client.ws_connect("/ws?clientId=watcher") as watcher:
        await read(watcher)
        with ExitStack() as opened:
            for number in range(100):
                one = RawClient(rig, f"c{number}")
                opened.callback(one.line.close)
                await one.connect()
            prompt_id = (await rig.submit())["prompt_id"]
            for step in range(1, 1001):
                rig.tell(event(prompt_id, "progress", True, node="3", value=step, max=1000))
                if step % 100 == 0:
                    await asyncio.sleep(0)
            stop = {"node_id": "3", "executed": []}
            rig.tell(event(prompt_id, "execution_interrupted", True, **stop))
            seen = await read_until(watcher, "execution_interrupted")
            steps = [one["data"]["value"] for one in seen if one["type"] == "progress"]
            assert steps[-1] == 1000  # the newest is there before what ends it
            assert len(steps) < 200


async def test_each_event_is_encoded_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.server import hub

    made: list[str] = []
    real = hub.event
    monkeypatch.setattr(hub, "event", lambda kind, data: made.append(kind) or real(kind, data))
    async with aiohttp.ClientSession() as session:
        url = f"http://{rig.client.host}:{rig.client.port}/ws"
        sockets = [await session.ws_connect(url) for _ in range(40)]
        rig.shared.hub.tell(None, "custom", {"a": 1})
        for one in sockets:
            while json.loads((await one.receive()).data)["type"] != "custom":
                pass
        rig.shared.hub.tell("nobody", "custom", {"a": 1})
    assert made == ["custom"]

"""Sockets that look on: what a thousand of them cost a job, and how many events a second reach 1, 100 and 1,000.

The job's cost is told twice: by the clock, where the onlookers' own reading counts too if they share its core, and by
the processor time of the engine's two processes.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil

from benchmarks.result import Result
from benchmarks.server import Running, running

CROWD, STEPS, ROUNDS = 1000, 60, 5
SETTLE = 3  # seconds
EVENTS = {1: 20_000, 100: 500, 1000: 50}
EXAMPLE = Path(__file__).parents[1] / "examples" / "txt2img-demo.json"

# A process of its own, which connects and reads what comes, without a look at it; it prints a line when all have
# connected, and one whenever `limit` bytes have come.
_ONLOOKERS = """
import resource, select, socket, sys
host, port, count, limit, handshake = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "ws"
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
lines = {}
for number in range(count):
    line = socket.create_connection((host, port))
    if handshake:
        line.sendall((f"GET /ws?clientId=onlooker{number} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\nConnection: Upgrade\\r\\n"
            "Upgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\n\\r\\n").encode())
        assert b" 101 " in line.recv(4096)
    lines[line.fileno()] = line
poll = select.epoll()
for number in lines: poll.register(number, select.EPOLLIN)
print("ready", flush=True)
buffer, got = bytearray(1 << 16), 0
while lines:
    for number, _ in poll.poll():
        size = lines[number].recv_into(buffer)
        if not size:
            poll.unregister(number); lines.pop(number).close()
        got += size
        if limit and got >= limit:
            got -= limit; print("got", flush=True)
"""


@contextmanager
def onlookers(address: str, count: int, limit: int = 0, kind: str = "ws") -> Iterator[subprocess.Popen[bytes]]:
    """So many open sockets that read; `limit` bytes make a line of output."""
    host, _, port = address.partition(":")
    command = [sys.executable, "-c", _ONLOOKERS, host, port, str(count), str(limit), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def _job(seed: int) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    for node in graph.values():
        if node["class_type"] == "KSampler":
            node["inputs"] |= {"steps": STEPS, "seed": seed}
    return graph


async def _run(engine: Running, seed: int, mine: bool) -> tuple[float, float]:
    """Seconds by the clock and of the processor for a job: of the socket that hears its end, or of nobody."""
    front = psutil.Process(engine.pid)
    both = [front, *front.children()]
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{engine.url}/ws?clientId=me") as socket:
        await socket.receive()
        body: dict[str, Any] = {"prompt": _job(seed)} | ({"client_id": "me"} if mine else {})
        spent = sum(sum(one.cpu_times()[:2]) for one in both)
        start = time.perf_counter()
        async with session.post(f"{engine.url}/prompt", data=json.dumps(body)) as reply:
            assert reply.status == 200, await reply.text()
            prompt_id = (await reply.json())["prompt_id"]
        async for message in socket:
            told = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
            if mine and told.get("type") == "execution_success":
                break
            if not mine and told.get("type") == "status":
                async with session.get(f"{engine.url}/history/{prompt_id}") as answer:
                    if await answer.json():
                        break
        return time.perf_counter() - start, sum(sum(one.cpu_times()[:2]) for one in both) - spent


def _cost() -> Iterator[Result]:
    with running() as engine:
        asyncio.run(_run(engine, 0, True))  # loads the model
        for mine, whose in ((True, "a client's job"), (False, "nobody's job")):
            alone, crowded = [], []
            for number in range(ROUNDS):
                seed = 1 + number * 2 + mine * 1000
                time.sleep(SETTLE)  # coming and going costs too, and is not what is measured
                alone.append(asyncio.run(_run(engine, seed, mine)))
                with onlookers(urlsplit(engine.url).netloc, CROWD - 1):
                    time.sleep(SETTLE)
                    crowded.append(asyncio.run(_run(engine, seed + 1, mine)))
            for index, measure in enumerate(("clock", "processor")):
                with_crowd = statistics.median(one[index] for one in crowded)
                without = statistics.median(one[index] for one in alone)
                name = f"{whose}, {CROWD} sockets, {measure}"
                yield Result(name, with_crowd * 1e3, "ms", without * 1e3, "one socket", "below 1.05")


async def _fan_out(count: int, events: int) -> float:
    """Seconds until `events` events have reached each of `count` sockets, which read in another process."""
    from engine.server import hub as hubs
    from engine.server.wire import Wire

    hub, pumps = hubs.Hub(), []

    class Served(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            socket = hubs.Socket(str(len(pumps)), Wire(transport))
            hub.add(socket)
            pumps.append(asyncio.ensure_future(socket.pump()))

    server = await asyncio.get_running_loop().create_server(Served, "127.0.0.1", 0, backlog=1024)
    data = {"node": "12", "display_node": "12", "prompt_id": "0" * 36}
    size = len(hubs.event("executing", data))
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def watch() -> float:
        with onlookers(address, count, size * count * events, "raw") as process:
            assert process.stdout is not None
            loop.call_soon_threadsafe(ready.set)
            process.stdout.readline()
            return time.perf_counter()

    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    watching = asyncio.ensure_future(asyncio.to_thread(watch))
    await ready.wait()
    while len(pumps) < count:  # noqa: ASYNC110 - the last connections are made in a moment
        await asyncio.sleep(0.01)
    start = time.perf_counter()
    for number in range(events):
        hub.tell(None, "executing", data)
        if number % 8 == 7:  # as they come from a worker: a few at a time
            await asyncio.sleep(0)
    end = await watching
    for pump in pumps:
        pump.cancel()
    server.close()
    return end - start


def run() -> Iterator[Result]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the engine inherits it
    try:
        for count, events in EVENTS.items():
            seconds = statistics.median(asyncio.run(_fan_out(count, events)) for _ in range(3))
            yield Result(f"events delivered to {count} sockets", events * count / seconds, "/s")
        yield from _cost()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

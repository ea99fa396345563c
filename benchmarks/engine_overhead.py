"""What the engine adds to a job: three trivial nodes, each time different, so that nothing is cached."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Iterator
from typing import Any

import aiohttp

from benchmarks.result import Result
from benchmarks.server import engine

LATENCY_RUNS, QUEUED = 200, 500


def _prompt(colour: int) -> dict[str, Any]:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": colour}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }


async def measure(url: str) -> tuple[float, float]:
    """Seconds from submit to done (median), and queued prompts a second."""
    client = uuid.uuid4().hex
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws?clientId={client}") as socket:

        async def submit(colour: int) -> str:
            body = json.dumps({"prompt": _prompt(colour), "client_id": client})
            async with session.post(f"{url}/prompt", data=body) as reply:
                answer = await reply.json()
                assert reply.status == 200, answer
                return str(answer["prompt_id"])

        async def finished() -> str:
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    event = json.loads(message.data)
                    if event["type"] == "execution_success":
                        return str(event["data"]["prompt_id"])
                    assert event["type"] != "execution_error", event
            raise ConnectionError("the socket closed")

        times = []
        for i in range(LATENCY_RUNS + 20):
            start = time.perf_counter()
            prompt_id = await submit(i)
            while await finished() != prompt_id:
                pass
            times.append(time.perf_counter() - start)
        start = time.perf_counter()

        async def count() -> None:
            for _ in range(QUEUED):
                await finished()

        counting = asyncio.create_task(count())
        for i in range(QUEUED):
            await submit(100_000 + i)
        await counting
        return statistics.median(times[20:]), QUEUED / (time.perf_counter() - start)


def run() -> Iterator[Result]:
    with engine() as url:
        latency, rate = asyncio.run(measure(url))
    yield Result("engine: submit to done, three trivial nodes", latency * 1e3, "ms", target="below 5.0 (ComfyUI 0.8.0)")
    yield Result("engine: prompts a second, queued", rate, "/s", target="above 255 (ComfyUI 0.8.0)")

"""A worker that dies or runs out of memory in the middle of a job: the front stays, and the next job runs."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.support.engine import REPOSITORY, RunningEngine, start_engine

_PATIENCE = 180.0  # seconds; the worker imports torch again after each death


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    running = start_engine(tmp_path_factory.mktemp("death"))
    yield running
    running.stop()


@pytest.fixture
async def line(own: RunningEngine) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A socket; jobs are submitted by its id, so it hears all about them."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{own.url}/ws?clientId=me") as socket:
        yield socket


async def hear(line: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while True:
        frame = await line.receive(_PATIENCE)
        assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), frame
        if frame.type is aiohttp.WSMsgType.TEXT and (told := json.loads(frame.data))["type"] == kind:
            return told["data"]


def submit(engine: RunningEngine, prompt: dict[str, Any]) -> str:
    status, body = engine.call("POST", "/prompt", {"prompt": prompt, "client_id": "me"})
    assert status == 200, body
    return str(json.loads(body)["prompt_id"])


def sampling() -> dict[str, Any]:
    """It takes minutes, if nobody ends it."""
    graph: dict[str, Any] = json.loads((REPOSITORY / "examples" / "txt2img-demo.json").read_text())
    (sampler,) = [one for one in graph.values() if one["class_type"] == "KSampler"]
    sampler["inputs"] |= {"steps": 10_000, "seed": uuid.uuid4().int % 1000}
    return graph


def picture(size: int, batch: int) -> dict[str, Any]:
    inputs = {"width": size, "height": size, "batch_size": batch, "color": 7}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def the_worker(engine: RunningEngine) -> psutil.Process:
    (worker,) = psutil.Process(engine.process.pid).children()
    return worker


async def test_want_of_memory_fails_one_job_with_what_helps(
    own: RunningEngine, line: aiohttp.ClientWebSocketResponse
) -> None:
    prompt_id = submit(own, picture(16384, 4096))  # 12 TiB
    error = await hear(line, "execution_error")
    assert (error["prompt_id"], error["node_id"], error["node_type"]) == (prompt_id, "1", "EmptyImage")
    assert "can't allocate memory" in error["exception_message"]
    assert "Smaller pictures and a smaller batch need less" in error["exception_message"]
    worker = the_worker(own)
    following = submit(own, picture(16, 1))
    assert (await hear(line, "execution_success"))["prompt_id"] == following
    assert the_worker(own).pid == worker.pid  # it has not died of it


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGABRT, "native code"),
        # Each costs another start of the worker.
        pytest.param(signal.SIGSEGV, "native code", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, "ran out of memory", marks=pytest.mark.slow),
    ],
)
async def test_a_worker_that_dies_while_it_samples_takes_only_its_job_with_it(
    own: RunningEngine, line: aiohttp.ClientWebSocketResponse, number: signal.Signals, words: str
) -> None:
    prompt_id = submit(own, sampling())
    following = submit(own, picture(16, 1))
    assert (await hear(line, "progress"))["value"] > 0
    worker = the_worker(own)
    os.kill(worker.pid, number)
    error = await hear(line, "execution_error")
    assert error["prompt_id"] == prompt_id
    assert error["node_type"] == "KSampler"
    assert error["exception_type"] == "WorkerFailed"
    message = error["exception_message"]
    assert message.startswith(f"The worker was ended by {number.name}")
    assert words in message
    assert message.count("\n") == 1  # lines of its log are no cause
    assert not error["traceback"] or error["traceback"][0].startswith("The last ")
    assert await hear(line, "executing") == {"node": None, "prompt_id": prompt_id}
    entry = json.loads(own.get(f"/history/{prompt_id}")[1])[prompt_id]
    assert entry["status"]["status_str"] == "error"
    assert not worker.is_running()
    assert own.process.poll() is None
    assert (await hear(line, "execution_success"))["prompt_id"] == following


def test_a_front_that_is_killed_takes_a_worker_that_samples_with_it(tmp_path: Path) -> None:
    """Also one that is stuck: stopped here, it cannot notice that the line is closed."""
    engine = start_engine(tmp_path)
    assert engine.get("/object_info/EmptyImage")[0] == 200  # its worker is there
    worker = the_worker(engine)
    worker.suspend()
    engine.stop(signal.SIGKILL)
    worker.wait(20)

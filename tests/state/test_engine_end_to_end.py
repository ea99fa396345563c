"""The connection and the local engine, over the real protocol."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from comfytui.client.errors import Refused
from comfytui.state.connection import Connection
from comfytui.state.model import JobState
from tests.state.conftest import connected, until
from tests.support.engine import REPOSITORY, RunningEngine, start_engine

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    running = start_engine(tmp_path_factory.mktemp("engine") / "base")
    try:
        assert running.get("/object_info/EmptyImage")[0] == 200
        yield running
    finally:
        running.stop()


def trivial(colour: int, prefix: str = "trivial") -> dict[str, Any]:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": colour}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": prefix}},
    }


async def finished(connection: Connection, prompt_id: str) -> Any:
    def settled(state: Any) -> bool:
        job = state.jobs.get(prompt_id)
        return job is not None and prompt_id in state.history and (job.outputs or job.state is not JobState.DONE)

    return (await until(connection, settled)).jobs[prompt_id]


async def test_from_submission_to_picture_and_again_from_the_cache(engine: RunningEngine) -> None:
    async with connected(engine.url) as connection:
        first = await finished(connection, (await connection.submit(trivial(7), name="trivial")).prompt_id)
        assert first.state is JobState.DONE
        assert {node.state.value for node in first.nodes} == {"done"}
        assert (await connection.fetch(first.outputs[0])).startswith(b"\x89PNG")
        again = await finished(connection, (await connection.submit(trivial(7))).prompt_id)
        assert again.state is JobState.DONE
        assert {node.state.value for node in again.nodes} <= {"cached", "done"}
        assert "cached" in {node.state.value for node in again.nodes}
        await connection.load_history()
        assert connection.state.history[:2] == (again.id, first.id)
        assert connection.state.stats is not None or await connection.refresh_stats() is None


async def test_refusals_and_the_catalogue(engine: RunningEngine) -> None:
    async with connected(engine.url) as connection:
        catalogue = await connection.load_object_info()
        assert "KSampler" in catalogue
        graph = trivial(1)
        graph["1"]["inputs"]["width"] = 0
        with pytest.raises(Refused) as caught:
            await connection.submit(graph)
        assert caught.value.node_errors["1"].class_type == "EmptyImage"
        with pytest.raises(Refused, match="NoSuchNode"):
            await connection.submit({"1": {"class_type": "NoSuchNode", "inputs": {}}})


async def test_many_at_once_each_end_done(engine: RunningEngine) -> None:
    async with connected(engine.url) as connection:
        answers = await asyncio.gather(*(connection.submit(trivial(100 + n, "many")) for n in range(20)))
        for answer in answers:
            assert (await finished(connection, answer.prompt_id)).state is JobState.DONE
        assert connection.state.waiting == ()
        assert connection.state.running == ()


async def test_sampling_with_previews_then_move_cancel_and_interrupt(engine: RunningEngine) -> None:
    if b"comfytui-demo.safetensors" not in engine.get("/models/checkpoints")[1]:
        pytest.skip("the demo model is not here")
    graph = json.loads((REPOSITORY / "examples" / "txt2img-demo.json").read_text())
    sampler = next(node_id for node_id, node in graph.items() if node["class_type"] == "KSampler")
    graph[sampler]["inputs"] |= {"steps": 4, "seed": 11}
    async with connected(engine.url) as connection:
        job = await finished(connection, (await connection.submit(graph)).prompt_id)
        assert job.state is JobState.DONE
        assert next((node.value, node.maximum) for node in job.nodes if node.id == sampler) == (4, 4)
        assert connection.state.preview is not None
        assert (connection.state.preview.prompt_id, connection.state.preview.node_id) == (job.id, sampler)
        assert connection.state.preview.image.startswith(b"\xff\xd8")

        graph[sampler]["inputs"] |= {"steps": 5000, "seed": 12}
        long, a, b = [(await connection.submit(graph)).prompt_id for _ in range(3)]
        state = await until(connection, lambda s: s.run is not None and s.run.rate and s.waiting == (a, b))
        assert state.run is not None
        assert state.run.left is not None
        assert state.run.left > 0
        await connection.move(b, 0)
        assert connection.state.waiting == (b, a)
        await connection.cancel([a, b])
        assert connection.state.waiting == ()
        await connection.interrupt(long)
        assert (await finished(connection, long)).state is JobState.INTERRUPTED

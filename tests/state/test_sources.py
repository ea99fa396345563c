"""A workflow is had from wherever it is: files, links of the connected server, its history, its own workflows."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comfytui.client.errors import ClientError, Missing
from comfytui.state.model import JobState
from comfytui.state.sources import load
from comfytui.workflow.errors import WorkflowError
from tests.state.conftest import connected, fill, until
from tests.support.engine import RunningEngine
from tests.support.replay import FakeComfy, txt2img
from tests.workflow.embedded.carriers import png

PAGE = {"nodes": [{"id": 1, "type": "\x1b[1mNote"}], "links": [], "version": 0.4}


async def test_what_a_server_has(tmp_path: Path) -> None:
    async with FakeComfy(prefix="/comfy", token="t") as server, connected(server.url, token="t") as connection:
        picture = png({"prompt": json.dumps(txt2img(seed=5)), "workflow": json.dumps(PAGE)})
        server.files["output", "sub", "a b.png"] = picture
        for text in (f"{server.url}/view?filename=a%20b.png&subfolder=sub", "server:output/sub/a b.png"):
            found = await load(text, connection)
            assert found.graph == txt2img(seed=5) and found.name == "a b.png"
            assert found.workflow == PAGE, "as it is, and not as it may be shown"
        (name,) = fill(server, 1)
        for text in (f"{server.url}/history/{name}", f"server:history/{name}"):
            found = await load(text, connection)
            assert (found.graph, found.source) == (txt2img(seed=0), "history")
        path = tmp_path / "w.json"
        path.write_text(json.dumps(txt2img()))
        assert (await load(str(path), connection)).graph == txt2img()


async def test_what_is_not_there_and_what_is_somebody_elses() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        with pytest.raises(Missing, match=r"gone\.png is not in the server's temp folder"):
            await load("server:temp/gone.png", connection)
        with pytest.raises(Missing, match="no history of job 0a"):
            await load("server:history/0a", connection)
        with pytest.raises(ClientError):
            await load("server:workflows/none.json", connection)
        asked = len(server.requests)
        with pytest.raises(WorkflowError, match="is on elsewhere"):
            await load("http://elsewhere/view?filename=a.png", connection)
        assert len([each for each in server.requests[asked:] if "/view" in each.path]) == 0
    with pytest.raises(WorkflowError, match="no server is connected"):
        await load("server:output/a.png", None)


async def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(txt2img()).encode())))
    found = await load("-", None)
    assert (found.graph, found.name) == (txt2img(), "stdin")


async def test_what_the_real_engine_saved_can_run_again(engine: RunningEngine) -> None:
    graph: dict[str, Any] = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 3}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "again"}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {"class_type": "SaveLatent", "inputs": {"samples": ["3", 0], "filename_prefix": "again"}},
    }
    async with connected(engine.url) as connection:
        prompt_id = (await connection.submit(graph, workflow=PAGE)).prompt_id

        def settled(state: Any) -> bool:
            job = state.jobs.get(prompt_id)
            return job is not None and prompt_id in state.history and (job.outputs or job.state is not JobState.DONE)

        job = (await until(connection, settled)).jobs[prompt_id]
        files = [each for each in job.outputs if each.filename]
        assert {each.filename.rpartition(".")[2] for each in files} == {"png", "latent"}
        for each in files:
            found = await load(f"server:{each.type}/{each.filename}", connection)
            assert (found.graph, found.workflow) == (graph, PAGE), each.filename
            (there,) = await asyncio.to_thread(lambda name=each.filename: list(engine.base.rglob(name)))
            assert (await load(str(there), None)).graph == graph
        again = await load(f"{engine.url}/history/{prompt_id}", connection)
        assert (again.graph, again.workflow) == (graph, PAGE)

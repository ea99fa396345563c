"""A batch of 10,000 jobs against a server that answers at once: what one costs us, beside bare posts of the same bodies."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.result import Result

JOBS = 10_000
IN_FLIGHT = 8
GRAPH = {
    "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "2": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 4, "cfg": 7.0, "latent_image": ["1", 0]}},
    "3": {"class_type": "SaveLatent", "inputs": {"samples": ["2", 0], "filename_prefix": "a"}},
}


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder, _server() as url:
        os.environ |= {"COMFYTUI_CONFIG_DIR": folder, "COMFYTUI_STATE_DIR": folder}
        bare = asyncio.run(_bare(url))
        jobs = Path(folder) / "jobs.json"
        (Path(folder) / "w.json").write_text(json.dumps(GRAPH))
        jobs.write_text(json.dumps({"workflow": "w.json", "grid": {"seed": f"1..{JOBS}"}, "in_flight": IN_FLIGHT}))
        took = _batch(jobs, url)
        again = _batch(jobs, url)
    each = took / JOBS * 1000
    yield Result(f"batch: a job of {JOBS:,}", each, "ms", bare / JOBS * 1000, "a bare httpx post", "below 5 ms")
    yield Result(f"batch: {JOBS:,} jobs that are done, again", again * 1000, "ms", target="below 2,000 ms")


def _batch(jobs: Path, url: str) -> float:
    """Seconds for the whole command but the interpreter's start: planning, state on the disk, report."""
    from comfytui.cli.main import main

    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main(lambda *_: 0, ["batch", str(jobs), "--server", url, "--no-save"])
        except SystemExit as left:
            if left.code:
                raise RuntimeError(err.getvalue()) from left
    took = time.perf_counter() - began
    if f"{JOBS:,} done" not in out.getvalue():
        raise RuntimeError(out.getvalue() + err.getvalue())
    return took


async def _bare(url: str) -> float:
    """The same number of posts, as many at once, with nothing around them."""
    left = iter(range(JOBS))

    async def work(client: httpx.AsyncClient) -> None:
        for number in left:
            graph = {**GRAPH, "2": {**GRAPH["2"], "inputs": {**GRAPH["2"]["inputs"], "seed": number}}}
            body = {"prompt": graph, "client_id": "bare", "prompt_id": f"bare-{number}"}
            (await client.post(f"{url}/prompt", json=body)).raise_for_status()

    async with httpx.AsyncClient() as client:
        began = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(IN_FLIGHT)))
        return time.perf_counter() - began


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """A process of its own, so that what it costs is not counted as ours more than it must."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.batch"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(20)


async def _serve() -> None:
    """Each prompt is finished when it is posted: its event is sent before the answer, and its history is there."""
    from aiohttp import web

    sockets: dict[str, web.WebSocketResponse] = {}
    history: dict[str, dict[str, object]] = {}

    async def post(request: web.Request) -> web.Response:
        body = await request.json()
        prompt_id = body["prompt_id"]
        at = time.time() * 1000
        messages = [[f"execution_{what}", {"prompt_id": prompt_id, "timestamp": at}] for what in ("start", "success")]
        history[prompt_id] = {
            "prompt": [0, prompt_id, body["prompt"], body.get("extra_data", {}), ["3"]],
            "outputs": {},
            "status": {"status_str": "success", "completed": True, "messages": messages},
        }
        if (socket := sockets.get(body["client_id"])) is not None:
            await socket.send_json({"type": "execution_success", "data": {"prompt_id": prompt_id, "timestamp": at}})
        return web.json_response({"prompt_id": prompt_id, "number": 1, "node_errors": {}})

    async def entry(request: web.Request) -> web.Response:
        prompt_id = request.match_info["id"]
        return web.json_response({prompt_id: history[prompt_id]} if prompt_id in history else {})

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sockets[request.query["clientId"]] = socket
        async for _ in socket:
            pass
        return socket

    async def idle(_: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": 0}})

    async def queue(_: web.Request) -> web.Response:
        return web.json_response({"queue_running": [], "queue_pending": []})

    application = web.Application()
    application.add_routes(
        [
            web.post("/prompt", post), web.get("/prompt", idle), web.get("/queue", queue), web.get("/ws", listen),
            web.get("/history/{id}", entry),
        ]
    )  # fmt: skip
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())

"""How soon the engine's port answers, against an aiohttp application that does nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.result import Result, interleaved
from benchmarks.server import free_port, wait_until_answers

BARE = """
import sys
from aiohttp import web
async def hello(request): return web.json_response({})
app = web.Application(); app.router.add_get("/queue", hello)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


def _start(command: list[str], port: int) -> float:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return wait_until_answers(f"http://127.0.0.1:{port}/queue")
    finally:
        process.terminate()
        process.wait(20)


def run() -> Iterator[Result]:
    def bare() -> float:
        port = free_port()
        return _start([sys.executable, "-c", BARE, str(port)], port)

    def ours() -> float:
        port = free_port()
        with tempfile.TemporaryDirectory() as base:
            return _start(
                [sys.executable, "-m", "engine", "--port", str(port), "--base-directory", base, "--cpu"], port
            )

    mine, theirs = interleaved(5, ours, bare)
    yield Result("engine: start to first answer", mine * 1e3, "ms", theirs * 1e3, "bare aiohttp", "at most 3")

"""Pages of a history of 100,000 jobs, against the same pages of one of 500."""

from __future__ import annotations

import asyncio
import http.client
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.result import Result
from benchmarks.server import running
from engine.jobs.job import Finished, Job
from engine.jobs.store import JobStore

MANY, FEW = 100_000, 500
LIMIT_MS = 20
_PROMPT = Path(__file__).parents[1] / "examples" / "txt2img-demo.json"


def _entry(number: int, prompt: bytes) -> Finished:
    """A job as a night of a workflow with seeds leaves it: one in fifty failed."""
    status = "error" if number % 50 == 0 else "success"
    begun = 1_700_000_000_000 + number * 5_000
    stamp = {"prompt_id": f"p{number}", "timestamp": begun}
    end: dict[str, Any] = {**stamp, "timestamp": begun + 1_000 + number * 7919 % 4_000}
    if status == "error":
        end |= {"node_id": "5", "node_type": "KSampler", "exception_message": "no", "traceback": ["a line\n"] * 20}
    image = {"filename": f"ComfyUI_{number:05}_.png", "subfolder": "", "type": "output"}
    return Finished(
        Job(number, f"p{number}", prompt, b'{"client_id":"c"}', ("7",), begun, "c", f"w{number % 100}"),
        status,
        {"7": {"images": [image]}},
        {"7": {"node_id": "7", "display_node": "7", "parent_node": None, "real_node_id": "7"}},
        [("execution_start", stamp), ("execution_cached", {**stamp, "nodes": []}), (f"execution_{status}", end)],
    )


@contextmanager
def fill(count: int) -> Iterator[str]:
    """A base folder whose history has `count` entries."""

    async def write(path: Path) -> None:
        store = JobStore(path)
        store.start()
        prompt = json.dumps(json.loads(_PROMPT.read_text())).encode()
        for start in range(0, count, 1000):
            await asyncio.gather(*(store.finish(_entry(n, prompt)) for n in range(start, min(start + 1000, count))))
        await store.close()

    with tempfile.TemporaryDirectory() as base:
        path = Path(base) / "user" / "comfytui" / "jobs.sqlite"
        path.parent.mkdir(parents=True)
        asyncio.run(write(path))
        yield base


def _paths(count: int) -> dict[str, str]:
    middle, end = count // 2, count - 60
    return {
        "history, newest 50": "/history?max_items=50",
        "history, 50 from the middle": f"/history?max_items=50&offset={middle}",
        "history, 50 near the end": f"/history?max_items=50&offset={end}",
        "history, one": f"/history/p{middle}",
        "jobs, newest 50": "/api/jobs?limit=50",
        "jobs, 50 from the middle": f"/api/jobs?limit=50&offset={middle}",
        "jobs, 50 near the end": f"/api/jobs?limit=50&offset={end}",
        "jobs, failed": "/api/jobs?limit=50&status=failed",
        "jobs, longest": "/api/jobs?limit=50&status=completed&sort_by=execution_duration",
        "jobs, by duration, middle": f"/api/jobs?limit=50&sort_by=execution_duration&sort_order=asc&offset={middle}",
        "jobs, of a workflow": "/api/jobs?limit=50&workflow_id=w7",
    }


def _read_all(url: str) -> int:
    """The whole history, a piece at a time; its bytes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    connection.request("GET", "/history")
    answer, size = connection.getresponse(), 0
    while piece := answer.read(1 << 16):
        size += len(piece)
    connection.close()
    return size


def run() -> Iterator[Result]:
    from benchmarks.engine_answers import median

    with ExitStack() as both:
        many = both.enter_context(running(base=both.enter_context(fill(MANY))))
        few = both.enter_context(running(base=both.enter_context(fill(FEW))))
        front = psutil.Process(many.pid)
        before = front.memory_info().rss
        large, small = median(many.url, *_paths(MANY).values()), median(few.url, *_paths(FEW).values())
        for name, (mine, _), (least, _) in zip(_paths(MANY), large, small, strict=True):
            target = f"below {LIMIT_MS}"
            yield Result(f"{MANY} jobs: {name}", mine * 1e3, "ms", least * 1e3, f"{FEW} jobs", target)
        grown = front.memory_info().rss - before
        yield Result("memory that the pages took", grown / 1e6, "MB")
        size = _read_all(many.url)
        grown = front.memory_info().rss - before
        yield Result(f"memory after reading all {size / 1e6:.0f} MB", grown / 1e6, "MB")

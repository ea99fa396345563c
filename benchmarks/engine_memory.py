"""Memory of an idle engine: resident bytes of the front, and of the worker with torch and the nodes imported."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import psutil

from benchmarks.result import Result
from benchmarks.server import running

SECONDS = 15  # the worker imports what the first prompt will need while nothing waits


def _unique(process: psutil.Process) -> float:
    """Resident megabytes that this process alone holds, where the system tells; else all resident ones."""
    memory = process.memory_full_info()
    return float(getattr(memory, "uss", memory.rss)) / 1e6


def run() -> Iterator[Result]:
    bare = psutil.Popen([sys.executable, "-c", "import aiohttp.web, sqlite3, time; print(flush=True); time.sleep(600)"])
    try:
        with running() as engine:
            time.sleep(SECONDS)
            front = psutil.Process(engine.pid)
            (worker,) = front.children()
            yield Result("engine: idle front, memory", _unique(front), "MB", _unique(bare), "bare aiohttp")
            yield Result("engine: idle worker, memory", _unique(worker), "MB")
            before = sum(front.cpu_times()[:2]) + sum(worker.cpu_times()[:2])
            time.sleep(SECONDS)
            spent = sum(front.cpu_times()[:2]) + sum(worker.cpu_times()[:2]) - before
            yield Result("engine: idle, share of a core", spent / SECONDS * 100, "%")
    finally:
        bare.kill()

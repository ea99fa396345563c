"""What a front end asks at its start: `/object_info`, and the newest of a history, against an answer without content."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from benchmarks.engine_history import fill
from benchmarks.result import Result
from benchmarks.server import running

TIMES = 40


def timed(connection: http.client.HTTPConnection, path: str) -> tuple[float, int]:
    """Seconds for one request on a kept connection, and the bytes of the answer."""
    start = time.perf_counter()
    connection.request("GET", path)
    body = connection.getresponse().read()
    return time.perf_counter() - start, len(body)


def median(url: str, *paths: str, times: int = TIMES) -> list[tuple[float, int]]:
    """The medians of some paths, asked in turns."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    taken: list[list[tuple[float, int]]] = [[] for _ in paths]
    for _ in range(times):
        for path, values in zip(paths, taken, strict=True):
            values.append(timed(connection, path))
    connection.close()
    return [(statistics.median(seconds for seconds, _ in values), values[0][1]) for values in taken]


def run() -> Iterator[Result]:
    with fill(1_000) as base, running(base=base) as engine:
        paths = ("/object_info", "/object_info/KSampler", "/history?max_items=64", "/queue", "/prompt")
        *answers, (least, _) = median(engine.url, *paths)
        for path, (seconds, size) in zip(paths, answers, strict=False):
            yield Result(f"GET {path}, {size / 1e3:.0f} kB", seconds * 1e3, "ms", least * 1e3, "GET /prompt")

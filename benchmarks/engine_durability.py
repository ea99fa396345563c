"""What it costs that an accepted job is on disk before the answer, against the same engine with `--volatile`."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.engine_overhead import measure
from benchmarks.result import Result
from benchmarks.server import engine

ROUNDS = 3


def run() -> Iterator[Result]:
    with ExitStack() as both:
        kept, lost = both.enter_context(engine()), both.enter_context(engine("--volatile"))
        on, off = [], []
        for _ in range(ROUNDS):  # in turns, so that a busy moment hits both
            on.append(asyncio.run(measure(kept)))
            off.append(asyncio.run(measure(lost)))
    latency, rate = (statistics.median(values) for values in zip(*on, strict=True))
    latency_off, rate_off = (statistics.median(values) for values in zip(*off, strict=True))
    yield Result("durable: submit to done, three trivial nodes", latency * 1e3, "ms", latency_off * 1e3, "volatile")
    yield Result("durable: prompts a second, queued", rate, "/s", rate_off, "volatile")

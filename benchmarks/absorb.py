"""How many events a second the state absorbs, frames decoded, beside a history of ten thousand; and memory after an hour of them."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.result import Result, interleaved
from comfytui.client.frames import text_frame
from comfytui.state import changes as c
from comfytui.state.model import Job, JobState, Link, ServerState
from comfytui.state.reduce import reduce
from tests.support.samples import txt2img

EVENTS = 4000
HOUR = 7200  # events of an hour of sampling, two a second
PROMPT = "11111111-0000-4000-8000-000000000000"


def _frames() -> list[str]:
    """Sampling as a new server tells it: every step in both dialects."""
    frames = []
    for step in range(EVENTS // 2):
        value = step % 30 + 1
        node = {
            "value": value,
            "max": 30,
            "state": "running",
            "node_id": "3",
            "prompt_id": PROMPT,
            "display_node_id": "3",
        }
        frames.append(json.dumps({"type": "progress_state", "data": {"prompt_id": PROMPT, "nodes": {"3": node}}}))
        said = {"value": value, "max": 30, "prompt_id": PROMPT, "node": "3"}
        frames.append(json.dumps({"type": "progress", "data": said}))
    return frames


def _begun(history: int) -> ServerState:
    jobs = {str(number): Job(id=str(number), state=JobState.DONE) for number in range(history)}
    state = ServerState(link=Link(url="http://h"), jobs=jobs, history=tuple(jobs))
    state = reduce(state, c.Accepted(PROMPT, 0.0, txt2img(), {}), 0.0)
    return reduce(state, text_frame(json.dumps({"type": "execution_start", "data": {"prompt_id": PROMPT}})), 0.0)


def run() -> Iterator[Result]:
    frames = _frames()

    def decoding() -> float:
        begin = time.perf_counter()
        for frame in frames:
            text_frame(frame)
        return EVENTS / (time.perf_counter() - begin)

    def absorbing() -> float:
        state = _begun(10_000)
        begin = time.perf_counter()
        for number, frame in enumerate(frames):
            state = reduce(state, text_frame(frame), number / 2000)
        return EVENTS / (time.perf_counter() - begin)

    absorbed, decoded = interleaved(5, absorbing, decoding)
    yield Result("events absorbed a second, 10,000 in history", absorbed, "1/s", decoded, "decoding alone", "2,000")

    tracemalloc.start()
    state = _begun(0)
    sizes = []
    for hour in range(3):
        for number in range(HOUR):
            state = reduce(state, text_frame(frames[number % EVENTS]), hour * 3600 + number / 2)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    yield Result("memory after three hours of events", sizes[-1] / 1e6, "MB", sizes[0] / 1e6, "after one", "1.0 x")

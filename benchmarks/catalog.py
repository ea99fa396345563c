"""Nodes with five thousand classes beside one with a hundred: opening it, a search, its keys, and a card."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace
from textual.pilot import Pilot

from benchmarks.result import Result
from comfytui.client import sanitize
from comfytui.client.readers import decode
from tests.support.catalogues import catalogue
from tests.tui import sample
from tests.tui.support import running

MANY, FEW = 5000, 100
WORDS = ("ksampler", "vae decode", "load image", "latnt")  # typed letter by letter
TIMES = 3  # a collection of garbage in one of them is not the catalogue's
TICK = 0.002  # seconds between two looks at the loop's clock


class Held:
    """How long the loop was held at most, while it is watched."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Held:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, time.perf_counter() - begin - TICK)


def _paint(pilot: Pilot[Any]) -> None:
    pilot.app.screen._compositor.render_strips()  # what would be sent


async def _measured(info: dict[str, Any]) -> dict[str, float]:
    """Milliseconds, by what was measured."""
    found: dict[str, float] = {}
    async with running(replace(sample.idle(), object_info=info), (120, 40)) as (pilot, app, _):
        async with Held() as held:
            begin = time.perf_counter()
            await app.action_show("nodes")
            _paint(pilot)
            found["first frame"] = time.perf_counter() - begin
            view: Any = app.view
            await app.workers.wait_for_complete([each for each in app.workers if each.group == "index"])
            _paint(pilot)
            found["all listed"] = time.perf_counter() - begin
        found["loop held while it opens"] = held.longest
        keys = []
        for word in WORDS:
            for end in range(1, len(word) + 1):
                begin = time.perf_counter()
                view._ask(word[:end])
                keys.append(time.perf_counter() - begin)
                _paint(pilot)
                await pilot.pause(0)
            view._ask("")
            await pilot.pause(0)
        found["a search, at each of its keys"] = statistics.median(keys)
        found["the slowest of them"] = max(keys)
        moves = []
        for _ in range(20):
            begin = time.perf_counter()
            view._list.action_down()
            view._show_card()
            moves.append(time.perf_counter() - begin)
            _paint(pilot)
            await pilot.pause(0)
        found["a line down, with its card"] = statistics.median(moves)
    return {name: seconds * 1e3 for name, seconds in found.items()}


async def _decoded(data: bytes) -> tuple[float, float]:
    """Milliseconds to read the server's answer as the client does, in a thread; and how long that held the loop."""
    async with Held() as held:
        begin = time.perf_counter()
        await asyncio.to_thread(lambda: sanitize.json_value(decode(data)))
        took = time.perf_counter() - begin
    return took * 1e3, held.longest * 1e3


def _median(info: dict[str, Any]) -> dict[str, float]:
    rounds = [asyncio.run(_measured(info)) for _ in range(TIMES)]
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["COMFYTUI_STATE_DIR"] = os.environ["COMFYTUI_CONFIG_DIR"] = home
        few, many = catalogue(FEW), catalogue(MANY)
        asyncio.run(_measured(few))  # the imports
        base, value = _median(few), _median(many)
        targets = {
            "first frame": "about 1",
            "all listed": "below 1000 ms",
            "loop held while it opens": "below 100 ms",
            "a search, at each of its keys": "below 30 ms",
            "the slowest of them": "below 60 ms",
            "a line down, with its card": "about 1",
        }
        for name, target in targets.items():
            yield Result(f"5,000 nodes: {name}", value[name], "ms", base[name], f"{FEW} nodes", target)
        small, large = (asyncio.run(_decoded(msgspec.json.encode(each))) for each in (few, many))
        yield Result("5,000 nodes: reading the answer", large[0], "ms", small[0], f"{FEW} nodes", "in a thread")
        yield Result("5,000 nodes: loop held by that", large[1], "ms", small[1], f"{FEW} nodes", "below 100 ms")

"""History with ten thousand entries beside one with a thousand: how long it takes to open, and to leaf through.

Opened as it is a second after the start, when idle screens have been made ready, and as it is before that: the very first
time with the imports. What follows on its own, thumbnails, is not waited for.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator

from msgspec.structs import replace

from benchmarks.result import Result
from comfytui.state.ageing import aged
from comfytui.tui.warming import warm
from tests.tui import sample
from tests.tui.support import running, settle

MANY, FEW = 10_000, 1_000  # enough for all pages, so that both move as far
PAGES = 15
TIMES = 3  # opened so often: a collection of garbage in one of them is not the history's


async def _measured(count: int, lines: bool, ready: bool = True) -> tuple[float, float, float]:
    """Milliseconds to open, of one page down, and of one event about another job."""
    state = aged(sample.idle(count), count)  # only the newest keep their graphs, as in the program
    async with running(state, (120, 40)) as (pilot, app, connection):
        if ready:
            await warm(app, 0.0, 0.0)
        begin = time.perf_counter()
        await app.action_show("history")
        await pilot.pause(0)
        opened = time.perf_counter() - begin
        await settle(pilot)
        if lines:
            await pilot.press("v")
            await settle(pilot)
        pages = []
        view = app.view
        assert view is not None
        shown = view.lines  # type: ignore[attr-defined] # of HistoryView, which is shown
        for _ in range(PAGES):
            begin = time.perf_counter()
            shown.action_page_down()
            app.screen._compositor.render_strips()  # what would be sent
            pages.append(time.perf_counter() - begin)
            await pilot.pause(0)
        events = []
        for number in range(PAGES):
            new = replace(connection.state, queue_remaining=number, jobs=dict(connection.state.jobs))
            begin = time.perf_counter()
            view.on_state(connection.state, new)
            events.append(time.perf_counter() - begin)
    return opened * 1e3, statistics.median(pages) * 1e3, statistics.median(events) * 1e3


def _median(count: int, lines: bool) -> tuple[float, ...]:
    rounds = [asyncio.run(_measured(count, lines)) for _ in range(TIMES)]
    return tuple(statistics.median(each) for each in zip(*rounds, strict=True))


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["COMFYTUI_STATE_DIR"] = os.environ["COMFYTUI_CONFIG_DIR"] = home
        first = asyncio.run(_measured(MANY, lines=False, ready=False))[0]
        yield Result("history of 10,000: open, the very first, not made ready", first, "ms")
        for lines in (False, True):
            few, many = (_median(count, lines) for count in (FEW, MANY))
            what = "lines" if lines else "thumbnails"
            targets = ("below 100 ms", "about 1", "about 1")
            for name, value, base, target in zip(("open", "page down", "an event"), many, few, targets, strict=True):
                yield Result(f"history of 10,000 as {what}: {name}", value, "ms", base, "one of 1,000", target)

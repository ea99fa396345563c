"""What a preview of 60×30 cells costs the event loop and the link: telling what differs from the screen, and the whole way.

The loop's part alone: decoding, quantising and comparing happen in a thread. Times are of the loop's thread on its processor,
so that a busy machine does not count. The baseline is the same frame rendered by Rich without comparing anything. The whole
way is that of the program, from the event to the bytes for the terminal, with all that Textual does for a frame.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.strip import Strip

from benchmarks.link import STEPS, _encoded, _preview
from benchmarks.result import Result
from comfytui.tui.pictures import Depth, render
from comfytui.tui.terminal.shown import Shown
from comfytui.tui.widgets.picture import Picture
from tests.tui import sample
from tests.tui.support import running

COLUMNS, ROWS = 60, 30
SIZE = (115, 37)  # of a terminal whose preview has about as many cells
BUDGET = 40_000


def _composed(lines: list[Strip], console: Console) -> str:
    return "".join(f"\x1b[{row + 3};5H{line.render(console)}" for row, line in enumerate(lines))


async def _whole() -> list[float]:
    """Milliseconds of the loop for each preview, from its coming to its bytes."""
    frames, shown, spent = [_encoded(_preview(step)) for step in range(STEPS)], Shown(), []
    async with running(sample.busy(), SIZE) as (_, app, _):
        assert app.view is not None
        pane = app.view.query_one(Picture)

        def display(_: object, drawing: object) -> None:  # as Textual's, into what the driver would do with it
            if isinstance(drawing, CompositorUpdate):
                shown.update(drawing.render_segments(app.console))

        app._display = display  # type: ignore[method-assign, assignment]
        for number, frame in enumerate(frames):
            start = time.thread_time()
            pane.show(frame, ("preview", number), moving=True)
            await asyncio.sleep(
                0.3
            )  # more than it needs, and than must lie between two; an idle loop counts for nothing
            spent.append((time.thread_time() - start) * 1e3)
    return spent


def run() -> Iterator[Result]:
    console = Console(color_system="truecolor", force_terminal=True)
    shown, before = Shown(), None
    composing, total, sent = [], [], []
    for step in range(STEPS + 5):  # five more of a picture that hardly changes
        drawn = render(_preview(step), COLUMNS, ROWS, Depth.TRUECOLOR, budget=BUDGET, before=before)
        before = drawn.cells
        start = time.thread_time()
        text = _composed(drawn.lines, console)
        middle = time.thread_time()
        sent.append(len(shown.update(text).encode()))
        composing.append(middle - start)
        total.append(time.thread_time() - start)
    least = statistics.median(composing) * 1e3
    yield Result(
        "loop time of a preview, 60×30, median", statistics.median(total) * 1e3, "ms", least, "Rich", "under 20 ms"
    )
    yield Result("loop time of a preview, 60×30, most", max(total) * 1e3, "ms", target="under 20 ms")
    with tempfile.TemporaryDirectory() as home:
        os.environ["COMFYTUI_STATE_DIR"] = os.environ["COMFYTUI_CONFIG_DIR"] = home
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        whole = asyncio.run(_whole())
    yield Result("loop time of a preview, the whole way, median", statistics.median(whole), "ms", target="under 20 ms")
    yield Result("bytes of a preview to the terminal, most", max(sent), "bytes", target="at most 40 kB")
    yield Result("bytes of a preview to the terminal, median", statistics.median(sent), "bytes")

"""What a preview of 60×30 cells costs the event loop and the link: composing it, and telling what differs from the screen.

The loop's part alone: decoding and quantising happen in a thread. Times are of this thread's processor, so that a busy
machine does not count; the baseline is the same frame rendered by Rich without comparing anything.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from rich.console import Console
from textual.strip import Strip

from benchmarks.link import STEPS, _preview
from benchmarks.result import Result
from comfytui.tui.pictures import Depth, render
from comfytui.tui.terminal.shown import Shown

COLUMNS, ROWS = 60, 30
BUDGET = 40_000


def _composed(lines: list[Strip], console: Console) -> str:
    return "".join(f"\x1b[{row + 3};5H{line.render(console)}" for row, line in enumerate(lines))


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
    yield Result("bytes of a preview to the terminal, most", max(sent), "bytes", target="at most 40 kB")
    yield Result("bytes of a preview to the terminal, median", statistics.median(sent), "bytes")

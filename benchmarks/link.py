"""Key to echo on links of three speeds while previews stream, bytes of a preview, and of leaving one screen for another.

The terminal is a pty that is drained at that speed, its emulator in this process: on a busy machine the fast one is slowed
by the emulator. `quiet` is the same key on the same link without previews.
"""

from __future__ import annotations

import io
import json
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator

from PIL import Image, ImageFilter

from benchmarks.result import Result
from comfytui.tui.pictures import Depth, changed, price, render
from tests.support.replay import FakeComfy, txt2img
from tests.support.samples import preview_frame
from tests.support.terminal import Terminal

SPEEDS = ((1_000_000, "1 MB/s"), (125_000, "125 kB/s"), (12_000, "12 kB/s"))
KEYS = 5
STEPS = 20


def _preview(step: int) -> Image.Image:
    """A picture that comes out of noise, as a sampler's previews do."""
    ramp = Image.radial_gradient("L").resize((96, 96))
    clean = Image.merge("RGB", (ramp, ramp.rotate(90), Image.linear_gradient("L").resize((96, 96))))
    noise = Image.frombytes("RGB", (96, 96), random.Random(step).randbytes(96 * 96 * 3))
    return Image.blend(noise.filter(ImageFilter.GaussianBlur(1)), clean, min(1.0, step / STEPS))


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _echoes(terminal: Terminal) -> tuple[float, float]:
    """Medians over keys between Queue and Live: seconds, and bytes until the other screen is there."""
    seconds, sizes = [], []
    for _ in range(KEYS):
        for key, word in (("2", "╭─ Queue"), ("1", "─ Timeline")):
            start, before = time.perf_counter(), len(terminal.raw)
            terminal.press(key)
            terminal.wait_for(word, 20)
            seconds.append(time.perf_counter() - start)
            sizes.append(len(terminal.raw) - before)
            terminal.count(0.5)
    return statistics.median(seconds), statistics.median(sizes)


def _link(speed: int, name: str) -> Iterator[Result]:
    over = threading.Event()
    with FakeComfy.in_thread() as server, tempfile.TemporaryDirectory() as home:
        server.call("hold", "3", 2)
        body = json.dumps({"prompt": txt2img()}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{server.url}/prompt", body)) as reply:
            prompt_id = json.load(reply)["prompt_id"]

        def stream() -> None:
            frames, number = [_encoded(_preview(step)) for step in range(STEPS)], 0
            while not over.wait(0.1):
                server.call("send", preview_frame(prompt_id, "3", frames[number % STEPS]))
                number += 1

        environment = {"HOME": home, "COMFYTUI_CONFIG_DIR": home, "COMFYTUI_STATE_DIR": home}
        command = [sys.executable, "-m", "comfytui", "--server", server.url]
        with Terminal(command, 120, 40, env=environment, drain=speed) as terminal:
            terminal.wait_for("KSampler", 60)
            terminal.count(2)
            quiet, _ = _echoes(terminal)
            streamer = threading.Thread(target=stream)
            streamer.start()
            try:
                terminal.count(3)
                streamed = terminal.count(4) / 4
                busy, size = _echoes(terminal)
            finally:
                over.set()
                streamer.join()
    yield Result(f"key to echo, previews, {name}", busy * 1e3, "ms", quiet * 1e3, "quiet", "under 300 ms at 125 kB/s")
    yield Result(f"bytes to echo, previews, {name}", size, "bytes")
    yield Result(f"previews, {name}", streamed / 1e3, "kB/s")


def run() -> Iterator[Result]:
    before, lines, sent, full, spent = None, None, [], [], []
    for step in range(STEPS + 5):  # five more of a picture that hardly changes
        start = time.thread_time()
        drawn = render(_preview(step), 60, 30, Depth.TRUECOLOR, budget=40_000, before=before)
        spent.append(time.thread_time() - start)
        full.append(sum(map(price, drawn.lines)))
        pairs = zip(lines or [None] * len(drawn.lines), drawn.lines, strict=True)
        sent.append(sum(price(new.crop(*span)) for old, new in pairs for span in changed(old, new)))
        before, lines = drawn.cells, drawn.lines
    yield Result("bytes of a preview, 60×30, whole, most", max(full), "bytes", target="at most 40 kB")
    yield Result("bytes of a preview, 60×30, sent, median", statistics.median(sent), "bytes")
    yield Result("drawing a preview, in its thread", statistics.median(spent) * 1e3, "ms")
    for speed, name in SPEEDS:
        yield from _link(speed, name)

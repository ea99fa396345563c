"""From a key to the first byte it changes, while previews stream, against the same with nothing running."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.server import engine
from tests.support.terminal import Terminal

EXAMPLE = Path(__file__).parents[1] / "examples" / "txt2img-demo.json"
KEYS = 40
QUEUE, LIVE = "╭─ Queue", "╭─ (Timeline|Progress)"  # what only that screen shows


def _long_job() -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    for node in graph.values():
        if node["class_type"] == "KSampler":
            node["inputs"] |= {"steps": 10_000}
    return graph


def _post(url: str, body: dict[str, Any]) -> None:
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=30).read()


def _echo(terminal: Terminal) -> float:
    """The median over keys that go to the queue and back: until the other screen's own word is there."""
    taken = []
    for _ in range(KEYS // 2):
        for key, word in (("2", QUEUE), ("1", LIVE)):
            start = time.perf_counter()
            terminal.press(key)
            terminal.wait_for(word, 5)
            taken.append(time.perf_counter() - start)
            terminal.count(0.1)
    return statistics.median(taken)


def run() -> Iterator[Result]:
    with engine("--preview-method", "latent2rgb") as url, tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        with Terminal([sys.executable, "-m", "comfytui", "--server", url], 120, 40, env=environment) as terminal:
            terminal.wait_for("●")
            terminal.settle(1.0)
            quiet = _echo(terminal)
            _post(f"{url}/prompt", {"prompt": _long_job()})  # no client: its progress goes to everyone
            terminal.wait_for("KSampler", 60)
            terminal.count(3)
            busy = _echo(terminal)
            streamed = terminal.count(5) / 5
            _post(f"{url}/interrupt", {})
    yield Result("key to echo, previews streaming", busy * 1e3, "ms", quiet * 1e3, "idle")
    yield Result("bytes a second, previews streaming", streamed / 1e3, "kB/s")

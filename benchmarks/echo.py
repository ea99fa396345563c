"""From a key to the first byte it changes, while previews stream, against the same with nothing running."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.server import engine
from tests.support.terminal import Terminal

EXAMPLE = Path(__file__).parents[1] / "examples" / "txt2img-demo.json"
KEYS = 40


def _long_job() -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    for node in graph.values():
        if node["class_type"] == "KSampler":
            node["inputs"] |= {"steps": 10_000}
    return graph


def _post(url: str, body: dict[str, Any]) -> None:
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=30).read()


def _echo(terminal: Terminal) -> float:
    """The median over keys that move between two screens and back."""
    taken = []
    for i in range(KEYS):
        terminal.press("2" if i % 2 == 0 else "1")
        start_pattern = "waiting" if i % 2 == 0 else "preview"
        before = len(terminal.raw)
        import time

        start = time.perf_counter()
        while len(terminal.raw) == before or not terminal.text.lower().count(start_pattern):
            if terminal.read(0.002) is None or time.perf_counter() - start > 5:
                break
        taken.append(time.perf_counter() - start)
        terminal.count(0.15)
    return statistics.median(taken)


def run() -> Iterator[Result]:
    with engine("--preview-method", "latent2rgb") as url, tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        command = [sys.executable, "-m", "comfytui", "run", str(EXAMPLE), "--server", url, "--set", "KSampler.steps=1", "--output", home]
        with Terminal([sys.executable, "-m", "comfytui", "--server", url], 120, 40, env=environment) as terminal:
            del command
            terminal.wait_for("●")
            terminal.settle(1.0)
            quiet = _echo(terminal)
            _post(f"{url}/prompt", {"prompt": _long_job()})  # no client: its progress goes to everyone
            terminal.press("1")
            terminal.wait_for("KSampler", 30)
            terminal.count(3)
            busy = _echo(terminal)
            streamed = terminal.count(5) / 5
            _post(f"{url}/interrupt", {})
    yield Result("key to echo, previews streaming", busy * 1e3, "ms", quiet * 1e3, "idle")
    yield Result("bytes a second, previews streaming", streamed / 1e3, "kB/s")

"""What a command costs a script: `--help` against an interpreter that does nothing, `queue --json` against that and against curl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.result import Result, interleaved
from tests.support.replay import FakeComfy

RUNS = 9


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as home, FakeComfy.in_thread() as server:
        env = {**os.environ, "COMFYTUI_CONFIG_DIR": home, "COMFYTUI_STATE_DIR": home}

        def timed(*command: str) -> float:
            began = time.perf_counter()
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
            return (time.perf_counter() - began) * 1e3

        def nothing() -> float:
            return timed(sys.executable, "-c", "pass")

        def ours(*arguments: str) -> float:
            return timed(sys.executable, "-m", "comfytui", *arguments)

        def queue() -> float:
            return ours("queue", "--json", "--server", server.url)

        ours("--help")  # compiled once
        queue()
        shown, least = interleaved(RUNS, lambda: ours("--help"), nothing)
        yield Result("comfytui --help", shown, "ms", least, "python -c pass", "at most 6")
        listed, least = interleaved(RUNS, queue, nothing)
        yield Result("comfytui queue --json", listed, "ms", least, "python -c pass")
        if (curl := shutil.which("curl")) is not None:
            listed, theirs = interleaved(RUNS, queue, lambda: timed(curl, "-s", f"{server.url}/queue"))
            yield Result("comfytui queue --json", listed, "ms", theirs, "curl")

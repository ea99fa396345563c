"""Bytes that reach the terminal while nothing happens, connected to a live engine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator

from benchmarks.result import Result
from benchmarks.server import engine
from tests.support.terminal import Terminal

SECONDS = 6
READY = 4  # seconds after the connection: screens are made ready meanwhile, which moves the cursor once (22 bytes)


def run() -> Iterator[Result]:
    with engine() as url, tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        with Terminal([sys.executable, "-m", "comfytui", "--server", url], 120, 40, env=environment) as terminal:
            terminal.wait_for("●")
            terminal.count(READY)
            for key, name in (
                ("1", "live"),
                ("2", "queue"),
                ("3", "history"),
                ("4", "nodes"),
                ("5", "workflows"),
                ("6", "settings"),
            ):
                terminal.press(key)
                terminal.settle(1.0)
                yield Result(f"idle, {name}", terminal.count(SECONDS) * 60 / SECONDS, "bytes a minute", target="0")

"""A real engine for a measurement: started on a free port with folders of its own, stopped after."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def get(url: str, timeout: float = 30) -> Any:
    with urllib.request.urlopen(url, timeout=timeout) as reply:
        return json.load(reply)


def wait_until_answers(url: str, seconds: float = 60) -> float:
    """Seconds until `url` answers with anything."""
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return time.perf_counter() - start
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    raise TimeoutError(f"{url} did not answer within {seconds} s")


@dataclass(frozen=True)
class Running:
    """A started engine."""

    url: str
    pid: int  # of the front process; the worker is its child


@contextmanager
def running(*flags: str, base: str | None = None) -> Iterator[Running]:
    """An engine whose worker is warm, in `base` or in folders of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as own:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "--port", str(port), "--base-directory", base or own, "--cpu", *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_answers(f"{url}/queue")
            get(f"{url}/object_info/KSampler", timeout=120)  # answered by the worker
            yield Running(url, process.pid)
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def engine(*flags: str) -> Iterator[str]:
    """The URL of an engine whose worker is warm."""
    with running(*flags) as started:
        yield started.url

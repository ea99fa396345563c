"""The real engine as a subprocess, on a free port, with folders of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_PATIENCE = 120.0  # seconds; a cold import of torch on a busy machine


@dataclass
class RunningEngine:
    """A started engine. `url` has no slash at the end."""

    process: subprocess.Popen[bytes]
    url: str
    base: Path
    log: Path

    def get(self, path: str) -> tuple[int, bytes]:
        return self.call("GET", path)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_engine(base: Path, *flags: str, port: int | None = None) -> RunningEngine:
    """Start `python -m engine` and wait until its port answers (its worker may still be starting)."""
    port = port or free_port()
    base.mkdir(parents=True, exist_ok=True)
    log = base / "engine.log"
    command = [sys.executable, "-m", "engine", "--port", str(port), "--cpu", "--base-directory", str(base), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment)
    engine = RunningEngine(process, f"http://127.0.0.1:{port}", base, log)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the engine ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        try:
            engine.get("/prompt")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)  # there is nothing to be woken by: another process binds the port
            continue
        return engine
    process.kill()
    raise RuntimeError(f"the engine did not answer:\n{log.read_text()[-2000:]}")

"""The scripted server in its two other forms: in a thread, and as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.replay import FakeComfy, txt2img


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def test_in_a_thread() -> None:
    with FakeComfy.in_thread() as server:
        assert json.loads(get(server.url + "/queue")) == {"queue_running": [], "queue_pending": []}
        body = json.dumps({"prompt": txt2img()}).encode()
        with urllib.request.urlopen(urllib.request.Request(server.url + "/prompt", data=body), timeout=20) as answer:
            assert json.loads(answer.read())["number"] == 0
        server.call("restart")
        assert json.loads(get(server.url + "/history")) == {}


@pytest.mark.parametrize(("scene", "shows"), [("hostile", b"dddddddd"), ("html", b"nginx")])
def test_as_a_process(scene: str, shows: bytes) -> None:
    command = [sys.executable, "-m", "tests.support.replay", "--scene", scene]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            assert shows in get(process.stdout.readline().strip() + "/history")
        finally:
            process.terminate()

"""In a real terminal: a slow link, signals, a stop, and a crash. Bytes and order are looked at, never times."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.support.replay import FakeComfy, txt2img
from tests.support.samples import preview_frame
from tests.support.terminal import Terminal

ROOT = str(Path(__file__).parents[2])
COMMAND = [sys.executable, "-m", "comfytui", "--server"]
CRASHES = """
import sys
from comfytui.tui.screens.live import LiveView
def fails(self):
    token = "-".join(["tok", "1234567"])
    raise RuntimeError("the view broke at http://ann:hunter2@box/")
LiveView.action_full = fails
from comfytui.__main__ import main
main()
"""


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy.in_thread() as server:
        yield server


def noise(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (64, 64), random.Random(seed).randbytes(64 * 64 * 3)).save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def streaming(server: FakeComfy, prompt_id: str) -> Iterator[None]:
    """Twenty previews a second, each all noise: what costs most."""
    over = threading.Event()

    def stream() -> None:
        frames = [noise(seed) for seed in range(8)]
        number = 0
        while not over.wait(0.05):
            server.call("send", preview_frame(prompt_id, "3", frames[number % 8]))
            number += 1

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def held_job(server: FakeComfy) -> str:
    import json
    import urllib.request

    server.call("hold", "3", 2)
    body = json.dumps({"prompt": txt2img()}).encode()
    with urllib.request.urlopen(urllib.request.Request(server.url + "/prompt", body)) as reply:
        return str(json.load(reply)["prompt_id"])


def is_restored(terminal: Terminal, before: int) -> None:
    assert terminal.modes() == before
    raw = bytes(terminal.raw)
    for on, off in (
        (b"\x1b[?1049h", b"\x1b[?1049l"),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?1003h", b"\x1b[?1003l"),
        (b"\x1b[?2004h", b"\x1b[?2004l"),
        (b"\x1b[?1004h", b"\x1b[?1004l"),
        (b"\x1b[>", b"\x1b[<u"),
    ):
        assert raw.rfind(off) > raw.rfind(on) >= 0, on
    assert b"\x1b[6n" not in raw[raw.rfind(b"\x1b[?1049l") :]  # its answer would be typed into the shell


@pytest.mark.parametrize(("drain", "answers"), [(60_000.0, True), (60_000.0, False), (12_000.0, True)])
def test_on_a_slow_link_little_stands_between_a_key_and_its_echo(
    server: FakeComfy, drain: float, answers: bool
) -> None:
    prompt_id = held_job(server)
    with (
        Terminal([*COMMAND, server.url], 100, 30, cwd=ROOT, drain=drain, answers=answers) as terminal,
        streaming(server, prompt_id),
    ):
        terminal.wait_for("KSampler")
        terminal.count(3)
        for key, word in (("2", "╭─ Queue"), ("1", "─ Preview"), ("2", "╭─ Queue"), ("1", "─ Preview")):
            before = len(terminal.raw)
            terminal.press(key)
            terminal.wait_for(word)
            assert len(terminal.raw) - before < 30_000  # a screen, and at most what one window lets pass
            terminal.count(0.5)
        terminal.press("\x11")
        terminal.wait_exit()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal_and_leaves_jobs_alone(server: FakeComfy, number: signal.Signals) -> None:
    held_job(server)
    with Terminal([*COMMAND, server.url], 100, 30, cwd=ROOT) as terminal:
        before = terminal.modes()
        terminal.wait_for("KSampler")
        terminal.signal(number)
        assert terminal.wait_exit() == 128 + number
        is_restored(terminal, before)
    assert not server.asked("POST", "/interrupt") and not server.asked("POST", "/queue")


def test_a_stopped_program_gives_the_terminal_back_and_takes_it_again(server: FakeComfy) -> None:
    with Terminal([*COMMAND, server.url], 100, 30, cwd=ROOT) as terminal:
        before = terminal.modes()
        terminal.wait_for("VRAM")
        terminal.signal(signal.SIGTSTP)
        for _ in range(400):
            terminal.read(0.05)
            if os.waitpid(terminal.pid, os.WUNTRACED | os.WNOHANG)[0]:
                break
        terminal.settle(0.2)
        is_restored(terminal, before)
        terminal.screen.reset()
        terminal.signal(signal.SIGCONT)
        terminal.wait_for("VRAM")  # drawn again, all of it
        terminal.press("2")
        terminal.wait_for("╭─ Queue")
        terminal.press("\x11")
        assert terminal.wait_exit() == 0
        is_restored(terminal, before)


def test_a_crash_restores_the_terminal_names_the_log_and_shows_no_secret(server: FakeComfy, tmp_path: Path) -> None:
    environment = {"COMFYTUI_STATE_DIR": str(tmp_path), "PYTHONPATH": ROOT}
    command = [sys.executable, "-c", CRASHES, "--server", server.url]
    with Terminal(command, 140, 30, env=environment, cwd=ROOT) as terminal:
        before = terminal.modes()
        terminal.wait_for("VRAM")
        terminal.press("f")
        assert terminal.wait_exit() == 1
        is_restored(terminal, before)
        said = bytes(terminal.raw)[terminal.raw.rfind(b"\x1b[?1049l") :].decode()
    log = tmp_path / "comfytui.log"
    assert "RuntimeError: the view broke" in said and "comfytui.log" in said
    assert "in fails" in log.read_text("utf-8") and log.stat().st_mode & 0o777 == 0o600
    for secret in ("hunter2", "tok-1234567"):
        assert secret not in said + log.read_text("utf-8")


def test_a_terminal_that_can_do_nothing_is_told_what_to_do() -> None:
    with Terminal([*COMMAND, "http://127.0.0.1:9"], env={"TERM": "dumb"}, cwd=ROOT) as terminal:
        assert terminal.wait_exit() == 2
        assert "TERM is dumb" in terminal.text and b"\x1b[?1049h" not in terminal.raw

"""Terminals that are not the usual one: without colours, old, inside tmux; and one that is resized under previews."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.replay import FakeComfy, txt2img
from tests.support.terminal import Terminal
from tests.tui.test_terminal_link import held_job, is_restored, streaming

ROOT = str(Path(__file__).parents[2])
COMMAND = [sys.executable, "-m", "comfytui", "--server"]
# At this width only the tab of the screen that is shown has its name.
SCREENS = {
    "1": "1 Live",
    "2": "2 Queue",
    "3": "3 History",
    "4": "4 Nodes",
    "5": "5 Workflows",
    "7": "7 Logs",
    "8": "8 Settings",
    "9": "9 Models",
}


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy.in_thread() as server:
        yield server


def colours(raw: bytes) -> set[str]:
    """The SGR codes among all that was written that set a colour."""
    found = set()
    for codes in re.findall(rb"\x1b\[([\d;:]*)m", raw):
        for code in re.split(r"[;:]", codes.decode()):
            if code and (30 <= int(code) <= 38 or 40 <= int(code) <= 48 or 90 <= int(code) <= 107):
                found.add(codes.decode())
    return found


def test_no_color_means_none_on_every_screen_and_the_chosen_line_is_still_told(server: FakeComfy) -> None:
    held_job(server)
    with Terminal([*COMMAND, server.url], 100, 30, cwd=ROOT, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("KSampler")
        for key, word in SCREENS.items():
            terminal.press(key)
            terminal.wait_for(word)
            terminal.settle(0.3)
            if key in "2489":
                assert any(cell.reverse for line in terminal.screen.buffer.values() for cell in line.values()), key
        for key in ("?", "\x1b", "\x10", "\x1b"):
            terminal.press(key)
            terminal.settle(0.3)
        terminal.press("\x11")
        terminal.wait_exit()
        assert colours(bytes(terminal.raw)) == set()


@pytest.mark.parametrize("kind", ["screen-256color", "linux", "xterm-16color"])
def test_an_older_terminal_draws_and_is_restored(server: FakeComfy, kind: str) -> None:
    with Terminal([*COMMAND, server.url], 80, 24, cwd=ROOT, env={"TERM": kind, "COLORTERM": ""}) as terminal:
        before = terminal.modes()
        terminal.wait_for("VRAM")
        terminal.press("2")
        terminal.wait_for("─ Queue")
        terminal.press("\x11")
        assert terminal.wait_exit() == 0
        is_restored(terminal, before)
        assert b"38;2;" not in terminal.raw


def test_a_terminal_may_be_resized_while_previews_stream(server: FakeComfy) -> None:
    prompt_id = held_job(server)
    with Terminal([*COMMAND, server.url], 100, 30, cwd=ROOT) as terminal, streaming(server, prompt_id):
        terminal.wait_for("KSampler")
        for columns, rows in ((60, 15), (140, 45), (80, 24), (100, 30)):
            terminal.resize(columns, rows)
            terminal.count(0.6)
        terminal.wait_for("1 Live  2 1  3 ")
        terminal.wait_for("KSampler")
        terminal.press("2")
        terminal.wait_for("─ Queue")
        terminal.press("\x11")
        assert terminal.wait_exit() == 0


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_inside_tmux_a_copy_reaches_its_buffer(server: FakeComfy, tmp_path: Path) -> None:
    socket = f"comfytui-test-{os.getpid()}"

    def tmux(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", socket, "-f", "/dev/null", *words], capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout

    def until(words: tuple[str, ...], pattern: str) -> str:
        end = time.monotonic() + 20
        while not re.search(pattern, said := tmux(*words)):
            assert time.monotonic() < end, said
        return said

    state = ["-e", f"COMFYTUI_STATE_DIR={tmp_path}", "-e", f"COMFYTUI_CONFIG_DIR={tmp_path}"]
    try:
        tmux("new-session", "-d", "-x", "120", "-y", "35", "-c", ROOT, *state, *COMMAND, server.url)
        until(("capture-pane", "-p"), "VRAM")
        tmux("send-keys", "4")
        until(("capture-pane", "-p"), "KSampler")
        tmux("send-keys", "y")
        until(("capture-pane", "-p"), "copied")
        assert until(("show-buffer",), r"\w").strip()
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            tmux("kill-server")


def test_a_terminal_that_is_closed_loses_nothing_that_was_sent(server: FakeComfy, tmp_path: Path) -> None:
    """The request, with all that is needed to send it again, is on disk after SIGHUP."""
    server.call("hold", "3", 2)
    workflow = tmp_path / "mine.json"
    workflow.write_text(json.dumps(txt2img()), "utf-8")
    env = {"COMFYTUI_STATE_DIR": str(tmp_path / "state"), "COMFYTUI_CONFIG_DIR": str(tmp_path)}
    command = [*COMMAND, server.url, "--workflow", str(workflow)]
    with Terminal(command, 100, 30, cwd=ROOT, env=env) as terminal:
        terminal.wait_for("queues it")
        terminal.wait_for("f5 run")
        terminal.wait_for("VRAM")
        terminal.press("\x1b[15~")
        terminal.wait_for("2 1 ")
        terminal.signal(signal.SIGHUP)
        assert terminal.wait_exit() == 128 + signal.SIGHUP
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "servers.sqlite")) as disk:
        assert disk.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    with Terminal([*COMMAND, server.url], 100, 30, cwd=ROOT, env=env) as terminal:
        terminal.wait_for(r"2 (Queue )?1 ")
        terminal.press("2")
        terminal.wait_for("a red circle")

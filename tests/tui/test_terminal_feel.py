"""What reaches a real terminal of the mouse, of notifications, and of what is remembered."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.replay import FakeComfy, txt2img
from tests.support.terminal import Terminal

COMMAND = [sys.executable, "-m", "comfytui"]
ROOT = str(Path(__file__).parents[2])
MOUSE = (b"?1000h", b"?1002h", b"?1003h", b"?1006h", b"?1015h", b"?1016h")


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy.in_thread() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder / "settings.toml"


@pytest.mark.parametrize("how", ["flag", "setting"])
def test_without_the_mouse_no_byte_asks_for_it(server: FakeComfy, settings: Path, how: str) -> None:
    options = ["--no-mouse"] if how == "flag" else []
    settings.write_text("" if how == "flag" else "mouse = false\n", "utf-8")
    with Terminal([*COMMAND, "--server", server.url, *options], 80, 24, cwd=ROOT) as terminal:
        terminal.wait_for("VRAM")
        terminal.press("2")
        terminal.settle()
        assert not [mode for mode in MOUSE if mode in terminal.raw]
        terminal.press("\x11")
        assert terminal.wait_exit() == 0


def test_the_mouse_chooses_tabs_and_rows(server: FakeComfy) -> None:
    with Terminal([*COMMAND, "--server", server.url], 100, 30, cwd=ROOT) as terminal:
        terminal.wait_for("VRAM")
        assert b"?1000h" in terminal.raw and b"?1006h" in terminal.raw
        at = terminal.text.split("\n")[0].index("3 ") + 1
        for event in ("M", "m"):
            terminal.press(f"\x1b[<0;{at};1{event}")
        terminal.wait_for("History")
        terminal.press("\x11")
        assert terminal.wait_exit() == 0


@pytest.mark.parametrize("inside", ["", "tmux"])
def test_the_end_of_a_job_reaches_the_terminal(server: FakeComfy, settings: Path, tmp_path: Path, inside: str) -> None:
    settings.write_text('[notify]\nseconds = 0\nterminal = "both"\n', "utf-8")
    workflow = tmp_path / "mine.json"
    workflow.write_text(json.dumps(txt2img()), "utf-8")
    env = {"TMUX": "/nonexistent,1,0", "TERM": "tmux-256color"} if inside else {}
    with Terminal([*COMMAND, "--server", server.url, "--workflow", str(workflow)], 100, 30, cwd=ROOT, env=env) as t:
        t.wait_for("f5 run")
        t.wait_for("VRAM")
        assert b"\x1b]9;" not in t.raw
        t.press("\x1b[15~")
        t.wait_for("✓ .*queued|Queue 1")
        t.press("1")
        t.wait_for("✓ done")
        t.settle()
        raw = bytes(t.raw)
        escape = b"\x1b\x1b" if inside else b"\x1b"
        assert raw.count(escape + b"]9;comfytui: ") == 1
        assert raw.count(escape + b"]777;notify;comfytui;") == 1
        assert (b"\x1bPtmux;\x1b\x1b]9;" in raw) is bool(inside)
        assert b"done" in raw[raw.index(b"]9;comfytui: ") :].split(b"\x07")[0]
        assert raw.split(b"]777;notify;")[1].split(b"\x07", 1)[1].lstrip(b"\x1b\\").startswith(b"\x07")  # the bell


@pytest.mark.parametrize("how", ["ctrl+q", "SIGHUP", "SIGTERM"])
def test_however_it_ends_the_next_run_goes_on_there_with_the_last_server(server: FakeComfy, how: str) -> None:
    with Terminal([*COMMAND, "--server", server.url], 100, 30, cwd=ROOT) as terminal:
        terminal.wait_for("VRAM")
        terminal.press("6")
        terminal.wait_for("latency|address|Servers")
        terminal.settle()
        if how == "ctrl+q":
            terminal.press("\x11")
        else:
            terminal.signal(getattr(signal, how))
        terminal.wait_exit()
    with Terminal(COMMAND, 100, 30, cwd=ROOT) as terminal:
        terminal.wait_for("VRAM")  # it is connected, and nobody said where to
        terminal.wait_for("6 Servers")
        assert server.url.rpartition(":")[2] in terminal.text
        terminal.press("\x11")
        assert terminal.wait_exit() == 0

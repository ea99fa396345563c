"""What really reaches a terminal: start, leaving, signals, silence, and text that means harm."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.replay import FakeComfy, breaking, hostile, txt2img, web_page
from tests.support.terminal import Terminal

COMMAND = [sys.executable, "-m", "comfytui"]
ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy.in_thread() as server:
        yield server


# Every screen and every dialog that shows what a server says: queue, history (full, list, traceback, editor), nodes with
# a filter, workflows, settings, help, Live with the picture and the log, the last error, the engine's log.
HOSTILE_TOUR = (
    "2", "3", "\r", "\x1b", "v", "t", "e", "\x1b", "4", "/", "evil", "\r", "\x1b", "5", "7", "9", "8", "?", "\x1b", "1", "f",
    "\x1b", "v", "\x1b", "\x05", "\x1b", "\x0c", "\x1b",
)  # fmt: skip


def start(server: FakeComfy, columns: int = 100, rows: int = 30) -> Terminal:
    return Terminal([*COMMAND, "--server", server.url], columns, rows, cwd=ROOT)


@pytest.mark.parametrize("how", ["ctrl+q", "SIGTERM", "SIGHUP"])
def test_the_terminal_is_as_it_was(server: FakeComfy, how: str) -> None:
    with start(server) as terminal:
        before = terminal.modes()
        terminal.wait_for("VRAM")
        assert terminal.modes() != before
        if how == "ctrl+q":
            terminal.press("\x11")
        else:
            terminal.signal(getattr(signal, how))
        code = terminal.wait_exit()
        assert code == (0 if how == "ctrl+q" else 128 + getattr(signal, how))
        assert terminal.modes() == before
        ended = bytes(terminal.raw)
        for on, off in (
            (b"\x1b[?1049h", b"\x1b[?1049l"),
            (b"\x1b[?25l", b"\x1b[?25h"),
            (b"\x1b[?1000h", b"\x1b[?1000l"),
        ):
            assert ended.rfind(off) > ended.rfind(on) >= 0


def test_nothing_is_written_while_nothing_happens(server: FakeComfy) -> None:
    with start(server) as terminal:
        terminal.wait_for("VRAM")
        for key in "123":
            terminal.press(key)
            terminal.settle(1.0)
            assert terminal.count(2.5) == 0, key


def test_hostile_text_is_harmless_on_every_screen(server: FakeComfy) -> None:
    hostile(server)
    with start(server, 120, 40) as terminal:
        terminal.wait_for("VRAM")
        for key in HOSTILE_TOUR:
            terminal.press(key)
            terminal.settle(0.3)
        raw = bytes(terminal.raw).replace(b"\x1b]22;default\x07", b"")  # Textual's own: the pointer's shape
        # Title, clipboard, links, and the 8-bit forms of escape sequences; none of them is ever ours.
        for sequence in (b"\x1b]", b"\x07", b"\x1b[31m"):
            assert sequence not in raw
        shown = raw.decode("utf-8")
        assert not re.search("[\x80-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", shown)
        assert "evil" in shown  # it was there, and said as text
        assert "[bold red]" in shown


def test_a_terminal_that_is_resized_to_almost_nothing_comes_back(server: FakeComfy) -> None:
    with start(server) as terminal:
        terminal.wait_for("VRAM")
        for columns, rows in ((40, 10), (8, 3), (60, 15), (120, 40)):
            terminal.resize(columns, rows)
            terminal.settle(0.3)
        terminal.wait_for("8 Settings")


def test_an_absent_server_is_told_with_what_to_do() -> None:
    with Terminal([*COMMAND, "--server", "http://127.0.0.1:9"], 100, 30, cwd=ROOT) as terminal:
        terminal.wait_for("tries again now")
        assert "127.0.0.1:9" in terminal.text


def test_a_web_page_where_the_server_should_be_is_told_on_every_screen(server: FakeComfy) -> None:
    web_page(server)
    with start(server) as terminal:
        terminal.wait_for("is a web page")
        for key in "34":
            terminal.press(key)
            terminal.wait_for("Check host, port and")
        terminal.press("5")
        terminal.wait_for("Workflows")
        terminal.press("\x11")
        assert terminal.wait_exit() == 0


def test_a_socket_that_drops_in_the_middle_loses_nothing(server: FakeComfy, tmp_path: Path) -> None:
    breaking(server)
    workflow = tmp_path / "mine.json"
    workflow.write_text(json.dumps(txt2img()), "utf-8")
    command = [*COMMAND, "--server", server.url, "--workflow", str(workflow)]
    with Terminal(command, 100, 30, cwd=ROOT) as terminal:
        terminal.wait_for("queues it")
        terminal.wait_for("f5 run")  # connected
        terminal.wait_for("VRAM")
        terminal.press("\x1b[15~")
        terminal.wait_for("2 1  3")  # the queue's tab: one job
        terminal.press("1")
        terminal.wait_for("▶ KSampler")
        server.call("release")
        terminal.wait_for("last job")
        terminal.wait_for("✓ done")

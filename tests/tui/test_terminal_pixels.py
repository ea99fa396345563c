"""Pictures of pixels in a real pty that answers as kitty does, as a terminal with sixel does, or not at all."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.replay import FakeComfy, txt2img
from tests.support.terminal import KITTY, SIXEL, Terminal

ROOT = str(Path(__file__).parents[2])
COMMAND = [sys.executable, "-m", "comfytui"]
SENT, PLACED, HIDDEN, DELETED = (
    rb"\x1b_Ga=t,f=100,t=d,i=(\d+)",
    rb"\x1b_Ga=p,i=(\d+)",
    rb"a=d,d=i,i=(\d+)",
    rb"a=d,d=I,i=(\d+)",
)
DRAWN = rb"\x1b\[(\d+);(\d+)H\x1bP[0-9;]*q"
needs_encoder = pytest.mark.skipif(importlib.util.find_spec("textual_image") is None, reason="needs the extra images")


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy.in_thread() as server:
        yield server


def done_job(server: FakeComfy) -> None:
    body = json.dumps({"prompt": txt2img()}).encode()
    urllib.request.urlopen(urllib.request.Request(server.url + "/prompt", body)).close()


def start(
    server: FakeComfy,
    images: str,
    says: Mapping[bytes, bytes] | None,
    env: Mapping[str, str] | None = None,
    **more: bool,
) -> Terminal:
    command = [*COMMAND, "--server", server.url, "--images", images]
    return Terminal(command, 130, 34, cwd=ROOT, says=says, env=env, **more)


def until(terminal: Terminal, pattern: bytes, since: int = 0, seconds: float = 20) -> re.Match[bytes]:
    """The first match of `pattern` in what was written after `since`."""
    for _ in range(int(seconds / 0.05)):
        if found := re.search(pattern, bytes(terminal.raw[since:])):
            return found
        if terminal.read(0.05) is None:
            break
    raise TimeoutError(f"{pattern!r} was not written:\n{terminal.text}")


def when_fast(terminal: Terminal, pattern: bytes) -> re.Match[bytes]:
    """The same, with something drawn now and then: on a busy machine the link must first be seen to be fast."""
    for _ in range(20):
        try:
            return until(terminal, pattern, seconds=1)
        except TimeoutError:
            terminal.press("?")
            terminal.count(0.3)
            terminal.press("\x1b")
    raise TimeoutError(f"{pattern!r} was not written")


def show_result(terminal: Terminal) -> None:
    """History as a list, with the picture of its first entry."""
    terminal.wait_for("VRAM")
    terminal.press("3")
    terminal.wait_for("newest first")
    terminal.press("v")
    terminal.settle(0.3)


def leave(terminal: Terminal) -> bytes:
    """What was written from the key that leaves until the end."""
    before = len(terminal.raw)
    terminal.press("\x11")
    assert terminal.wait_exit() == 0
    return bytes(terminal.raw[before:])


@pytest.mark.parametrize("images", ["kitty", "auto"])
def test_kitty_gets_the_picture_once_and_its_place_and_loses_both(server: FakeComfy, images: str) -> None:
    done_job(server)
    with start(server, images, KITTY) as terminal:
        show_result(terminal)
        number = when_fast(terminal, SENT)[1]
        assert until(terminal, PLACED)[1] == number
        raw = bytes(terminal.raw)
        first = raw.find(b"\x1b_G")
        assert raw.find(b"\x1b[?1049h") < raw.find(b"Settings") < first  # the first frame came before the question
        assert raw.count(b"i=" + number + b",q=2,m=") == 1

        before = len(terminal.raw)
        terminal.press("?")  # a dialog lies over it
        assert until(terminal, HIDDEN, before)[1] == number
        before = len(terminal.raw)
        terminal.press("\x1b")
        assert until(terminal, PLACED, before)[1] == number  # back, in a few bytes
        before = len(terminal.raw)
        terminal.press("2")
        until(terminal, rb"a=d,d=[iI],i=" + number, before)
        before = len(terminal.raw)
        terminal.press("3")
        assert until(terminal, PLACED, before)[1] == number
        assert not re.search(SENT, bytes(terminal.raw[before:]))

        before = len(terminal.raw)
        terminal.resize(150, 40)
        placed = until(terminal, SENT + rb"(?s:.*)" + PLACED, before)
        assert placed[1] == placed[2] != number
        until(terminal, rb"a=d,d=I,i=" + number, before)
        ended = leave(terminal)
        assert ended.find(b"a=d,d=I,i=" + placed[1]) in range(ended.find(b"\x1b[?1049l"))
        assert not re.search(SENT + b"|" + PLACED, ended[ended.rfind(b"a=d,d=I") :])


@needs_encoder
@pytest.mark.parametrize("images", ["sixel", "auto"])
def test_sixel_is_drawn_over_the_cells_again_when_they_were_drawn_over_and_never_after_leaving(
    server: FakeComfy, images: str
) -> None:
    done_job(server)
    with start(server, images, SIXEL) as terminal:
        show_result(terminal)
        row, column = when_fast(terminal, DRAWN).groups()
        assert int(row) > 1 and int(column) > 1
        terminal.settle(0.5)
        terminal.press("?")
        terminal.wait_for("Keys|Help|help")
        terminal.settle(0.3)
        before = len(terminal.raw)
        terminal.settle(0.8)
        assert b"\x1bP" not in terminal.raw[before:]  # nothing over the dialog
        before = len(terminal.raw)
        terminal.press("\x1b")
        assert until(terminal, DRAWN, before).groups() == (row, column)
        terminal.settle(0.5)
        terminal.press("2")
        terminal.wait_for("╭─ Queue")
        terminal.settle(0.3)  # a strip may have been on its way
        before = len(terminal.raw)
        terminal.settle(0.8)
        assert b"\x1bP" not in terminal.raw[before:]
        assert b"\x1bP" not in leave(terminal)


@pytest.mark.parametrize(
    ("images", "says", "env", "answers"),
    [
        ("auto", None, {}, True),  # an xterm
        ("auto", KITTY, {"TMUX": "/nowhere,1,0"}, True),  # would be swallowed
        ("auto", SIXEL, {"TERM": "screen-256color"}, True),
        ("half", KITTY, {}, True),
        ("auto", KITTY, {"NO_COLOR": "1"}, True),
        ("kitty", None, {}, True),
        ("sixel", KITTY, {}, True),
        ("kitty", None, {}, False),  # answers nothing
        ("auto", None, {}, False),
    ],
)
def test_a_terminal_that_did_not_say_so_gets_no_pixels(
    server: FakeComfy, images: str, says: Mapping[bytes, bytes] | None, env: dict[str, str], answers: bool
) -> None:
    done_job(server)
    with start(server, images, says, env, answers=answers) as terminal:
        show_result(terminal)
        terminal.settle(0.8)
        assert "▀" in terminal.text or "█" in terminal.text or "▒" in terminal.text or b"48;" in terminal.raw
        ended = leave(terminal)
        raw = bytes(terminal.raw)
        assert not re.search(SENT + b"|" + PLACED + b"|" + DRAWN, raw)
        assert b"\x1b_G" not in ended
        if images == "half" or "NO_COLOR" in env or not answers:
            assert b"\x1b_G" not in raw  # not even asked: only a terminal that skips what it does not know is


def test_a_terminal_on_a_slow_link_keeps_half_blocks(server: FakeComfy) -> None:
    done_job(server)
    command = [*COMMAND, "--server", server.url]
    with Terminal(command, 130, 34, cwd=ROOT, says=KITTY, drain=40_000) as terminal:
        show_result(terminal)
        terminal.settle(1.0)
        assert b"\x1b_Gi=31" in terminal.raw  # asked, and answered
        assert not re.search(SENT, bytes(terminal.raw))


def test_an_interrupt_takes_the_picture_from_the_terminal(server: FakeComfy) -> None:
    done_job(server)
    with start(server, "kitty", KITTY) as terminal:
        show_result(terminal)
        number = until(terminal, PLACED)[1]
        terminal.signal(15)
        assert terminal.wait_exit() == 128 + 15
        raw = bytes(terminal.raw)
        assert raw.rfind(b"\x1b_Ga=p,i=" + number) < raw.rfind(b"a=d,d=I,i=" + number) < raw.rfind(b"\x1b[?1049l")

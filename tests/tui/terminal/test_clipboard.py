from __future__ import annotations

import base64
from pathlib import Path

from comfytui.tui.terminal import clipboard
from comfytui.tui.terminal.capability import multiplexed, refusal, remote


def test_plain_and_through_multiplexers() -> None:
    code = base64.b64encode("grün".encode()).decode()
    plain = f"\x1b]52;c;{code}\x07"
    assert clipboard.osc52("grün", {"TERM": "xterm"}) == plain
    assert clipboard.osc52("grün", {"TMUX": "/tmp/x"}) == plain + f"\x1bPtmux;\x1b\x1b]52;c;{code}\x07\x1b\\"
    long = clipboard.osc52("x" * 1_000, {"STY": "1.x", "TERM": "screen"})
    parts = long.removeprefix("\x1bP").removesuffix("\x1b\\").split("\x1b\\\x1bP")
    assert all(len(part) <= clipboard.SCREEN_CHUNK for part in parts)
    assert "".join(parts) == clipboard.osc52("x" * 1_000, {"TERM": "xterm"})


def test_what_is_too_long_for_terminals_is_not_sent() -> None:
    assert clipboard.osc52("x" * clipboard.MOST_BYTES, {})
    assert len(clipboard.osc52("x" * clipboard.MOST_BYTES, {})) < 75_000
    assert clipboard.osc52("é" * clipboard.MOST_BYTES, {}) == ""


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    path = clipboard.save("one", tmp_path)
    path = clipboard.save("two\ud800", tmp_path)
    assert path.read_text("utf-8") == "two?"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [clipboard.NAME]


def test_where_the_dashboard_cannot_run_it_says_so() -> None:
    assert "TERM is dumb" in refusal({"TERM": "dumb"}, True, True)
    assert "TERM is not set" in refusal({}, True, True)
    assert "input" in refusal({"TERM": "xterm"}, False, True)
    for kind in ("xterm-256color", "screen-256color", "tmux-256color", "linux"):
        assert refusal({"TERM": kind}, True, True) == ""


def test_what_is_between_us_and_the_terminal() -> None:
    assert (
        multiplexed({"TMUX": "x"}) and multiplexed({"TERM": "screen-256color"}) and not multiplexed({"TERM": "xterm"})
    )
    assert remote({"SSH_CONNECTION": "1.2.3.4 5 6 7"}) and not remote({})

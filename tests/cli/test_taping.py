"""`--record` and `--replay` on the command line, before a command and for the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comfytui.cli.diagnostics import Exit
from comfytui.cli.main import cli
from comfytui.state.opening import WAY
from tests.cli.conftest import Call
from tests.support.replay import FakeComfy


def test_a_recorded_command_is_played_back_without_the_server(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path
) -> None:
    done = call("--record", "tape", "run", workflow, "--server", server.url, "--output", "results")
    assert done.code == 0, done.err
    call("--record", "tape", "history", "--server", server.url)
    answered = call("history", "--server", server.url)
    asked = len(server.requests)
    played = call("--replay", "tape", "history")
    assert played.code == 0, played.err
    assert played.out == answered.out != ""
    assert len(server.requests) == asked
    refused = call("--replay", "tape", "interrupt")
    assert refused.code != 0
    assert "reading only" in refused.err


def test_read_only_before_a_command_refuses(call: Call, server: FakeComfy, workflow: Path) -> None:
    done = call("--read-only", "run", workflow, "--server", server.url)
    assert done.code != 0
    assert "reading only" in done.err
    assert server.asked("POST", "/prompt") == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--replay", "nowhere", "queue"), "nowhere"),
        (("--replay", "mine.json", "queue"), "no recording|not JSON"),
        (("--record", "nowhere/tape", "queue"), "nowhere"),
        (("--speed", "2", "queue"), "--replay"),
        (("--replay", "tape", "--server", "x"), "not together"),
        (("--replay", "tape", "--speed", "0"), "speed"),
    ],
)
def test_what_cannot_be_is_said(call: Call, workflow: Path, arguments: tuple[str, ...], says: str) -> None:
    import re

    done = call(*arguments)
    assert done.code == Exit.USAGE
    assert re.search(says, done.err)


def test_the_dashboard_gets_the_recording_s_address(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    assert call("--record", "tape", "queue", "--server", server.url).code == 0
    seen: list[Any] = []

    def dashboard(*arguments: Any) -> int:
        seen.append((arguments[0], WAY.get().replay, WAY.get().read_only, WAY.get().recorder))
        return 0

    cli.main(args=["--replay", "tape", "--speed", "10"], standalone_mode=False, obj=dashboard)
    cli.main(args=["--record", "new", "--server", server.url], standalone_mode=False, obj=dashboard)
    (url, replay, *_), (where, _, _, recorder) = seen
    assert url.startswith("http://127.0.0.1:")
    assert replay
    assert where == server.url
    assert recorder is not None
    assert WAY.get().recorder is None

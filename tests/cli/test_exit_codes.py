"""Every exit code is on its page, and every code of the page comes about."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comfytui.cli.diagnostics import Exit
from tests.support.engine import free_port
from tests.support.replay import FakeComfy, status, txt2img

from .conftest import Call
from .test_run import begun

PAGE = Path(__file__).parents[2] / "docs" / "exit-codes.md"


class World:
    """What a case may use."""

    def __init__(self, call: Call, process: Any, server: FakeComfy, folder: Path) -> None:
        self.call, self.process, self.server, self.folder = call, process, server, folder
        self.at = ("--server", server.url)

    def workflow(self, **changes: object) -> Path:
        graph = txt2img()
        graph["4"]["inputs"].update(changes)
        path = self.folder / "w.json"
        path.write_text(json.dumps(graph))
        return path

    def settings(self, text: str) -> None:
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config" / "settings.toml").write_text(text)


def failed(world: World) -> int:
    world.server.call("fail_node", "3")
    return world.call("run", world.workflow(), *world.at).code


def unreachable(world: World) -> int:
    return world.call("queue", "--server", "127.0.0.1:1").code


def refused(world: World) -> int:
    graph = txt2img() | {"x": {"class_type": "FancyNode", "inputs": {}}}
    (world.folder / "x.json").write_text(json.dumps(graph))
    return world.call("run", "x.json", *world.at).code


def interrupted(world: World) -> int:
    world.server.call("hold", "3", 2)
    running = world.process("run", world.workflow(), *world.at)
    begun(running, "running")
    assert world.call("interrupt", *world.at).code == 0
    world.server.call("release")
    running.communicate(timeout=30)
    return int(running.returncode)


def lost(world: World) -> int:
    world.server.call("hold", "3")
    running = world.process("run", world.workflow(), *world.at)
    begun(running, "running")
    world.server.call("restart")
    running.communicate(timeout=30)
    return int(running.returncode)


def files(world: World) -> int:
    (world.folder / "taken").write_text("")
    return world.call("run", world.workflow(), "--output", "taken/below", *world.at).code


def engine(world: World) -> int:
    return world.call("engine", "status", "--port", free_port()).code


def settings(world: World) -> int:
    world.settings("servr = 1")
    return world.call("queue").code


def broken(world: World) -> int:
    world.server.call("answer", "GET", "/models", status(500))
    world.server.call("answer", "GET", "/experiment/models", status(500))
    return world.call("models", *world.at).code


def lacking(world: World) -> int:
    return world.call("check", world.workflow(ckpt_name="none.safetensors"), *world.at).code


def read_only(world: World) -> int:
    return world.call("--read-only", "interrupt", *world.at).code


def ctrl_c(world: World) -> int:
    watching = world.process("watch", *world.at)
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=30)
    return int(watching.returncode)


def pipe(world: World) -> int:
    reading, writing = os.pipe()
    os.close(reading)
    listing = world.process("queue", *world.at, stdout=writing)
    os.close(writing)
    _, err = listing.communicate(timeout=30)
    assert err == ""
    return int(listing.returncode)


CASES: dict[Exit, Callable[[World], int]] = {
    Exit.OK: lambda world: world.call("queue", *world.at).code,
    Exit.JOB_FAILED: failed,
    Exit.USAGE: lambda world: world.call("nope").code,
    Exit.UNREACHABLE: unreachable,
    Exit.REFUSED: refused,
    Exit.INTERRUPTED: interrupted,
    Exit.LOST: lost,
    Exit.FILES: files,
    Exit.ENGINE: engine,
    Exit.SETTINGS: settings,
    Exit.SERVER: broken,
    Exit.LACKING: lacking,
    Exit.READ_ONLY: read_only,
    Exit.CTRL_C: ctrl_c,
    Exit.PIPE_CLOSED: pipe,
}


def test_the_page_is_the_table_and_each_code_has_a_case() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(), re.M)
    assert [(int(code), text) for code, text in rows] == [(int(each), each.meaning) for each in Exit]
    assert set(CASES) == set(Exit)


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.name)
def test_each_code_comes_about(call: Call, process: Any, server: FakeComfy, tmp_path: Path, code: Exit) -> None:
    assert CASES[code](World(call, process, server, tmp_path)) == code


def test_a_full_disk_behind_a_redirection(process: Any, server: FakeComfy) -> None:
    with Path("/dev/full").open("w") as full:
        listing = process("queue", "--json", "--server", server.url, stdout=full)
        _, err = listing.communicate(timeout=30)
    assert listing.returncode == Exit.FILES
    assert "standard output cannot be written" in err
    assert "Traceback" not in err


def test_help_into_a_closed_pipe_is_silent(process: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    helping = process("--help", stdout=writing)
    os.close(writing)
    _, err = helping.communicate(timeout=30)
    assert (helping.returncode, err) == (Exit.PIPE_CLOSED, "")

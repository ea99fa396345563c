"""What is on this machine: `comfytui servers`, `settings`, `engine` and `completion`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from comfytui import local_engine
from comfytui.cli.diagnostics import Exit
from tests.support.engine import free_port
from tests.support.replay import FakeComfy

from .conftest import Call


def test_servers_are_asked_at_once_and_told_apart(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    assert call("servers", "add", "box", server.url).code == 0
    assert call("servers", "add", "gone", "127.0.0.1:1", "--read-only").code == 0
    call("settings", "server", "box")
    told = {each["name"]: each for each in call("servers", "--json").json}
    assert (told["box"]["state"], told["box"]["default"], told["gone"]["state"]) == ("ok", True, "unreachable")
    done = call("servers")
    assert (done.code, len(done.lines)) == (0, 3)
    assert call("servers", "add", "box", server.url).code == Exit.USAGE
    assert call("servers", "add", "a.b", server.url).code == Exit.USAGE
    assert call("servers", "remove", "gone").code == 0
    assert call("servers", "remove", "gone").code == Exit.USAGE


def test_settings_are_shown_changed_and_checked(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "config" / "settings.toml"
    file.parent.mkdir()
    file.write_text('# mine\nserver = "http://me:secret@box:1"\n')
    assert call("settings", "confirm.cancel", "yes").code == 0
    assert call("settings", "confirm.cancel").out == "yes\n"
    assert "# mine" in file.read_text()
    assert call("settings", "engine.arguments", '["--cpu"]').code == 0
    assert call("settings", "engine.arguments").out == '["--cpu"]\n'
    assert call("settings", "--unset", "confirm.cancel").code == 0
    assert call("settings", "confirm.cancel").out == "no\n"
    for wrong in (("engine.port", "x"), ("engine.port", "0"), ("mouse", "maybe"), ("images", "foo"), ("nope",)):
        done = call("settings", *wrong)
        assert (done.code, wrong[0] in done.err) == (Exit.SETTINGS, True)
    assert "secret" not in call("settings").out + call("settings", "server").out + call("settings", "--json").out
    assert call("settings", "--path").out == f"{file}\n"


@pytest.mark.skipif(bool(local_engine.missing()), reason="the engine is not installed")
def test_an_engine_that_stays_and_is_stopped(call: Call, tmp_path: Path) -> None:
    port = ("--port", free_port())
    assert call("engine", "status", *port).code == Exit.ENGINE
    started = call("engine", "start", *port, "--json", "--", "--cpu", "--base-directory", tmp_path / "base")
    assert started.code == 0, started.err
    pid = started.json["pid"]
    try:
        assert call("engine", "status", *port, "--json").json == started.json
        assert started.json["version"]
        assert "runs already" in call("engine", "start", *port, "--", "--cpu").err
        assert call("--read-only", "engine", "stop", *port).code == Exit.READ_ONLY
        assert psutil.pid_exists(pid)
        assert call("engine", "stop", *port).code == 0
        assert call("engine", "status", *port, "--json").json["state"] == "stopped"
    finally:
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            psutil.Process(pid).kill()
    assert call("engine", "stop", *port).code == 0, "nothing to stop is no error"


def test_an_engine_that_ended_by_itself_and_a_port_that_is_taken(call: Call, tmp_path: Path, server: FakeComfy) -> None:
    port = free_port()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / f"engine-{port}.json").write_text(json.dumps({"pid": 2**22 - 1, "created": 1.0}))
    stale = call("engine", "status", "--port", port)
    assert (stale.code, "ended without being stopped" in stale.err) == (Exit.ENGINE, True)
    assert "has ended before" in call("engine", "stop", "--port", port).err
    taken = server.url.rpartition(":")[2]
    assert call("engine", "status", "--port", taken, "--json").json["state"] == "taken"
    assert "not started by us" in call("engine", "stop", "--port", taken).err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_what_completion_prints(call: Call, shell: str) -> None:
    done = call("completion", shell)
    assert (done.code, "_COMFYTUI_COMPLETE" in done.out) == (0, True)
    if (path := shutil.which(shell)) is not None:
        checked = subprocess.run([path, "-n"], input=done.out, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_servers(call: Call, tmp_path: Path) -> None:
    call("servers", "add", "attic", "127.0.0.1:1")
    program = tmp_path / "comfytui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m comfytui "$@"\n')
    program.chmod(0o755)
    script = 'eval "$(comfytui completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); '
    script += "_comfytui_completion comfytui; printf '%s\\n' \"${COMPREPLY[@]}\""
    root = Path(__file__).parents[2]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(root)}

    def completed(*words: str) -> list[str]:
        command = ["bash", "-c", script, "bash", "comfytui", *words]
        return subprocess.run(command, env=env, text=True, capture_output=True, check=True).stdout.split()

    assert completed("hi") == ["history"]
    assert "--cancel-on-exit" in completed("watch", "--c")
    assert completed("queue", "--server", "at") == ["attic"]

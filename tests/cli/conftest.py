"""A scripted server, folders of its own, and two ways to call the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comfytui.cli.main import main
from tests.support.replay import FakeComfy, txt2img


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Done]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own settings stay out, and results land in the test's folder."""
    monkeypatch.setenv("COMFYTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("COMFYTUI_SERVER", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy.in_thread() as found:
        yield found


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(txt2img()))
    return path


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process: fast, and the same but for the interpreter's start."""

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(lambda *_: 0, [str(each) for each in arguments])
        out, err = capfd.readouterr()
        return Done(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the real program; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "comfytui", *map(str, arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": dict(os.environ), **options}
        started.append(subprocess.Popen(command, text=True, **options))
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()

"""Commands and an engine that wants its token: refused without, and with it the whole way to a picture."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from comfytui import local_engine
from tests.support.engine import RunningEngine, start_engine

from .conftest import Call
from .test_with_engine import EXAMPLES, ended, port  # noqa: F401 -- `port` is a fixture

TOKEN = "an-engine-token-of-some-length"

pytestmark = pytest.mark.skipif(bool(local_engine.missing()), reason="the engine is not installed")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    base = tmp_path_factory.mktemp("locked")
    file = base / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    engine = start_engine(base, "--token-file", str(file))
    yield engine
    engine.stop()


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMFYTUI_TOKEN", "COMFYTUI_ENGINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_without_the_token_a_command_says_where_to_put_it(
    call: Call, locked: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ("", "wrong"):
        monkeypatch.setenv("COMFYTUI_TOKEN", wrong)
        for command in (("queue",), ("stats",), ("run", EXAMPLES / "trivial.json")):
            done = call(*command, "--server", locked.url)
            assert done.code != 0
            assert "COMFYTUI_TOKEN" in done.err
            assert "401" in done.err


def test_with_the_token_a_picture_comes_back(
    call: Call, locked: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The picture is fetched when the socket has said that it is there: both connections were let in.
    monkeypatch.setenv("COMFYTUI_TOKEN", TOKEN)
    done = call("run", EXAMPLES / "trivial.json", "--server", locked.url, "--output", "results")
    assert done.code == 0, done.err
    assert Path(done.lines[0]).is_file()
    monkeypatch.delenv("COMFYTUI_TOKEN")
    (tmp_path / "config").mkdir()
    table = f'[servers.box]\nurl = "{locked.url}"\ntoken_file = "{locked.base / "token"}"\n'
    (tmp_path / "config" / "settings.toml").write_text(table)
    done = call("queue", "--server", "box")
    assert done.code == 0, done.err
    assert TOKEN not in done.err + locked.log.read_text()


def test_a_page_of_another_name_is_told_the_flag(locked: RunningEngine) -> None:
    import httpx

    answer = httpx.get(f"{locked.url}/queue", headers={"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 403
    assert "--allowed-host" in answer.json()["error"]["details"]


def test_a_local_engine_with_a_token_shows_it_to_nobody(
    process: Any,
    port: int,  # noqa: F811
    tmp_path: Path,
) -> None:
    settings = tmp_path / "config" / "settings.toml"
    settings.write_text(settings.read_text().replace('"--cpu"', f'"--cpu", "--token", "{TOKEN}"'))
    running = process("run", EXAMPLES / "trivial.json", "--local", "--output", "results")
    note = tmp_path / "state" / f"engine-{port}.json"
    while running.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.05)  # it and the engine need the processor that this loop would take
        if note.exists() and note.stat().st_size:
            engine = psutil.Process(json.loads(note.read_text())["pid"])
            try:
                arguments = [engine.cmdline(), *(child.cmdline() for child in engine.children())]
            except psutil.NoSuchProcess:
                continue
            assert TOKEN not in str(arguments)
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert Path(out.splitlines()[0]).is_file()
    assert TOKEN not in err
    assert ended(port, tmp_path)

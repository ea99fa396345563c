"""The local engine's life: started, watched, crashed, stopped, left behind and found again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from comfytui import local_engine
from comfytui.local_engine import EngineError, LocalEngine, Phase, PortTaken, Status

# A stand-in that does what the engine does as far as its keeper can tell. `--mode` says how it misbehaves.
STAND_IN = """
import argparse, http.server, json, os, signal, sys
parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--mode", default="good")
given = parser.parse_args()
print("loading\\r 50%\\r100%", flush=True)
if given.mode == "crash":
    print("Traceback:", flush=True)
    sys.exit("no space left on device")
if given.mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if given.mode == "other":
            body = b"<html>a web page</html>"
        else:
            body = json.dumps({"system": {"comfyui_version": "x"}, "devices": []}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
    def log_message(self, *args):
        print("asked \\x1b[31mfor", self.path, flush=True)
class Server(http.server.HTTPServer):
    allow_reuse_address = True
Server(("127.0.0.1", given.port), Handler).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def make(tmp_path: Path, port: int) -> AsyncIterator[Any]:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    made: list[LocalEngine] = []

    def engine(mode: str = "good", **options: Any) -> LocalEngine:
        command = (sys.executable, str(script))
        found = LocalEngine(
            port,
            ("--mode", mode),
            clean=lambda text: text.replace("\x1b", "?"),
            folder=tmp_path / "state",
            command=command,
            **options,
        )
        made.append(found)
        return found

    yield engine
    for each in made:
        await each.stop(grace=0.1)


async def until(engine: LocalEngine, phase: Phase) -> Status:
    reached = asyncio.Event()
    unsubscribe = engine.subscribe(lambda status: reached.set() if status.phase is phase else None)
    if engine.status.phase is not phase:
        await asyncio.wait_for(reached.wait(), 20)
    unsubscribe()
    return engine.status


async def ask(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_it_starts_answers_and_stops(make: Any, port: int, tmp_path: Path) -> None:
    engine = make()
    seen: list[Phase] = []
    engine.subscribe(lambda status: seen.append(status.phase))
    started = await engine.start()
    assert started.phase is Phase.STARTING
    ready = await engine.wait_ready(20)
    assert ready.pid is not None
    assert not ready.found
    assert os.getsid(ready.pid) == ready.pid, "a session of its own: ctrl-C in our terminal is not for it"
    assert (await local_engine.who_listens(port)).comfyui  # type: ignore[union-attr]
    await engine.stop()
    assert not psutil.pid_exists(ready.pid)
    assert list(dict.fromkeys(seen)) == [Phase.STARTING, Phase.READY, Phase.STOPPING, Phase.STOPPED]
    assert await local_engine.who_listens(port) is None
    assert not list((tmp_path / "state").glob("*.json"))


async def test_its_log_is_cleaned_and_shows_the_end_of_progress_bars(make: Any, port: int) -> None:
    engine = make()
    await engine.start()
    await engine.wait_ready(20)
    logged = asyncio.Event()
    engine.subscribe(lambda status: logged.set() if any("/hello" in line for line in status.log) else None)
    await ask(port, "/hello")
    await asyncio.wait_for(logged.wait(), 20)
    assert engine.status.log[0] == "100%"
    assert "asked ?[31mfor /hello" in engine.status.log


async def test_a_crash_at_the_start_shows_the_last_line(make: Any) -> None:
    engine = make("crash")
    await engine.start()
    with pytest.raises(EngineError, match="ended with code 1: no space left on device"):
        await engine.wait_ready(20)
    assert engine.status.phase is Phase.CRASHED
    assert "Traceback:" in engine.status.log


async def test_a_crash_while_it_runs_is_noticed_and_it_starts_again(make: Any, port: int) -> None:
    engine = make()
    await engine.start()
    first = await engine.wait_ready(20)
    await ask(port, "/die")
    crashed = await until(engine, Phase.CRASHED)
    assert "killed by SIGKILL" in crashed.text
    await engine.restart()
    again = await engine.wait_ready(20)
    assert again.pid != first.pid


async def test_one_that_does_not_listen_to_reason_is_killed(make: Any) -> None:
    engine = make("stubborn")
    await engine.start()
    pid = (await engine.wait_ready(20)).pid
    await engine.stop(grace=0.2)
    assert not psutil.pid_exists(pid)
    assert engine.status.phase is Phase.STOPPED


async def test_left_running_it_is_found_again(make: Any) -> None:
    first = make()
    await first.start()
    pid = (await first.wait_ready(20)).pid
    await first.leave()
    assert psutil.pid_exists(pid)
    second = make()
    await second.start()
    found = await second.wait_ready(20)
    assert (found.pid, found.found) == (pid, True)
    assert "100%" in found.log, "its log is still there to read"
    os.kill(pid, signal.SIGKILL)
    assert (await until(second, Phase.CRASHED)).text.startswith("the engine has ended")


async def test_a_note_of_another_process_is_not_believed(make: Any, port: int, tmp_path: Path) -> None:
    note = tmp_path / "state" / f"engine-{port}.json"
    note.parent.mkdir()
    for text in (json.dumps({"pid": os.getpid(), "created": 1.0}), "{", '{"pid": "x"}', '{"pid": -1, "created": 0}'):
        note.write_text(text)
        engine = make()
        assert not (await engine.start()).found
        await engine.wait_ready(20)
        await engine.stop()
    assert psutil.pid_exists(os.getpid())


async def test_a_taken_port_says_by_whom(make: Any, port: int) -> None:
    first = make("other")
    await first.start()
    while await local_engine.who_listens(port) is None:
        await asyncio.sleep(0.02)
    (first._note()).unlink()
    with pytest.raises(
        PortTaken, match=rf"port {port} is taken by python.* \(pid {first.status.pid}\)\. Stop it"
    ) as caught:
        await make().start()
    assert not caught.value.listener.comfyui


async def test_a_taken_port_that_is_comfyui_offers_to_connect(make: Any, port: int) -> None:
    first = make()
    await first.start()
    await first.wait_ready(20)
    (first._note()).unlink()
    with pytest.raises(PortTaken, match=f"--server http://127.0.0.1:{port}"):
        await make().start()


async def test_without_its_libraries_it_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch, port: int, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_engine, "NEEDED", ("json", "surely_not_installed"))
    engine = LocalEngine(port, clean=str, folder=tmp_path)
    with pytest.raises(EngineError, match=r"surely_not_installed missing\): pip install 'comfytui\[engine\]'"):
        await engine.start()


async def test_a_folder_that_cannot_be_written_is_an_engine_error(port: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = LocalEngine(port, clean=str, folder=tmp_path / "file", command=("true",))
    with pytest.raises(EngineError, match="cannot be started"):
        await engine.start()


async def test_a_foreign_engine_in_the_current_folder_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int
) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("")
    (tmp_path / "engine" / "__main__.py").write_text("print('an impostor')")
    monkeypatch.chdir(tmp_path)
    engine = LocalEngine(port, ("--help",), clean=str, folder=tmp_path / "state")
    await engine.start()
    ended = await until(engine, Phase.CRASHED)
    assert "an impostor" not in ended.log
    assert any("speaks ComfyUI" in line for line in ended.log)


async def test_a_token_goes_by_the_environment_and_the_dashboards_own_does_not_go(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYTUI_TOKEN", "of-another-server")
    monkeypatch.delenv("COMFYTUI_ENGINE_TOKEN", raising=False)
    script = tmp_path / "tell.py"
    script.write_text("import json, os, sys; json.dump([sys.argv, dict(os.environ)], open(sys.argv[1], 'w'))")
    told = tmp_path / "told.json"
    engine = LocalEngine(
        port,
        ("--token", "of-the-engine", "--cpu"),
        clean=str,
        folder=tmp_path / "state",
        command=(sys.executable, str(script), str(told)),
    )
    await engine.start()
    await until(engine, Phase.CRASHED)
    arguments, environment = json.loads(told.read_text())
    assert arguments[2:] == ["--port", str(port), "--cpu"]
    assert environment["COMFYTUI_ENGINE_TOKEN"] == "of-the-engine"
    assert "COMFYTUI_TOKEN" not in environment
    await engine.stop()


@pytest.mark.parametrize(("realm", "ours"), [("comfytui", True), ("router", False)])
async def test_an_engine_that_wants_its_token_is_one(port: int, realm: str, ours: bool) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="{realm}"\r\n\r\n{{}}'.encode())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", port):
        assert await local_engine.answers(port) is ours

"""The supervisor with a worker of twenty lines, which does what its argument says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from engine.worker import messages
from engine.worker.supervisor import Supervisor, WorkerUnavailableError

REPOSITORY = Path(__file__).parents[3]

_WORKER = """
import os, socket, struct, sys, time
sys.path.insert(0, sys.argv[1])
from engine.worker import messages as m
kind, line = sys.argv[2], socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
def send(message):
    data = m.encode(message)
    line.sendall(struct.pack(">I", len(data)) + data)
def receive():
    head = line.recv(4, socket.MSG_WAITALL)
    if len(head) < 4: os._exit(0)
    return m.decode_to_worker(line.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL))
print("hello from", kind, flush=True)
if kind == "broken":
    print("ImportError: no torch", flush=True); sys.exit(3)
if kind == "garbage":
    line.sendall(struct.pack(">I", 3) + b"\\xc1\\xc1\\xc1"); time.sleep(60)
send(m.Ready(os.getpid(), "2.0", 1))
while True:
    match receive():
        case m.DescribeNodes(request=n): send(m.NodesDescribed(n, b"{}"))
        case m.DescribeDevices(): pass
        case m.Validate(): os.kill(os.getpid(), 9)
        case m.Execute(prompt_id=i): send(m.Event(i, "execution_start", {})); send(m.Finished(i, "success"))
        case m.Shutdown() if kind == "deaf": pass
        case m.Shutdown(): sys.exit(0)
"""


class Heard:
    def __init__(self) -> None:
        self.messages: asyncio.Queue[messages.FromWorker] = asyncio.Queue()
        self.ready: asyncio.Queue[messages.Ready] = asyncio.Queue()
        self.deaths: asyncio.Queue[str] = asyncio.Queue()
        self.lines: list[str] = []


class Rig:
    def __init__(self, kind: str) -> None:
        self.heard = Heard()
        self.supervisor = Supervisor(
            [sys.executable, "-c", _WORKER, str(REPOSITORY), kind],
            on_message=self.heard.messages.put_nowait,
            on_ready=self.heard.ready.put_nowait,
            on_death=self.heard.deaths.put_nowait,
            on_line=self.heard.lines.append,
        )
        self.supervisor.start()


@pytest.fixture
async def start() -> AsyncIterator[type[Rig]]:
    made: list[Rig] = []

    def make(kind: str) -> Rig:
        made.append(Rig(kind))
        return made[-1]

    yield make
    for rig in made:
        await rig.supervisor.stop()


async def within(what: object) -> object:
    return await asyncio.wait_for(what, 30)


async def test_questions_are_answered_and_events_come_in_order(start: type[Rig]) -> None:
    rig = start("good")
    assert await rig.supervisor.describe_nodes(None, patience=30) == b"{}"
    assert rig.supervisor.send(messages.Execute("p", {}, []))
    assert isinstance(await within(rig.heard.messages.get()), messages.Event)
    assert await within(rig.heard.messages.get()) == messages.Finished("p", "success")
    assert "hello from good" in rig.heard.lines


async def test_a_worker_that_dies_fails_its_questions_and_comes_back(start: type[Rig]) -> None:
    rig = start("good")
    first = await within(rig.heard.ready.get())
    with pytest.raises(WorkerUnavailableError, match="SIGKILL"):
        await rig.supervisor.validate("p", {}, None, patience=30)
    assert "memory" in (await within(rig.heard.deaths.get())).splitlines()[0]
    second = await within(rig.heard.ready.get())
    assert second.pid != first.pid
    assert await rig.supervisor.describe_nodes(None, patience=30) == b"{}"


async def test_a_worker_that_cannot_start_is_told_with_its_last_lines(start: type[Rig]) -> None:
    rig = start("broken")
    with pytest.raises(WorkerUnavailableError, match=r"exit code 3(?s:.*)no torch"):
        await rig.supervisor.wait_ready(30)


async def test_a_worker_that_talks_nonsense_is_stopped(start: type[Rig]) -> None:
    rig = start("garbage")
    with pytest.raises(WorkerUnavailableError, match="cannot be read"):
        await rig.supervisor.wait_ready(30)


async def test_a_worker_that_does_not_answer_is_not_waited_for(start: type[Rig]) -> None:
    rig = start("good")
    await within(rig.heard.ready.get())
    with pytest.raises(WorkerUnavailableError, match="did not answer"):
        await rig.supervisor.describe_devices(patience=0.05)


@pytest.mark.parametrize("kind", ["good", "deaf"])
async def test_nothing_is_left_after_the_stop(start: type[Rig], kind: str) -> None:
    rig = start(kind)
    ready = await within(rig.heard.ready.get())
    await rig.supervisor.stop()
    assert not psutil.pid_exists(ready.pid)
    assert rig.heard.deaths.empty()


async def test_a_program_that_is_not_there_is_named() -> None:
    heard = Heard()
    supervisor = Supervisor(
        ["/nonexistent/python"],
        on_message=heard.messages.put_nowait,
        on_ready=heard.ready.put_nowait,
        on_death=heard.deaths.put_nowait,
        on_line=heard.lines.append,
    )
    supervisor.start()
    with pytest.raises(WorkerUnavailableError, match="cannot be started"):
        await supervisor.wait_ready(30)
    await supervisor.stop()


def test_the_front_does_not_import_torch() -> None:
    code = "import engine.server.run, engine.jobs.dispatch, sys; print([m for m in ('torch', 'numpy', 'PIL', 'yaml', 'psutil') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=REPOSITORY, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]", done.stderr

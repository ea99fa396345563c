"""A connection to the scripted server, and a way to wait for a state instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from comfytui.client.target import Target
from comfytui.state import watch
from comfytui.state.connection import Connection
from comfytui.state.model import JobState, ServerState
from tests.support.replay import FakeComfy, txt2img

PATIENCE = 20.0  # seconds; reached only by a failing test


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between two looks at the queue, and none before trying again."""
    monkeypatch.setattr(watch, "SPACING", 0.01)
    monkeypatch.setattr(watch, "SHARE", 0)
    monkeypatch.setattr(watch, "RETRIES", (0.0, 0.01, 0.02))
    monkeypatch.setattr("comfytui.state.connection.backoff", lambda failures: 0.01)


async def until(connection: Connection, wanted: Callable[[ServerState], Any]) -> ServerState:
    """The first state that is as wanted."""
    changed = asyncio.Event()
    unsubscribe = connection.subscribe(lambda _: changed.set())
    try:
        async with asyncio.timeout(PATIENCE):
            while not wanted(connection.state):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        raise AssertionError(f"this state never came; the last one: {str(connection.state)[:4000]}") from None
    finally:
        unsubscribe()
    return connection.state


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Connection]:
    """A live connection; it is closed in the end, and its task has ended."""
    connection = Connection(Target.parse(url, **options))
    task = asyncio.create_task(connection.run())
    try:
        await connection.wait_live(PATIENCE)
        yield connection
    finally:
        await connection.close()
        await asyncio.wait_for(task, PATIENCE)


def ended(prompt_id: str) -> Any:
    """The job has ended, and the history's word on it has come (it has exact times)."""
    return lambda state: prompt_id in state.history and prompt_id not in state.running


def by_state(state: ServerState) -> dict[str, JobState]:
    return {item: job.state for item, job in state.jobs.items()}


def fill(server: FakeComfy, count: int) -> list[str]:
    names = [f"job-{number:03}" for number in range(count)]
    for number, name in enumerate(names):
        server.history[name] = {
            "prompt": [number, name, txt2img(seed=number), {"client_id": "x"}, ["9"]],
            "outputs": {},
            "status": {"status_str": "success", "completed": True, "messages": []},
        }
    return names

"""The local engine in the dashboard, with an engine that only pretends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from comfytui import local_engine
from comfytui.local_engine import EngineError, Listener, Phase, PortTaken, Status
from comfytui.settings.memory import recall
from comfytui.settings.schema import Settings
from comfytui.tui.app import Dashboard
from tests.tui import sample
from tests.tui.support import asks, text, until


class PretendEngine:
    """Does at once what a test tells it to."""

    taken: Listener | None = None
    missing = ""

    def __init__(self, port: int, arguments: tuple[str, ...], *, clean: Callable[[str], str]) -> None:
        self.status = Status(Phase.STOPPED, port, 0.0)
        self.url = f"http://127.0.0.1:{port}"
        self.calls: list[str] = []
        self.news = asyncio.Event()
        self._tell: Callable[[Status], None] = print
        made.append(self)

    def subscribe(self, callback: Callable[[Status], None]) -> Callable[[], None]:
        self._tell = callback
        return lambda: None

    def become(self, phase: Phase, text: str = "", log: tuple[str, ...] = ()) -> None:
        self.status = Status(phase, self.status.port, 0.0, 42, text=text, log=log)
        self.news.set()
        self._tell(self.status)

    async def start(self) -> Status:
        self.calls.append("start")
        if self.missing:
            raise EngineError(self.missing)
        if self.taken is not None:
            raise PortTaken(self.taken)
        self.become(Phase.STARTING, log=("loading torch",))
        return self.status

    async def wait_ready(self, timeout: float | None = None) -> Status:
        while self.status.phase is Phase.STARTING:
            self.news.clear()
            await self.news.wait()
        if self.status.phase is not Phase.READY:
            raise EngineError(self.status.text)
        return self.status

    async def stop(self, grace: float = 10.0) -> None:
        self.calls.append("stop")
        self.become(Phase.STOPPED)

    async def leave(self) -> None:
        self.calls.append("leave")


made: list[PretendEngine] = []


@asynccontextmanager
async def local(
    monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[tuple[Pilot[Any], Dashboard, list[str]]]:
    """A dashboard started with --local; the list holds the addresses that it connected to."""
    monkeypatch.setattr(local_engine, "LocalEngine", PretendEngine)
    made.clear()
    app = Dashboard(Settings(images="truecolor", **settings), local=True, clock=sample.clock)
    addresses: list[str] = []

    async def connect(server: str | None) -> None:
        addresses.append(str(server))
        app.session.attach(sample.StubConnection(sample.idle(1)))  # type: ignore[arg-type]

    app.session.connect = connect  # type: ignore[method-assign]
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: bool(made) and made[0].calls != [], "the start")
        yield pilot, app, addresses


def shows(app: Dashboard, wanted: str) -> Callable[[], bool]:
    return lambda: wanted in text(app)


async def test_the_log_is_shown_until_it_is_ready_and_then_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async with local(monkeypatch) as (pilot, app, addresses):
        await until(pilot, shows(app, "loading torch"), "the log")
        assert addresses == []
        made[0].become(Phase.READY)
        await until(pilot, lambda: addresses == ["http://127.0.0.1:8188"], "the connection")
        await until(pilot, shows(app, "CheckpointLoaderSimple"), "the last job")


async def test_a_crash_shows_the_last_lines_and_r_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with local(monkeypatch) as (pilot, app, _):
        made[0].become(Phase.CRASHED, "the engine was killed by SIGKILL", ("step 3", "out of [bold]memory"))
        await until(pilot, shows(app, "killed by SIGKILL"), "why")
        assert "out of [bold]memory" in text(app)
        assert "r restart engine" in text(app)
        await pilot.press("r")
        await until(pilot, lambda: made[0].calls == ["start", "stop", "start"], "the restart")
        made[0].become(Phase.READY)
        await until(pilot, lambda: app.last_error is None, "the end of the error")


async def test_a_missing_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PretendEngine, "missing", "torch is missing: pip install 'comfytui[engine]'")
    async with local(monkeypatch) as (pilot, app, _):
        await until(pilot, shows(app, "pip install 'comfytui[engine]'"), "the remedy")


@pytest.mark.parametrize(("answer", "connects"), [("y", ["http://127.0.0.1:8188"]), ("n", [])])
async def test_a_taken_port_names_who_has_it_and_offers_to_connect(
    monkeypatch: pytest.MonkeyPatch, answer: str, connects: list[str]
) -> None:
    monkeypatch.setattr(PretendEngine, "taken", Listener(8188, 77, "python3", comfyui=True))
    async with local(monkeypatch) as (pilot, app, addresses):
        await until(pilot, shows(app, "python3 (pid 77)"), "who")
        await pilot.press(answer)
        await until(pilot, lambda: not asks(app), "the answer")
        await pilot.pause(0.1)
        assert addresses == connects


async def test_a_port_taken_by_something_else_is_no_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PretendEngine, "taken", Listener(8188, 78, "nginx"))
    async with local(monkeypatch) as (pilot, app, addresses):
        await until(pilot, shows(app, "nginx (pid 78)"), "who")
        await until(pilot, shows(app, "engine.port"), "what to do")
        assert addresses == []


@pytest.mark.parametrize(("answer", "call", "kept"), [("y", "leave", True), ("n", "stop", False)])
async def test_leaving_asks_once_and_remembers(
    monkeypatch: pytest.MonkeyPatch, answer: str, call: str, kept: bool
) -> None:
    async with local(monkeypatch) as (pilot, app, _):
        made[0].become(Phase.READY)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: asks(app), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: not asks(app), "staying")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: asks(app), "the question again")
        await pilot.press(answer)
        await until(pilot, lambda: made[0].calls[-1] == call, call)
        assert recall().leave_engine_running is kept


async def test_the_settings_answer_for_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    async with local(monkeypatch, leave_engine_running="yes") as (pilot, app, _):
        made[0].become(Phase.READY)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: made[0].calls[-1] == "leave", "leaving")
        assert not asks(app)

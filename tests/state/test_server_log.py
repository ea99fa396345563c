"""A server's log is asked for while somebody looks, and told whole and once, whatever the link does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from comfytui.state.connection import Connection
from comfytui.state.log_levels import Level
from comfytui.state.server_log import Told
from tests.state.conftest import PATIENCE, connected
from tests.support.engine import RunningEngine
from tests.support.replay import FakeComfy

ROUTE = "/internal/logs/subscribe"


class Reader:
    """Somebody who looks at a log."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._news = asyncio.Event()
        self.stop = connection.log.follow(self._news.set)

    @property
    def lines(self) -> list[str]:
        return [line.text for line in self.connection.log.log.since(0)]

    async def until(self, wanted: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not wanted():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.connection.log.told}: {self.lines[-20:]}") from None


async def quiet(server: FakeComfy, wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not wanted():
            await asyncio.sleep(0)


async def test_nothing_is_asked_before_somebody_looks_nor_after() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        await server.prints("nobody reads this")
        assert not [each for each in server.requests if each.path.startswith("/internal")]
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)
        assert reader.lines[-1] == "nobody reads this"
        await server.prints("one", "two")
        await reader.until(lambda: reader.lines[-2:] == ["one", "two"])
        reader.stop()
        await quiet(server, lambda: not server.log_readers)
        assert [each.body["enabled"] for each in server.asked("PATCH", ROUTE)] == [True, False]
        await server.prints("three")
        again = Reader(connection)
        await again.until(lambda: again.lines[-1] == "three")
        assert again.lines.count("two") == 1, "what is known already is not told twice"


async def test_two_readers_are_one_subscription() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        one, two = Reader(connection), Reader(connection)
        await two.until(lambda: connection.log.told is Told.LIVE)
        one.stop()
        await server.prints("still here")
        await two.until(lambda: two.lines[-1] == "still here")
        assert len(server.asked("PATCH", ROUTE)) == 1


async def test_it_is_subscribed_again_after_a_reconnect_and_what_was_missed_is_read() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)
        await server.prints("before")
        await reader.until(lambda: reader.lines[-1] == "before")
        server.log_readers.clear()
        server.log.append("while the link was down")
        await server.drop_sockets()
        await reader.until(lambda: reader.lines[-1] == "while the link was down" and connection.log.told is Told.LIVE)
        await server.prints("after")
        await reader.until(lambda: reader.lines[-1] == "after")
        assert len(reader.lines) == len(set(reader.lines)) == len(server.log)


async def test_lines_that_fell_out_are_said_to_be_missing() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)
        server.log_readers.clear()
        server.log += [f"line {n}" for n in range(400)]  # the server keeps 300
        await server.drop_sockets()
        await reader.until(lambda: reader.lines[-1] == "line 399")
        assert any("lines are missing here" in line for line in reader.lines)


async def test_a_server_without_the_routes_says_so_and_may_be_asked_again() -> None:
    for status in (404, 403):
        async with FakeComfy() as server, connected(server.url) as connection:
            for path in ("/internal/logs/raw", "/internal/logs"):
                server.answer("GET", path, web.Response(status=status))
            server.answer("PATCH", ROUTE, web.Response(status=status))
            reader = Reader(connection)
            await reader.until(lambda: connection.log.told is Told.NOTHING)
            assert "/internal/logs" in connection.log.problem
            server.answer("GET", "/internal/logs/raw", None)
            server.answer("PATCH", ROUTE, None)
            connection.log.again()
            await reader.until(lambda: connection.log.told is Told.LIVE)
            assert reader.lines == server.log


async def test_a_server_without_live_lines_is_asked_for_them(monkeypatch) -> None:
    monkeypatch.setattr("comfytui.state.server_log.EVERY", 0.01)
    async with FakeComfy() as server, connected(server.url) as connection:
        server.answer("PATCH", ROUTE, web.Response(status=404))
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.ASKED)
        server.log.append("new")
        await reader.until(lambda: reader.lines[-1] == "new")
        reader.stop()


async def test_the_older_route_is_read() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.answer("GET", "/internal/logs/raw", web.Response(status=404))
        server.answer("GET", "/internal/logs", web.json_response(
            "2026-11-23T19:05:53.1 - Starting\n2026-11-23T19:05:54.2 - Traceback (most recent call last):\n  File x\nE: y\n"
        ))  # fmt: skip
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)
        assert reader.lines == ["Starting", "Traceback (most recent call last):", "  File x", "E: y"]
        assert connection.log.log.since(0)[2].stamp == "2026-11-23T19:05:54.2"


async def test_who_only_reads_may_read_the_log() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        connection.read_only = True
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)


async def test_a_thousand_lines_come_whole_and_in_order() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)
        await server.prints(*(f"line {n}" for n in range(1000)))
        await reader.until(lambda: reader.lines[-1] == "line 999")
        assert reader.lines[-1000:] == [f"line {n}" for n in range(1000)]


async def test_our_engine_tells_its_log_live(engine: RunningEngine) -> None:
    async with connected(engine.url) as connection:
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.LIVE)
        assert any("worker is ready" in line for line in reader.lines)
        # A picture that is none: the node fails, and the engine's worker says so.
        (engine.base / "input").mkdir(exist_ok=True)
        (engine.base / "input" / "broken-log.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
        status, said = engine.call("POST", "/prompt", {"prompt": {
            "1": {"class_type": "LoadImage", "inputs": {"image": "broken-log.png"}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }})  # fmt: skip
        assert status == 200, said
        await reader.until(lambda: any("LoadImage" in line for line in reader.lines))
        bad = next(line for line in connection.log.log.since(0) if "LoadImage" in line.text)
        assert bad.level is Level.ERROR


async def test_a_log_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.state.server_log.PATIENCE", 0.01)
    async with FakeComfy() as server, connected(server.url) as connection:

        async def silent() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(connection.log._http, "logs", silent)
        reader = Reader(connection)
        await reader.until(lambda: connection.log.told is Told.NOTHING)
        assert "did not send its log within" in connection.log.problem
        assert not connection.log.missing

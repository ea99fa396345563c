"""The dashboard on a real connection, against a scripted server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from comfytui.settings.schema import Settings
from comfytui.state.model import JobState, Phase
from comfytui.tui.actions import SCREENS
from comfytui.tui.app import Dashboard
from tests.support.replay import HOSTILE, FakeComfy, hostile, txt2img, web_page
from tests.tui.support import settle, text, until


@asynccontextmanager
async def connected(server: FakeComfy, phase: Phase = Phase.LIVE) -> AsyncIterator[tuple[Pilot[Any], Dashboard]]:
    app = Dashboard(Settings(images="truecolor"), server=server.url)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.session.state is not None and app.session.state.link.phase is phase, str(phase))
        yield pilot, app


def shows(app: Dashboard, wanted: str) -> Callable[[], bool]:
    return lambda: wanted in text(app)


async def submit(app: Dashboard, **options: Any) -> str:
    connection = app.session.connection
    assert connection is not None
    return (await connection.submit(txt2img(**options), name="test")).prompt_id


async def test_a_run_is_followed_to_its_picture() -> None:
    async with FakeComfy() as server, connected(server) as (pilot, app):
        server.hold("3", 3)
        await submit(app, text="a red circle", steps=8)
        await until(pilot, shows(app, "2/8"), "the second step")
        assert "KSampler" in text(app)
        server.release()
        await until(pilot, lambda: app.session.state.history != (), "the end")  # type: ignore[union-attr]
        await until(pilot, shows(app, "last job"), "the last job")
        await pilot.press("3")
        await until(pilot, shows(app, "a red circle"), "the history")


async def test_the_queue_is_reordered_and_cancelled() -> None:
    async with FakeComfy() as server, connected(server) as (pilot, app):
        server.hold("3", 1)
        ids = [await submit(app, seed=seed) for seed in range(4)]
        await until(pilot, lambda: app.session.state.waiting == tuple(ids[1:]), "waiting")  # type: ignore[union-attr]
        await pilot.press("2")
        await until(pilot, shows(app, "3 waiting"), "the table")
        await pilot.press("G", "f")
        await until(pilot, lambda: app.session.state.waiting[:1] != (ids[1],), "the move")  # type: ignore[union-attr]
        await pilot.press("g", "j", "x")
        await until(pilot, lambda: len(app.session.state.waiting) == 2, "the cancelling")  # type: ignore[union-attr]
        server.release()


async def test_interrupting_ends_the_job() -> None:
    async with FakeComfy(step_delay=0.05) as server, connected(server) as (pilot, app):
        key = await submit(app, steps=200)
        await until(pilot, lambda: app.session.state.running == (key,), "running")  # type: ignore[union-attr]
        await pilot.press("i")
        await until(
            pilot,
            lambda: app.session.state.jobs[key].state is JobState.INTERRUPTED,  # type: ignore[union-attr]
            "the interruption",
        )


async def test_something_else_that_answers_is_told_and_the_dashboard_stays() -> None:
    async with FakeComfy() as server:
        web_page(server)
        async with connected(server, Phase.REFUSED) as (pilot, app):
            await until(pilot, shows(app, "r tries again now"), "what to do")
            assert server.url in text(app)
            for path in ("/prompt", "/queue", "/history", "/system_stats", "/object_info", "/ws"):
                server.answer("GET", path, None)
            await pilot.press("r")
            await until(pilot, lambda: app.session.state.link.phase is Phase.LIVE, "the second try")  # type: ignore[union-attr]


async def test_a_lost_socket_is_told_and_found_again() -> None:
    async with FakeComfy() as server, connected(server) as (pilot, app):
        await server.drop_sockets()
        await until(pilot, lambda: app.session.state.link.phase is not Phase.LIVE, "the loss")  # type: ignore[union-attr]
        await until(pilot, lambda: app.session.state.link.phase is Phase.LIVE, "the return")  # type: ignore[union-attr]


async def test_hostile_text_reaches_no_screen() -> None:
    async with FakeComfy() as server:
        hostile(server)
        async with connected(server) as (pilot, app):
            await until(pilot, lambda: app.session.state.history != (), "the history")  # type: ignore[union-attr]
            for spec in SCREENS:
                await pilot.press(spec.key)
                await settle(pilot)
                shown = text(app)
                assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in shown), spec.id
                assert not any(c in shown for c in "\u202e\u202d\u2066\u2067\u200f"), spec.id
                assert HOSTILE not in shown, spec.id

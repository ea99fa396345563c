"""The Queue screen with a server behind it: what is held or paused outlives the program, and what is lost comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from comfytui.settings.schema import Settings
from comfytui.state.model import JobState, Phase, ServerState
from comfytui.tui.app import Dashboard
from tests.support.replay import FakeComfy, txt2img
from tests.tui.support import line, settle, text, until


@asynccontextmanager
async def program(server: FakeComfy) -> AsyncIterator[tuple[Pilot[Any], Dashboard]]:
    """One run of the dashboard, on its Queue; it remembers in the state folder of the test."""
    app = Dashboard(Settings(images="none"), server.url)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.session.state is not None and state(app).link.phase is Phase.LIVE, "connecting")
        await pilot.press("2")
        await settle(pilot)
        yield pilot, app


def state(app: Dashboard) -> ServerState:
    found = app.session.state
    assert found is not None
    return found


async def queue(app: Dashboard, pilot: Pilot[Any], server: FakeComfy, *seeds: int) -> list[str]:
    """A job that runs until the server is told to go on, and others behind it."""
    connection = app.session.connection
    assert connection is not None
    server.hold("3", 1)
    await connection.submit(txt2img())
    await server.held()
    waiting = [(await connection.submit(txt2img(seed=seed), name=f"seed {seed}")).prompt_id for seed in seeds]
    await until(pilot, lambda: state(app).waiting == tuple(waiting), "queueing")
    await settle(pilot)
    return waiting


async def test_held_jobs_are_held_after_a_restart_and_go_back_to_their_place() -> None:
    async with FakeComfy() as server:
        async with program(server) as (pilot, app):
            a, b, c = await queue(app, pilot, server, 2, 3, 4)
            await pilot.press("j", "space", "space", "p")  # the first two that wait
            await until(pilot, lambda: state(app).held == (a, b), "holding")
            assert [item.prompt_id for item in server.pending] == [c]
            await pilot.press("ctrl+q")
        async with program(server) as (pilot, app):
            await until(pilot, lambda: state(app).held == (a, b), "remembering")
            await settle(pilot)
            assert "2 held" in line(app, "status")
            assert "‖ held" in text(app)
            assert "seed 3" in text(app)
            await pilot.press("G", "p")
            await until(pilot, lambda: state(app).held == (a,), "releasing")
            assert sorted(item.prompt_id for item in server.pending) == sorted([b, c])
            await until(pilot, lambda: state(app).waiting == (b, c), "its place")
            server.release()


async def test_a_paused_queue_is_paused_after_a_restart_until_it_is_told_to_go_on() -> None:
    async with FakeComfy() as server:
        async with program(server) as (pilot, app):
            waiting = await queue(app, pilot, server, 2, 3)
            await pilot.press("P")
            await until(pilot, lambda: state(app).held == tuple(waiting), "pausing")
            await settle(pilot)
            assert server.pending == []
        async with program(server) as (pilot, app):
            await until(pilot, lambda: state(app).paused, "remembering")
            await settle(pilot)
            assert "queue paused · 2 held here" in line(app, "status")
            await pilot.press("P")
            await until(pilot, lambda: state(app).waiting == tuple(waiting), "going on")
            assert not state(app).paused
            server.release()


async def test_what_a_restarted_server_forgot_is_shown_as_lost_and_sent_again_with_one_key() -> None:
    async with FakeComfy() as server, program(server) as (pilot, app):
        waiting = await queue(app, pilot, server, 7, 8)
        lost = {*waiting, *state(app).running}
        await server.restart()
        await until(pilot, lambda: all(state(app).jobs[key].state is JobState.LOST for key in lost), "losing")
        await settle(pilot)
        assert "3 lost" in text(app)
        assert "seed 7" in text(app)
        await pilot.press("u")
        await settle(pilot)
        assert "Send 3 jobs to" in text(app)
        await pilot.press("y")
        await until(pilot, lambda: all(state(app).jobs[key].state is JobState.DONE for key in lost), "running again")

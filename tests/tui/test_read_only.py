"""Read-only, also as a toggle: what changes the server is not done, the reason is said, and a badge shows it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from comfytui.state.model import ServerState
from comfytui.tui.actions import ACTIONS, Situation
from comfytui.tui.actions.situation import READ_ONLY, why_not
from tests.tui import sample
from tests.tui.support import line, running, settle, text

CHANGING = {
    "queue": "xirRdDfJKpPu",
    "live": "irRx",
    "history": "rRx",
}


def looking() -> ServerState:
    return replace(sample.busy(4), read_only=True)


@pytest.mark.parametrize("where", list(CHANGING))
def test_every_key_that_changes_the_server_is_off_and_can_say_why(where: str) -> None:
    state = sample.busy(4)
    for key in CHANGING[where]:
        found = [a for a in ACTIONS if a.where == where and key in a.keys.split(",")]
        for action in found:
            jobs = [state.jobs[k] for k in (*state.waiting, *state.running, *state.history)]
            free = [job for job in jobs if action.allowed(Situation(state, job))]
            for job in free:
                now = Situation(replace(state, read_only=True), job)
                assert not action.allowed(now), action.id
                assert why_not(action.allowed, now) == READ_ONLY


def test_why_not_is_silent_where_something_else_is_in_the_way() -> None:
    state = replace(sample.idle(), read_only=True)
    clear = next(a for a in ACTIONS if a.id == "queue.clear")
    assert not clear.allowed(Situation(state))
    assert why_not(clear.allowed, Situation(state)) == ""  # nothing waits
    look = next(a for a in ACTIONS if a.id == "queue.save")
    job = state.jobs[state.history[0]]
    assert look.allowed(Situation(state, job))


@pytest.mark.parametrize("screen", ["1", "2", "3"])
async def test_a_key_does_nothing_and_says_why(screen: str) -> None:
    async with running(looking(), (120, 40), screen, "j", "r") as (_, app, connection):
        assert not any(asked[0] == "submit" for asked in connection.asked)
        (told,) = [each.text for each in app.messages.told]
        assert told.startswith(READ_ONLY)
        assert "ctrl+o" in told


async def test_the_toggle_has_a_badge_and_asks_before_it_allows_changes_again() -> None:
    async with running(sample.busy(4), (80, 24), "2") as (pilot, app, connection):
        assert "read only" not in line(app, "tabs")
        await pilot.press("ctrl+o")
        await settle(pilot)
        assert connection.state.read_only
        assert "read only" in line(app, "tabs")
        assert "cancel" not in line(app, "footer")
        await pilot.press("ctrl+o")
        await settle(pilot)
        assert "gpu-box-2:8188" in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert connection.state.read_only
        await pilot.press("ctrl+o")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        assert not connection.state.read_only
        assert "read only" not in line(app, "tabs")
        assert "cancel" in line(app, "footer")


async def test_it_stays_on_with_another_server() -> None:
    async with running(sample.busy(4), (80, 24), "2", "ctrl+o") as (_, app, _):
        other = sample.StubConnection(sample.idle())
        app.session.attach(other, "another")  # type: ignore[arg-type]
        assert other.state.read_only


@pytest.mark.parametrize("size", [(40, 12), (60, 15), (80, 24)])
async def test_the_badge_is_there_at_every_size(size: tuple[int, int]) -> None:
    async with running(looking(), size) as (_, app, _):
        assert "read only" in text(app)


async def test_the_badge_leaves_the_servers_name() -> None:
    async with running(looking(), (60, 15)) as (_, app, _):
        assert "gpu-box-2:8188" in line(app, "tabs")


async def test_memory_is_not_freed() -> None:
    async with running(looking(), (80, 24), "ctrl+f") as (_, app, connection):
        assert not any(asked[0] == "free" for asked in connection.asked)
        assert any(each.text.startswith(READ_ONLY) for each in app.messages.told)

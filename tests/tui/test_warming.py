"""Screens are made ready while nothing goes on: nobody sees it, and a key that comes in the middle of it loses nothing."""

from __future__ import annotations

import asyncio
import sys

from comfytui.tui import warming
from comfytui.tui.actions import SCREENS
from comfytui.tui.screens.view import view_of
from tests.tui import sample
from tests.tui.support import running, settle, text


async def test_screens_are_imported_and_the_slow_ones_mounted_unseen() -> None:
    async with running(sample.idle(30)) as (pilot, app, _):
        before = text(app)
        await warming.warm(app, 0.0, 0.0)
        await settle(pilot)
        assert text(app) == before
        assert all(spec.target.partition(":")[0] in sys.modules for spec in SCREENS)
        ahead = [app.stage.of(screen_id) for screen_id in warming.AHEAD]
        assert all(view is not None and not view.display for view in ahead)
        assert app.view is app.stage.of("live")
        assert app.focused is not None and view_of(app.focused) is app.view


async def test_a_screen_that_was_made_ready_opens_whole() -> None:
    async with running(sample.idle(30)) as (pilot, app, _):
        await warming.warm(app, 0.0, 0.0)
        await pilot.press("3")
        await settle(pilot)
        assert "History" in text(app) and "30" in text(app)
        assert app.focused is not None and view_of(app.focused) is app.view
        await pilot.press("2")
        await settle(pilot)
        assert "Nothing runs and nothing waits." in text(app)


async def test_a_key_while_its_screen_is_being_made_ready() -> None:
    async with running(sample.idle(30)) as (pilot, app, _):
        await asyncio.gather(app.stage.prepare("history"), app.action_show("history"))
        await settle(pilot)
        assert app.current == "history"
        assert "newest first" in text(app)
        assert len(app.default_screen.query("#view-history")) == 1


async def test_nothing_is_made_ready_without_a_terminal() -> None:
    async with running(sample.idle(3)) as (pilot, app, _):
        warming.begin(app)
        await settle(pilot)
        assert not [worker for worker in app.workers if worker.name == "make screens ready"]

"""Looks at a running dashboard: waits until it has drawn everything, and reads its screen as text."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from comfytui.state.model import ServerState
from comfytui.tui.app import Dashboard
from tests.tui import sample

SNAPSHOTS = Path(__file__).with_name("snapshots")


def text(app: Dashboard) -> str:
    """What is on the screen, without styles and without blanks at the ends of lines."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def line(app: Dashboard, widget_id: str) -> str:
    """The text of one fixed line."""
    region = app.default_screen.query_one(f"#{widget_id}").region
    return text(app).split("\n")[region.y] if region.height else ""


async def settle(pilot: Pilot[Any]) -> None:
    """Return when nothing is pending: no news, no message, no worker but those that wait for the user."""
    calm = 0
    app = pilot.app
    while calm < 3:
        await pilot.pause(0.01)
        busy = any(not w.is_finished and w.group not in ("session", "waiting") and not asks(app) for w in app.workers)
        quiet = isinstance(app, Dashboard) and app.session.quiet and app.pictures.quiet
        drawn = not asks(app) or any(dialog.region.area for dialog in app.screen.query(".dialog, .jump"))
        calm = calm + 1 if quiet and drawn and not busy else 0


def asks(app: Any) -> bool:
    """Whether a dialog waits for the user; the worker that asked then waits as well."""
    return len(app.screen_stack) > 1


async def until(pilot: Pilot[Any], condition: Callable[[], bool], what: str = "it") -> None:
    """Wait for something that a server or a process brings about."""
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"{what} did not happen; the screen:\n{text(pilot.app)}")  # type: ignore[arg-type]


@asynccontextmanager
async def running(
    state: ServerState, size: tuple[int, int] = (120, 40), *keys: str, **settings: Any
) -> AsyncIterator[tuple[Pilot[Any], Dashboard, sample.StubConnection]]:
    """A dashboard of that size on a connection that only remembers, after those keys."""
    app, connection = sample.dashboard(state, **settings)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        yield pilot, app, connection


def compare(name: str, shown: str) -> None:
    """Compare with the snapshot of that name. `UPDATE_SNAPSHOTS=1` writes it instead; read the diff then."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(shown + "\n", "utf-8")
    assert shown + "\n" == path.read_text("utf-8"), f"the screen differs from {path.name}:\n{shown}"

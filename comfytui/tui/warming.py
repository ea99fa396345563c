"""Makes the screens ready while nobody waits for anything: imported, and those that are slow to open mounted, hidden."""

from __future__ import annotations

import asyncio
import gc
import importlib
from typing import TYPE_CHECKING

from comfytui.state.model import Phase
from comfytui.tui.actions import SCREENS

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard

START = 1.0  # seconds after the server answered: what it tells first is drawn by then
PAUSE = 0.1  # between two steps, so that a key waits for one of them at most
OFTEN = 0.5  # between looks at whether there is a server
CALM = 0.02  # seconds that a pause may take longer where nothing else goes on
AHEAD = ("history", "queue")  # what people go to first; a screen costs some 20 ms to mount and under 1 MB


def begin(dashboard: Dashboard) -> None:
    """Start it in the background. Not without a terminal: a test looks at what it has asked for."""
    if not dashboard.is_headless:
        dashboard.run_worker(_begin(dashboard), name="make screens ready", group="waiting")


async def _begin(dashboard: Dashboard) -> None:
    await warm(dashboard)
    gc.freeze()  # modules, widgets and rules stay: a full collection need not look at them, 20 ms, again


async def warm(dashboard: Dashboard, start: float = START, pause: float = PAUSE) -> None:
    """Make the screens ready, one step after the other."""
    while (state := dashboard.session.state) is None or state.link.phase is not Phase.LIVE:  # noqa: ASYNC110 - or never
        await asyncio.sleep(OFTEN)
    await asyncio.sleep(start)
    for spec in SCREENS:
        await _calm(dashboard, pause)
        # A thread: the interpreter gives the loop its turn every 5 ms meanwhile.
        await asyncio.to_thread(importlib.import_module, spec.target.partition(":")[0])
    for screen_id in AHEAD:
        await _calm(dashboard, pause)
        await dashboard.stage.prepare(screen_id)


async def _calm(dashboard: Dashboard, pause: float) -> None:
    """Wait until nothing is on its way to the terminal and the loop has nothing else to do."""
    loop = asyncio.get_running_loop()
    while True:
        await dashboard.link.drained()
        before = loop.time()
        await asyncio.sleep(pause)
        if loop.time() - before < pause + CALM:
            return

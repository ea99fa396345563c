"""The screens as text, at the sizes where their layout changes."""

from __future__ import annotations

import pytest

from tests.tui import sample
from tests.tui.support import compare, running, settle, text

SIZES = [(80, 24), (120, 40)]
EDGES = [
    ("live-busy", (40, 10)),
    ("live-busy", (60, 15)),
    ("queue", (60, 15)),
    *(("queue-crowded", s) for s in [(60, 15), (200, 60)]),
    ("history", (200, 60)),
]
SCREENS = {
    "live-busy": ("1", sample.busy),
    "live-idle": ("1", sample.idle),
    "queue": ("2", sample.busy),
    "queue-crowded": ("2", lambda: sample.crowded(paused=True)),
    "history": ("3", sample.idle),
}


@pytest.mark.parametrize(("name", "size"), [*((name, size) for name in SCREENS for size in SIZES), *EDGES])
async def test_screen(name: str, size: tuple[int, int]) -> None:
    key, make = SCREENS[name]
    async with running(make(), size, key) as (_, app, _):
        compare(f"{name}-{size[0]}x{size[1]}", text(app))


async def test_an_empty_screen_says_what_to_press() -> None:
    async with running(sample.idle(0), (80, 24)) as (pilot, app, _):
        for name, key in (("live", "1"), ("queue", "2"), ("history", "3")):
            await pilot.press(key)
            await settle(pilot)
            compare(f"{name}-empty-80x24", text(app))

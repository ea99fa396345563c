"""The screens as text, at the sizes where their layout changes."""

from __future__ import annotations

import pytest

from tests.tui import sample
from tests.tui.support import compare, running, text

SIZES = [(40, 10), (60, 15), (80, 24), (120, 40), (200, 60)]
SCREENS = {"live-busy": ("1", sample.busy), "live-idle": ("1", sample.idle), "queue": ("2", sample.busy), "history": ("3", sample.idle)}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
async def test_screen(name: str, size: tuple[int, int]) -> None:
    key, make = SCREENS[name]
    async with running(make(), size, key) as (_, app, _):
        compare(f"{name}-{size[0]}x{size[1]}", text(app))


@pytest.mark.parametrize(
    ("name", "key"), [("live-empty", "1"), ("queue-empty", "2"), ("history-empty", "3")]
)
async def test_an_empty_screen_says_what_to_press(name: str, key: str) -> None:
    async with running(sample.idle(0), (80, 24), key) as (_, app, _):
        compare(f"{name}-80x24", text(app))

"""Every screen and dialog, resized through all layouts and without colours: nothing is lost, nothing needs a colour."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from comfytui.tui.actions import SCREENS
from comfytui.tui.app import Dashboard
from tests.tui import sample
from tests.tui.screens.serving import serve
from tests.tui.support import running, settle, text, until

STORM = [(200, 60), (60, 15), (40, 10), (20, 5), (47, 12), (64, 18), (1, 1), (120, 40)]
DIALOGS = {
    "help": ("1", "question_mark"),
    "messages": ("1", "ctrl+e"),
    "engine log": ("1", "ctrl+l"),
    "sort": ("3", "o"),
    "clear the queue": ("2", "D"),
    "theme": ("8", "j", "enter"),
    "editor": ("5", "j", "j", "j", "enter"),
    "filter": ("3", "slash"),
}
SLOW = {
    "messages",
    "engine log",
    "sort",
    "clear the queue",
    "theme",
}  # as good as the others; minutes on a slow machine
PLACES = {**{screen.id: (screen.key,) for screen in SCREENS}, **DIALOGS}


async def press(pilot: Pilot[Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def place_of(app: Dashboard) -> tuple[type, Any] | None:
    """What has the keys, and where: a form may be made anew for another width."""
    return None if app.focused is None else (type(app.focused), app.focused.region)


def shown(app: Dashboard) -> list[Strip]:
    """What is sent to the terminal: after every filter."""
    strips = app.screen._compositor.render_strips()
    for each in app.get_line_filters():
        strips = [strip.apply_filter(each, app.screen.background_colors[1]) for strip in strips]
    return strips


@pytest.mark.parametrize("place", [pytest.param(p, marks=[pytest.mark.slow] if p in SLOW else []) for p in PLACES])
async def test_a_storm_of_sizes_loses_nothing_and_without_colours_none_is_needed(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, _ = serve(state=sample.busy())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, PLACES[place])
        await until(pilot, lambda: "Asking what" not in text(app))
        before, focus, screens = text(app), place_of(app), len(app.screen_stack)
        for strip in shown(app):
            for segment in strip:
                style = segment.style
                assert style is None or all(c is None or c.is_default for c in (style.color, style.bgcolor)), segment
        for size in STORM:
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await settle(pilot)
        assert (place_of(app), len(app.screen_stack)) == (focus, screens)
        assert text(app) == before


async def test_what_is_chosen_is_told_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the cursor is reversed, or underlined where the keys go elsewhere; what has the keys has a thick line."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(sample.crowded(), (120, 40), "2") as (pilot, app, _):
        lines = ["".join(s.text for s in strip if s.style and s.style.reverse) for strip in shown(app)]
        assert [line for line in lines if "lighthouse" in line], lines
        thick = text(app)
        assert thick.count("┏") == 1
        assert "╭" in thick
        await pilot.press("tab")
        await settle(pilot)
        under = ["".join(s.text for s in strip if s.style and s.style.underline) for strip in shown(app)]
        assert [line for line in under if "lighthouse" in line]
        assert text(app).count("┏") == 1
        faint = "".join(s.text for strip in shown(app) for s in strip if s.style and s.style.dim)
        bold = "".join(s.text for strip in shown(app) for s in strip if s.style and s.style.bold)
        assert "negative" in faint
        assert "Queue" in bold


@pytest.mark.parametrize("size", [(47, 30), (40, 10), (60, 11), (20, 5)])
async def test_where_nothing_else_fits_the_status_and_the_bar_stay(size: tuple[int, int]) -> None:
    async with running(sample.busy(), size) as (_, app, _):
        lines = [line for line in text(app).split("\n") if line.strip()]
        assert len(lines) == 2, lines
        assert "%" in lines[0]
        assert "KSampler" in lines[1]


async def test_rules_for_small_screens_reach_into_every_view() -> None:
    """Textual scopes a widget's own rules to what is in it, where the classes of the terminal's size never are."""
    async with running(sample.idle(), (60, 15), "3") as (_, app, _):
        view = app.view
        assert view is not None
        assert view.query_one("#history-list").region.width == 60
        for each in app.stage.views:
            assert not each.SCOPED_CSS

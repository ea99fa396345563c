from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from comfytui.tui.app import Dashboard
from comfytui.tui.jump import MOST, labels, targets
from comfytui.tui.screens.jump import JumpScreen, Label
from comfytui.tui.widgets.confirm import Confirm
from comfytui.tui.widgets.pick import Pick
from tests.tui import sample
from tests.tui.support import running, settle, text


@given(st.integers(0, MOST + 10))
def test_no_label_is_the_beginning_of_another(count: int) -> None:
    found = labels(count)
    assert len(found) == len(set(found)) == min(count, MOST)
    singles = {each for each in found if len(each) == 1}
    assert not [each for each in found if len(each) == 2 and each[0] in singles]


def letters(app: Dashboard, x: int, y: int) -> str:
    """The label at a place of the screen."""
    return next(each.letters for each in app.screen.query(Label) if each.region.offset == (x, y))


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 40)])
async def test_a_tab_and_a_row_are_jumped_to(size: tuple[int, int]) -> None:
    async with running(sample.busy(4), size, "2", "ctrl+g") as (pilot, app, _):
        assert isinstance(app.screen, JumpScreen)
        before = text(app)
        third = before.split("\n")[0].index("3") if "3" in before.split("\n")[0] else None
        tabs = [each for each in app.screen.query(Label) if each.region.y == 0]
        assert (len(tabs) >= 6 and third is None) or tabs
        wanted = sorted(tabs, key=lambda each: each.region.x)[2].letters
        await pilot.press(*wanted)
        await settle(pilot)
        assert app.current == "history"
        await pilot.press("2", "ctrl+g")
        await settle(pilot)
        lines = app.view.query("JobTable").first()  # type: ignore[union-attr]
        rows = [each for each in app.screen.query(Label) if lines.region.contains_point(each.region.offset)]
        wanted = sorted(rows, key=lambda each: each.region.y)[2].letters
        await pilot.press(*wanted)
        await settle(pilot)
        assert lines.cursor == 2 and lines.has_focus


async def test_escape_and_a_letter_that_stands_nowhere_change_nothing() -> None:
    async with running(sample.busy(4), (120, 40), "2") as (pilot, app, _):
        before = text(app)
        for keys in (["ctrl+g", "escape"], ["ctrl+g", *("m" if len(targets(app, app.screen)) < 26 else "")]):
            await pilot.press(*keys)
            await settle(pilot)
            if isinstance(app.screen, JumpScreen):
                await pilot.press("escape")
                await settle(pilot)
            assert text(app) == before


@pytest.mark.parametrize("screen", list("12345678"))
async def test_every_screen_has_places_and_keeps_the_rest_of_its_cells(screen: str) -> None:
    async with running(sample.busy(4), (100, 30), screen) as (pilot, app, _):
        before = text(app).split("\n")
        await pilot.press("ctrl+g")
        await settle(pilot)
        marks = list(app.screen.query(Label))
        assert marks
        covered = {(each.region.x + n, each.region.y) for each in marks for n in range(each.region.width)}
        after = text(app).split("\n")
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            for x, (a, b) in enumerate(zip(old.ljust(100), new.ljust(100), strict=False)):
                assert a == b or (x, y) in covered or ord(a) > 0x2FFF, (x, y, old, new)


async def test_in_a_dialog_only_the_dialog_is_jumped_in_also_while_one_types() -> None:
    answers: list[object] = []
    async with running(sample.idle(), (80, 24)) as (pilot, app, _):
        app.push_screen(Confirm("Clear?", "clear it", "keep them"), answers.append)
        await settle(pilot)
        await pilot.press("ctrl+g")
        await settle(pilot)
        assert len(app.screen.query(Label)) == 2
        await pilot.press("a")
        await settle(pilot)
        assert answers == [True]
        app.push_screen(Pick("which", ["one", "two", "three"]), answers.append)
        await settle(pilot)
        assert isinstance(app.focused, Input)
        await pilot.press("ctrl+g")
        await settle(pilot)
        rows = sorted(app.screen.query(Label), key=lambda each: each.region.y)
        await pilot.press(*rows[-1].letters)
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert answers[1:] == [2]


@pytest.mark.parametrize("theme", ["dark", "light", "contrast", "terminal"])
async def test_the_letters_can_be_read(theme: str) -> None:
    async with running(sample.busy(4), (80, 24), "2", "ctrl+g", theme=theme) as (_, app, _):
        label = next(iter(app.screen.query(Label)))
        segment = next(segment for segment in label.render_line(0) if segment.text.strip())
        assert segment.style is not None and segment.style.bold
        assert segment.style.reverse or segment.style.color != segment.style.bgcolor

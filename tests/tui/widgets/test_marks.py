"""Marking lines of a list for an action on several."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.tui.widgets.job_table import JobTable
from comfytui.tui.widgets.line_list import MARK
from tests.tui import sample
from tests.tui.support import running, settle, text


async def test_space_marks_and_goes_on_and_the_screen_acts_on_the_marked() -> None:
    state = sample.busy()
    async with running(state, (120, 40), "2", "space", "space") as (pilot, app, _):
        table = app.default_screen.query_one(JobTable)
        assert text(app).count(MARK) == 2
        assert table.marked == set(table.keys[:2])
        assert [job.id for job in app.view.marked] == list(table.keys[:2])  # type: ignore[union-attr]
        await pilot.press("k", "space")
        await settle(pilot)
        assert text(app).count(MARK) == 1


async def test_a_job_that_leaves_the_list_is_not_marked_any_more() -> None:
    state = sample.busy()
    async with running(state, (120, 40), "2", "ctrl+a") as (pilot, app, connection):
        table = app.default_screen.query_one(JobTable)
        assert table.marked == set(table.keys)
        connection.become(replace(state, waiting=state.waiting[1:]))
        await settle(pilot)
        assert table.marked == set(table.keys)
        assert state.waiting[0] not in table.marked


async def test_without_marks_the_selected_job_is_meant() -> None:
    async with running(sample.busy(), (120, 40), "2") as (_, app, _):
        assert [job.id for job in app.view.marked] == [app.view.job.id]  # type: ignore[union-attr]

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from comfytui.state.model import Link, Phase
from comfytui.tui.widgets.job_table import QUEUE, JobTable, fitted
from tests.tui import sample
from tests.tui.support import running, settle, text


async def test_the_cursor_stays_on_its_job_when_others_come_and_go() -> None:
    async with running(sample.busy(4), (120, 40), "2", "j", "j") as (pilot, app, connection):
        table = app.default_screen.query_one(JobTable)
        kept = connection.state.waiting[1]
        assert table.key == kept
        connection.become(replace(connection.state, waiting=connection.state.waiting[1:]))
        await settle(pilot)
        assert table.key == kept
        connection.become(replace(connection.state, waiting=()))
        await settle(pilot)
        assert table.key == connection.state.running[0]


async def test_only_the_line_that_differs_is_drawn_again() -> None:
    async with running(sample.busy(4), (120, 40), "2") as (pilot, app, connection):
        table = app.default_screen.query_one(JobTable)
        drawn: list[str] = []
        table.refresh_key = drawn.append  # type: ignore[method-assign]
        run = connection.state.run
        assert run is not None
        job = connection.state.jobs[run.prompt_id]
        nodes = tuple(replace(n, value=29) if n.id == "3" else n for n in job.nodes)
        connection.become(replace(connection.state, jobs={**connection.state.jobs, job.id: replace(job, nodes=nodes)}))
        await settle(pilot)
        assert drawn == [job.id]


async def test_moving_asks_for_the_place() -> None:
    async with running(sample.busy(4), (120, 40), "2", "j", "j", "J", "K", "f") as (_, _, connection):
        second = connection.state.waiting[1]
        moves = [asked for asked in connection.asked if asked[0] == "move"]
        assert moves == [("move", second, 2), ("move", second, 0), ("move", second, 0)]


async def test_x_cancels_what_waits_and_interrupts_what_runs() -> None:
    async with running(sample.busy(4), (120, 40), "2", "x", "j", "x") as (_, _, connection):
        state = connection.state
        assert ("interrupt", state.running[0]) in connection.asked
        assert ("cancel", [state.waiting[0]]) in connection.asked


async def test_clearing_asks_and_names_server_count_and_other_people() -> None:
    async with running(sample.busy(4), (120, 40), "2") as (pilot, app, connection):
        await pilot.press("D")
        await settle(pilot)
        shown = text(app)
        assert "all 4 waiting jobs" in shown
        assert "gpu-box-2:8188" in shown
        assert "2 of them are other people's" in shown
        await pilot.press("escape")
        await settle(pilot)
        assert not any(asked[0] == "clear_queue" for asked in connection.asked)
        await pilot.press("D")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        assert ("clear_queue",) in connection.asked


async def test_a_job_is_saved_as_a_workflow_file(tmp_path: Path) -> None:
    async with running(sample.busy(), (120, 40), "2", output_dir=str(tmp_path)) as (pilot, app, connection):
        await pilot.press("s")
        await settle(pilot)
        assert str(tmp_path)[:20] in text(app)
        await pilot.press("enter")
        await settle(pilot)
        (saved,) = tmp_path.glob("*.json")
        assert json.loads(saved.read_text()) == dict(connection.state.jobs[connection.state.running[0]].graph)


def test_narrow_tables_drop_columns_and_never_the_prompt() -> None:
    for width in range(10, 200):
        columns = fitted(QUEUE, width)
        assert {"state", "prompt"} <= {column.name for column, _ in columns}
        if width >= 40:
            assert 1 + sum(cells for _, cells in columns) + 2 * (len(columns) - 1) <= width
    assert len(fitted(QUEUE, 140)) == len(QUEUE)


async def test_the_queue_is_filtered_and_a_wrong_key_of_the_filter_is_named() -> None:
    async with running(sample.busy(4), (120, 40), "2", "slash", *"flux_inpaint") as (pilot, app, _):
        assert "1 match" in text(app) and "flux_inpaint" in text(app)
        assert "sdxl" not in "\n".join(text(app).split("\n")[:8])
        await pilot.press("space", *"modle", "colon", "x")
        await settle(pilot)
        assert "Did you mean model" in text(app)
        assert "No job of the queue matches" in text(app)
        await pilot.press("enter", "escape")
        await settle(pilot)
        assert "match" not in text(app)
        assert isinstance(app.focused, JobTable)


async def test_a_server_that_refuses_us_is_not_called_idle() -> None:
    link = Link("http://gpu-box-2:8188", Phase.REFUSED, sample.NOW, error="gpu-box-2:8188 wants a token (401).")
    async with running(replace(sample.idle(0), link=link), (80, 24), "2") as (_, app, _):
        assert "wants a token" in text(app)
        assert "Nothing runs" not in text(app)


async def test_no_column_touches_the_edge_of_a_screen_without_borders() -> None:
    async with running(sample.crowded(), (60, 15), "2") as (_, app, _):
        table = app.default_screen.query_one(JobTable)
        lines = text(app).split("\n")[table.region.y : table.region.bottom]
        assert max(map(len, lines)) == 59

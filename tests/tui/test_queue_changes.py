"""What the keys of Queue do to one job or to several: asked where it takes much away, and never twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from textual.pilot import Pilot

from comfytui.client.errors import Missing
from comfytui.tui.app import Dashboard
from comfytui.tui.widgets.job_table import JobTable
from comfytui.tui.widgets.text_lines import TextLines
from tests.tui import sample
from tests.tui.support import line, running, settle, text


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def asked(connection: sample.StubConnection, *names: str) -> list[tuple[Any, ...]]:
    return [each for each in connection.asked if each[0] in names]


def told(app: Dashboard) -> str:
    return " | ".join(each.text for each in app.messages.told)


def rows(app: Dashboard) -> JobTable:
    found: JobTable = app.default_screen.query_one(JobTable)
    return found


CHANGES = ("cancel", "interrupt", "forget", "hold", "release", "send_again", "move", "pause", "resume", "submit")


async def test_several_are_cancelled_with_one_question_that_names_server_count_and_kinds() -> None:
    async with running(sample.crowded(), (120, 40), "2", "ctrl+a", "x") as (pilot, app, connection):
        state = connection.state
        shown = text(app)
        assert "Cancel 9 jobs of gpu-box-2:8188?" in shown
        for part in ("1 runs and will be interrupted", "2 are held here", "2 are lost", "2 are not ours"):
            assert part in " ".join(shown.replace("│", " ").split())
        await press(pilot, "n")
        assert asked(connection, *CHANGES) == []
        assert rows(app).marked  # nothing was done, so the marks stay
        await press(pilot, "x", "y")
        assert asked(connection, *CHANGES) == [
            ("cancel", [*state.waiting, *state.held]),
            ("interrupt", state.running[0]),
            ("forget", list(state.history[:2])),
        ]
        assert not rows(app).marked


async def test_one_lost_job_is_forgotten_or_sent_again_and_all_of_them_with_one_key() -> None:
    async with running(sample.crowded(), (120, 40), "2", "x", "r") as (pilot, app, connection):
        first, second = connection.state.history[:2]
        assert asked(connection, *CHANGES) == [("forget", [first]), ("send_again", [first])]
        connection.asked.clear()
        assert "forget" in line(app, "footer")
        await press(pilot, "u")
        assert "Send 2 jobs to gpu-box-2:8188 again?" in text(app)
        await press(pilot, "y")
        assert asked(connection, *CHANGES) == [("send_again", [first, second])]


async def test_only_marked_lost_jobs_are_sent_again() -> None:
    async with running(sample.crowded(), (120, 40), "2", "j", "space", "u") as (_, _, connection):
        assert asked(connection, *CHANGES) == [("send_again", [connection.state.history[1]])]


async def test_a_lost_job_is_named_by_its_prompt_and_never_taken_for_done() -> None:
    async with running(sample.crowded(held=0), (120, 40), "2") as (_, app, _):
        shown = text(app)
        assert "? lost" in shown
        assert "u sends all lost jobs again, r this one; x forgets it" in shown
        assert "2 lost" in shown


async def test_p_holds_what_waits_and_releases_what_is_held() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "j", "p") as (pilot, app, connection):
        assert asked(connection, *CHANGES) == [("hold", [state.waiting[0]])]
        assert "also when this program ends" in told(app)
        connection.asked.clear()
        await press(pilot, "G")
        assert "release" in line(app, "footer")
        assert "not in the server's queue; it stays here when this program ends. p releases it" in text(app)
        await press(pilot, "p")
        assert asked(connection, *CHANGES) == [("release", [state.held[1]])]


async def test_holding_other_peoples_jobs_is_asked_about() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "j", "space", "space", "p") as (pilot, app, connection):
        assert "2 jobs out of the queue of gpu-box-2:8188" in " ".join(text(app).split())
        assert "1 of 2 not ours" in text(app)
        await press(pilot, "escape")
        assert asked(connection, *CHANGES) == []
        await press(pilot, "p", "y")
        assert asked(connection, *CHANGES) == [("hold", list(state.waiting[:2]))]


async def test_a_paused_queue_is_said_in_the_title_and_in_the_status_line_of_every_screen() -> None:
    async with running(sample.crowded(held=0), (120, 40), "2", "P") as (pilot, app, connection):
        assert asked(connection, *CHANGES) == [("pause",)]
        assert "2 jobs of others go on" in told(app)
        app.messages.hide()
        connection.become(sample.crowded(held=3, paused=True))
        await settle(pilot)
        assert "Queue · paused" in text(app)
        assert "go on" in line(app, "footer")
        for key in "1234":
            await press(pilot, key)
            assert "queue paused · 3 held here" in line(app, "status")
        connection.asked.clear()
        await press(pilot, "2", "P")
        assert asked(connection, *CHANGES) == [("resume",)]


async def test_what_is_run_again_while_paused_is_said_to_be_held() -> None:
    async with running(sample.crowded(lost=0, paused=True), (120, 40), "2", "r") as (_, app, _):
        assert "held here, for the queue is paused" in told(app)


async def test_d_queues_a_copy_right_behind_and_holds_the_copy_of_what_is_held() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "j", "d", "G", "d") as (_, _, connection):
        behind, held = asked(connection, "submit")
        first, second = (state.jobs[key] for key in state.waiting[:2])
        assert behind[1] == dict(first.graph)
        assert first.number < behind[2]["number"] < second.number
        assert behind[2]["hold"] is None
        assert held[2]["hold"] is True


async def test_marked_jobs_go_to_the_front_in_their_order() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "j", "j", "space", "space", "f") as (_, app, connection):
        assert asked(connection, *CHANGES) == [("move", state.waiting[1], 0), ("move", state.waiting[2], 1)]
        assert not rows(app).marked


async def test_held_jobs_are_moved_among_themselves_and_released_to_the_front() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "G", "K", "J", "f") as (_, _, connection):
        held = state.held[1]
        assert asked(connection, *CHANGES) == [("move", held, 0), ("release", [held], {"front": True})]


async def test_esc_clears_the_marks_first_then_the_details() -> None:
    async with running(sample.crowded(), (80, 24), "2", "space", "enter") as (pilot, app, _):
        assert "1 marked" in text(app)
        await press(pilot, "escape")
        assert not rows(app).marked
        assert "marked" not in text(app)
        assert app.current == "queue"
        await press(pilot, "escape")
        assert app.current == "queue"
        await press(pilot, "escape")
        assert app.current == "live"


async def test_marks_stay_when_the_server_refuses() -> None:
    async with running(sample.crowded(), (120, 40), "2", "j", "j", "j", "space") as (pilot, app, connection):
        connection.fails = Missing("None of these jobs waits any more.")
        await press(pilot, "p")
        assert rows(app).marked
        assert "None of these jobs waits any more." in text(app)


async def test_the_screen_says_that_the_queue_is_changed_from_this_side() -> None:
    async with running(sample.crowded(lost=0), (120, 40), "2", "j") as (_, app, _):
        assert "ComfyUI has no call for moving, holding or pausing" in text(app)


async def test_clearing_says_that_held_jobs_stay() -> None:
    async with running(sample.crowded(), (120, 40), "2", "D") as (_, app, _):
        assert "The 2 held here stay." in text(app)


async def test_lost_jobs_can_be_forgotten_while_read_only_for_that_is_this_side() -> None:
    async with running(replace(sample.crowded(), read_only=True), (120, 40), "2", "x", "p", "u") as (_, _, connection):
        assert asked(connection, *CHANGES) == [("forget", [connection.state.history[0]])]


async def test_a_short_terminal_shows_the_list_and_the_details_on_enter() -> None:
    async with running(sample.crowded(), (60, 15), "2") as (pilot, app, _):
        assert rows(app).size.height >= 10
        await press(pilot, "enter")
        assert app.default_screen.query_one("#view-queue TextLines", TextLines).region.height >= 10
        await press(pilot, "escape")
        assert rows(app).has_focus


async def test_marked_jobs_run_again_in_their_order_and_with_seeds_of_their_own() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "j", "space", "space", "r") as (pilot, app, connection):
        wanted = [dict(state.jobs[key].graph) for key in state.waiting[:2]]
        assert [each[1] for each in asked(connection, "submit")] == wanted
        assert "2 queued again" in told(app)
        assert not rows(app).marked  # they have served
        connection.asked.clear()
        await press(pilot, "g", "j", "space", "space", "R")
        seeds = [each[1]["3"]["inputs"]["seed"] for each in asked(connection, "submit")]
        assert len(set(seeds)) == 2 and not {graph["3"]["inputs"]["seed"] for graph in wanted} & set(seeds)


async def test_many_marked_run_again_only_if_it_is_meant_and_lost_ones_under_their_ids() -> None:
    async with running(sample.crowded(), (120, 40), "2", "ctrl+a", "r") as (pilot, app, connection):
        assert "Queue 7 jobs on gpu-box-2:8188?" in text(app)
        await press(pilot, "escape")
        assert asked(connection, *CHANGES) == []
        assert rows(app).marked
        await press(pilot, "r", "y")
        assert "Send 2 jobs to gpu-box-2:8188 again?" in text(app)
        await press(pilot, "y")
        assert len(asked(connection, "submit")) == 7
        assert asked(connection, "send_again") == [("send_again", list(connection.state.history[:2]))]
        assert not rows(app).marked


async def test_one_that_cannot_run_again_keeps_no_other_from_it() -> None:
    state = sample.crowded(lost=0)
    async with running(state, (120, 40), "2", "j", "space", "space", "space") as (pilot, app, connection):
        graph = connection.raw_graph
        connection.raw_graph = lambda prompt_id: {} if prompt_id == state.waiting[1] else graph(prompt_id)  # type: ignore[method-assign]
        await press(pilot, "r")
        assert len(asked(connection, "submit")) == 2
        assert "2 of 3 queued again; the others not:" in (app.last_error or "")
        assert rows(app).marked


async def test_marked_jobs_are_saved_each_in_a_file_of_its_own(tmp_path: Path) -> None:
    state = sample.crowded(lost=0)
    keys = ("2", "j", "space", "space", "s")
    async with running(state, (120, 40), *keys, output_dir=str(tmp_path)) as (pilot, app, _):
        assert "Save the workflows of 2 jobs to which folder?" in text(app)
        await press(pilot, "enter")
        saved = sorted(tmp_path.glob("*.json"))
        graphs = [json.loads(path.read_text()) for path in saved]
        assert len(saved) == 2
        assert all(dict(state.jobs[key].graph) in graphs for key in state.waiting[:2])
        assert "and 1 more" in told(app)
        await press(pilot, "g", "j", "s", "enter")  # one of them once more: no file is replaced
        assert len(list(tmp_path.glob("*.json"))) == 3

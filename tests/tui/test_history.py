from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from comfytui.client.errors import Missing
from comfytui.state.model import Link, Phase
from comfytui.tui.screens.history import HistoryView
from comfytui.tui.widgets.gallery import Gallery
from comfytui.tui.widgets.picture import Picture
from tests.tui import sample
from tests.tui.support import running, settle, text, until


async def test_thumbnails_move_in_two_directions() -> None:
    async with running(sample.idle(), (120, 40), "3") as (pilot, app, _):
        gallery = app.default_screen.query_one(Gallery)
        await pilot.press("right")
        assert gallery.cursor == 1
        await pilot.press("down")
        assert gallery.cursor == 1 + gallery.across
        await pilot.press("up", "h")
        assert gallery.cursor == 0
        await pilot.press("G")
        assert gallery.cursor == 13


async def test_the_picture_of_the_selected_job_is_shown() -> None:
    async with running(sample.idle(), (120, 40), "3", "right") as (_, app, _):
        picture = app.default_screen.query_one("#history-picture", Picture)
        assert picture.key == sample.finished(2).outputs[0]
        assert "8402" in text(app)


async def test_the_full_picture_moves_on_with_the_same_keys() -> None:
    async with running(sample.idle(), (80, 24), "3", "enter", "right") as (pilot, app, _):
        picture = app.default_screen.query_one("#history-picture", Picture)
        assert picture.key == sample.finished(2).outputs[0]
        assert picture.size.width > 70
        await pilot.press("escape")
        await settle(pilot)
        assert not app.default_screen.query_one("#history-side").display


async def test_the_filter_narrows_and_escape_clears_it() -> None:
    async with running(sample.idle(), (120, 40), "3", "slash", *"8411") as (pilot, app, _):
        gallery = app.default_screen.query_one(Gallery)
        assert gallery.keys == (sample.finished(11).id,)
        await pilot.press("enter")
        assert gallery.has_focus
        await pilot.press("escape")
        await settle(pilot)
        assert len(gallery.keys) == 14


async def test_a_filter_without_a_match_says_so() -> None:
    async with running(sample.idle(), (120, 40), "3", "slash", *"zebra") as (_, app, _):
        assert "Nothing matches 'zebra'" in text(app)


async def test_pictures_are_saved_and_never_over_others(tmp_path: Path) -> None:
    async with running(sample.idle(), (120, 40), "3", output_dir=str(tmp_path / "saved")) as (pilot, _, _):
        for _ in range(2):
            await pilot.press("s")
            await settle(pilot)
            await pilot.press("enter")
            await settle(pilot)
        assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
            "portrait_v4_00001_-1.png",
            "portrait_v4_00001_.png",
        ]


async def test_a_hostile_name_stays_in_the_folder(tmp_path: Path) -> None:
    state = sample.idle(1)
    job = sample.finished(1)
    bad = replace(job, outputs=(replace(job.outputs[0], filename="../../.ssh/authorized_keys"),))
    folder = tmp_path / "in" / "here"
    async with running(replace(state, jobs={job.id: bad}), (120, 40), "3", output_dir=str(folder)) as (pilot, _, _):
        await pilot.press("s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
    assert [path.name for path in folder.iterdir()] == ["authorized_keys"]
    assert not (tmp_path / ".ssh").exists()


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    async with running(sample.idle(), (120, 40), "3", output_dir=str(blocked / "sub")) as (pilot, app, _):
        await pilot.press("s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert app.last_error is not None
        assert "Not a directory" in app.last_error


async def test_deleting_asks_and_says_that_files_stay() -> None:
    async with running(sample.idle(), (120, 40), "3", "x") as (pilot, app, connection):
        assert "files stay" in text(app)
        await pilot.press("y")
        await settle(pilot)
        assert ("delete_history", [sample.finished(1).id]) in connection.asked


async def test_an_absent_picture_says_why_in_its_place() -> None:
    app_state = sample.idle(1)
    async with running(app_state, (120, 40)) as (pilot, app, connection):

        async def gone(*_: object, **__: object) -> bytes:
            raise Missing("The file is not there any more.")

        connection.fetch = gone  # type: ignore[method-assign, assignment]
        app._pictures = None  # nothing fetched yet
        await pilot.press("3")
        await settle(pilot)
        assert "The file is not there any more." in text(app)


async def test_the_traceback_of_a_failed_job_is_one_key_away() -> None:
    async with running(sample.idle(5), (120, 40), "3", "G") as (pilot, app, _):
        assert "out of memory" in text(app)
        assert "nodes.py" not in text(app)
        await pilot.press("t")
        await settle(pilot)
        assert "nodes.py" in text(app)


async def test_the_next_page_is_loaded_near_the_end() -> None:
    state = replace(sample.idle(), history_complete=False)
    async with running(state, (120, 40), "3", "G") as (_, _, connection):
        assert ("load_history",) in connection.asked


async def test_lines_and_thumbnails_share_the_cursor() -> None:
    async with running(sample.idle(), (120, 40), "3", "right", "v") as (_, app, _):
        view = app.view
        assert isinstance(view, HistoryView)
        assert view.job is not None
        assert view.job.id == sample.finished(2).id


async def test_a_job_can_be_edited_before_it_runs_again() -> None:
    async with running(sample.idle(2), (120, 40), "3") as (pilot, app, _):
        await pilot.press("e")
        await until(pilot, lambda: app.current == "workflows" and "what changes" in text(app), "the editor")
        assert "8401" in text(app)


async def test_without_the_server_it_says_how_to_get_there_with_the_users_keys() -> None:
    link = Link("http://gpu-box-2:8188", Phase.REFUSED, sample.NOW, error="gpu-box-2:8188 wants a token.")
    state = replace(sample.idle(0), link=link, history_loaded=False)
    async with running(state, (120, 40), "3", keys={"app.retry": "f9"}) as (_, app, _):
        shown = text(app)
        assert "wants a token" in shown and "comfytui --local" in shown
        assert "f9        connects again" in shown


async def test_while_there_is_nothing_no_empty_panes_lie_beside_it() -> None:
    async with running(sample.idle(0), (120, 40), "3") as (pilot, app, connection):
        side = app.default_screen.query_one("#history-side")
        assert not side.region.area and "Nothing has been made" in text(app)
        connection.become(sample.idle(2))
        await settle(pilot)
        assert side.region.area

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from comfytui.settings.memory import recall
from comfytui.state.model import EMPTY, Mark, Output
from comfytui.tui.screens.history import HistoryView
from comfytui.tui.screens.history_compare import CompareScreen
from comfytui.tui.widgets.picture import Picture
from tests.tui import sample
from tests.tui.support import running, settle, text, until


async def test_stars_and_notes_of_what_is_marked() -> None:
    async with running(sample.idle(5), (120, 40), "3", "space", "space", "asterisk", "m") as (pilot, app, connection):
        ids = [sample.finished(n).id for n in (1, 2)]
        assert [("star", key, True) for key in ids] == [a for a in connection.asked if a[0] == "star"]
        await pilot.press(*"good", "enter")
        await settle(pilot)
        assert [("note", key, "good") for key in ids] == [a for a in connection.asked if a[0] == "note"]
        connection.become(replace(connection.state, marks={ids[0]: Mark(True, "the best")}))
        await settle(pilot)
        assert "★ “the best”" in text(app)
        await pilot.press("v")
        await settle(pilot)
        assert "“the best”" in text(app)


async def test_deleting_the_marked_names_server_and_count() -> None:
    async with running(sample.idle(5), (120, 40), "3", "space", "space", "x") as (pilot, app, connection):
        assert "Delete 2 jobs from the history of gpu-box-2:8188" in text(app)
        await pilot.press("y")
        await settle(pilot)
        assert ("delete_history", [sample.finished(1).id, sample.finished(2).id]) in connection.asked


async def test_the_marked_run_again_the_oldest_first() -> None:
    async with running(sample.idle(5), (120, 40), "3", "space", "space", "r") as (_, _, connection):
        sent = [asked[1]["3"]["inputs"]["seed"] for asked in connection.asked if asked[0] == "submit"]
        assert sent == [8402, 8401]


async def test_the_files_of_the_marked_are_saved(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    async with running(sample.idle(5), (120, 40), "3", "space", "space", "s", output_dir=str(folder)) as (pilot, _, _):
        await pilot.press("enter")
        await settle(pilot)
        assert len(list(folder.iterdir())) == 2


async def test_two_are_compared_by_what_differs() -> None:
    for size in ((120, 40), (80, 24), (60, 15)):
        async with running(sample.idle(5), size, "3", "space", "space") as (pilot, app, _):
            await pilot.press("c")
            await until(pilot, lambda: isinstance(app.screen, CompareScreen), "the comparison")
            await until(pilot, lambda: "8402" in text(app), "the differing seed")
            keys = [app.screen.query_one(f"#compare-{side}", Picture).key for side in ("left", "right")]
            assert keys == [sample.finished(n).outputs[0] for n in (1, 2)]
            assert "steps" not in text(app)
            await pilot.press("escape")
            assert not isinstance(app.screen, CompareScreen)


async def test_every_output_is_listed_with_its_size_and_can_be_saved(tmp_path: Path) -> None:
    state = sample.idle(1)
    job = sample.finished(1)
    more = (Output("11", "video", "clip.mp4", "out"), Output("12", "text", text="a caption"))
    state = replace(state, jobs={job.id: replace(job, outputs=(*job.outputs, *more))})
    async with running(state, (80, 24), "3", output_dir=str(tmp_path)) as (pilot, app, connection):

        async def size(_: Output) -> int:
            return 3_400_000

        connection.size = size  # type: ignore[attr-defined]
        await pilot.press("u")
        await until(pilot, lambda: "3.4 MB" in text(app), "a size")
        assert "out/clip.mp4" in text(app)
        await pilot.press("down", "down")
        await until(pilot, lambda: text(app).count("a caption") == 2, "the text in full")
        await pilot.press("s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert (tmp_path / "text_12.txt").read_text() == "a caption"


async def test_what_cannot_be_shown_says_its_kind_and_size() -> None:
    state = sample.idle(1)
    job = sample.finished(1)
    state = replace(state, jobs={job.id: replace(job, outputs=(Output("11", "latents", "a.latent"),))})
    async with running(state, (120, 40)) as (pilot, app, connection):

        async def size(_: Output) -> int:
            return 65_536

        connection.size = size  # type: ignore[attr-defined]
        await pilot.press("3")
        await until(pilot, lambda: "latents, 65.5 kB" in text(app), "kind and size")


async def test_details_tell_every_input_and_the_time_of_each_node() -> None:
    async with running(sample.idle(1), (80, 24), "3", "d", "G") as (pilot, app, _):
        assert "filename_prefix portrait" in text(app)
        assert "9.0s" in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.view, HistoryView)
        assert app.view.lines.has_focus


async def test_the_graph_of_an_older_job_is_asked_for() -> None:
    state = sample.idle(1)
    job = sample.finished(1)
    state = replace(state, jobs={job.id: replace(job, graph=EMPTY)})
    async with running(state, (120, 40), "3") as (pilot, _, connection):
        await until(pilot, lambda: ("load_job", job.id) in connection.asked, "loading the job")


async def test_filter_and_order_are_remembered() -> None:
    async with running(sample.idle(5), (120, 40), "3", "o", "slash", *"seed:8402", "enter") as (_, app, _):
        assert "by workflow" in text(app)
    assert (recall().history_filter, recall().history_order) == ("seed:8402", "by workflow")
    async with running(sample.idle(5), (120, 40), "3") as (pilot, app, _):
        assert isinstance(app.view, HistoryView)
        assert app.view.lines.keys == (sample.finished(2).id,)
        await pilot.press("escape")
        await settle(pilot)
        assert len(app.view.lines.keys) == 5


async def test_a_filter_that_is_not_understood_says_why_under_the_input() -> None:
    async with running(sample.idle(5), (80, 24), "3", "slash") as (pilot, app, _):
        assert "status" in text(app)
        await pilot.press(*"sampl:x")
        await settle(pilot)
        assert "Did you mean sampler:" in text(app)


async def test_parameters_are_copied_as_other_tools_read_them() -> None:
    async with running(sample.idle(2), (120, 40), "3", "y") as (pilot, app, _):
        assert "Negative prompt: blurry" in app.clipboard
        await pilot.press("Y")
        await settle(pilot)
        assert "seed: 8401" in app.clipboard


async def test_the_list_of_what_a_job_made_is_filtered() -> None:
    state = sample.idle()
    job = state.jobs[state.history[0]]
    more = [Output("9", "images", f"cat_{n}.png") for n in range(3)] + [Output("9", "audio", "meow.flac")]
    state = replace(state, jobs={**state.jobs, job.id: replace(job, outputs=tuple(more))})
    async with running(state, (100, 30), "3", "u", "slash", *"audio", "enter") as (pilot, app, _):
        assert "meow.flac" in text(app) and "cat_1.png" not in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "cat_1.png" in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert len(app.screen_stack) == 1

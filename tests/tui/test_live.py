from __future__ import annotations

from msgspec.structs import replace

from comfytui.state.model import Failure, Job, JobState, NodeRun, Preview, TimelineEntry
from comfytui.tui.widgets.node_list import NodeList
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.timeline import words
from tests.tui import sample
from tests.tui.support import running, settle, text


async def test_a_preview_is_shown_and_the_next_replaces_it() -> None:
    async with running(sample.busy()) as (pilot, app, connection):
        picture = app.default_screen.query_one(Picture)
        first = text(app)
        preview = connection.state.preview
        assert preview is not None
        newer = Preview(preview.prompt_id, "3", "image/png", sample.picture("#3080c0", 8), 15)
        connection.become(replace(connection.state, preview=newer))
        await settle(pilot)
        assert picture.key == ("preview", preview.prompt_id, 15)
        assert text(app) != first


async def test_a_preview_of_another_job_is_not_shown() -> None:
    state = sample.busy()
    other = Preview("somebody else's", "3", "image/png", sample.picture(), 1)
    async with running(replace(state, preview=other)) as (_, app, _):
        assert app.default_screen.query_one(Picture).key is None


async def test_when_a_job_ends_its_picture_is_fetched() -> None:
    async with running(sample.idle()) as (_, app, _):
        assert app.default_screen.query_one(Picture).key == ("result", sample.finished(1).outputs[0])
        assert "last job" in text(app)


async def test_a_failed_job_says_why() -> None:
    state = sample.idle(1)
    job = replace(sample.finished(1), state=JobState.FAILED, outputs=(), failure=Failure("CUDA out of memory"))
    async with running(replace(state, jobs={job.id: job})) as (_, app, _):
        assert "CUDA out of memory" in text(app)


async def test_the_cursor_goes_along_with_the_running_node_until_it_is_moved() -> None:
    async with running(sample.busy()) as (pilot, app, connection):
        nodes = app.default_screen.query_one(NodeList)
        assert nodes.key == "3"
        await pilot.press("g")
        job = connection.state.jobs[connection.state.running[0]]
        later = replace(job, nodes=(*sample.nodes(False)[:5], replace(job.nodes[5], state="running"), job.nodes[6]))
        connection.become(replace(connection.state, jobs={**connection.state.jobs, job.id: later}))
        await settle(pilot)
        assert nodes.key == "4"


async def test_r_runs_again_and_shift_r_with_another_seed() -> None:
    async with running(sample.idle(), (120, 40), "r", "R") as (_, _app, connection):
        submitted = [asked for asked in connection.asked if asked[0] == "submit"]
        assert [asked[1]["3"]["inputs"]["seed"] == 8401 for asked in submitted] == [True, False]
        assert submitted[0][-1]["name"] == "portrait_v4"


async def test_i_interrupts_what_runs() -> None:
    async with running(sample.busy(), (120, 40), "i") as (_, _, connection):
        assert ("interrupt", connection.state.running[0]) in connection.asked


async def test_i_asks_first_where_the_settings_say_so() -> None:
    from comfytui.settings.schema import Confirm

    async with running(sample.busy(), confirm=Confirm(interrupt=True)) as (pilot, app, connection):
        await pilot.press("i")
        await settle(pilot)
        assert "Interrupt the job that runs?" in text(app)
        await pilot.press("n")
        await settle(pilot)
        assert not any(asked[0] == "interrupt" for asked in connection.asked)


async def test_escape_leaves_the_full_picture() -> None:
    async with running(sample.busy(), (120, 40), "f") as (pilot, app, _):
        assert "CheckpointLoaderSimple" not in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "CheckpointLoaderSimple" in text(app)


async def test_a_job_of_the_history_shows_its_nodes_although_nobody_watched_it() -> None:
    job = replace(sample.finished(1), nodes=())
    async with running(replace(sample.idle(1), jobs={job.id: job})) as (_, app, connection):
        assert "CheckpointLoaderSimple" in text(app)
        assert not any(name == "load_job" for name, *_ in connection.asked)


async def test_a_graph_that_the_list_lacks_is_asked_for_once() -> None:
    job = replace(sample.finished(1), nodes=(), graph={})
    state = replace(sample.idle(1), jobs={job.id: job})
    async with running(state) as (pilot, app, connection):
        connection.become(replace(state, version=1))
        await settle(pilot)
        assert [asked for asked in connection.asked if asked[0] == "load_job"] == [("load_job", job.id)]
        connection.become(replace(state, jobs={job.id: replace(sample.finished(1), nodes=())}))
        await settle(pilot)
        assert "CheckpointLoaderSimple" in text(app)


def test_the_timeline_speaks_in_words() -> None:
    job = replace(
        sample.finished(1), nodes=(NodeRun("3", "KSampler", "Sampler"), NodeRun("4", "VAEDecode", "VAEDecode"))
    )

    def said(kind: str, told: str, of: Job | None = job) -> str:
        return words(TimelineEntry(sample.NOW, kind, told, job.id), of).strip()

    assert said("started", job.id[:8]) == "started portrait_v4"
    assert said("node", "3") == said("node", "Sampler") == "Sampler · KSampler"
    assert said("node", "4") == "VAEDecode"
    assert said("done", job.id[:8]) == "done in 0:21"
    failed = replace(job, state=JobState.FAILED, failure=Failure("out of\nmemory"))
    assert said("failed", "x", failed) == "failed: out of memory"
    unnamed = replace(job, facts=replace(job.facts, name=""))
    assert said("started", "x", unnamed).startswith("started a lighthouse keeper")
    assert said("started", "portrait_v4", None) == "started portrait_v4"


async def test_the_bar_stays_on_its_line_at_every_width() -> None:
    async with running(sample.busy(), (120, 40)) as (pilot, app, _):
        for width, height in ((80, 24), (120, 40), (64, 24), (63, 30), (200, 60), (100, 40)):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            assert text(app).count("49%") == 1, (width, text(app))
            assert "0:15 elapsed" in text(app), (width, text(app))

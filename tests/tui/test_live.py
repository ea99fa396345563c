from __future__ import annotations

from msgspec.structs import replace

from comfytui.state import times
from comfytui.state.model import (
    Failure,
    Gap,
    Gpu,
    Job,
    JobState,
    NodeRun,
    NodeState,
    Phase,
    Preview,
    Run,
    Sample,
    ServerState,
    TimelineEntry,
    Timing,
)
from comfytui.tui.job_nodes import left_out, with_nodes
from comfytui.tui.widgets.node_list import NodeList
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.timeline import entries, words
from tests.tui import sample
from tests.tui.support import line, running, settle, text


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
        assert "Interrupt portrait_v4, which runs on" in text(app)
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


def learned(state: ServerState, **seconds: float) -> ServerState:
    """The state in which the running job's workflow took this long by node the last time."""
    job = replace(state.jobs[state.running[0]], shape="a workflow")
    nodes = {key.removeprefix("n"): value for key, value in seconds.items()}
    timing = Timing(nodes, sum(nodes.values()), None, "", sample.NOW)
    return replace(state, jobs={**state.jobs, job.id: job}, timings={"a workflow": timing})


async def test_nodes_say_what_they_took_last_time_and_the_job_what_is_left_and_who_says_so() -> None:
    state = learned(sample.busy(), n4=4.0, n6=0.1, n7=0.1, n5=0.1, n3=10.0, n8=2.0, n9=1.0)
    async with running(state) as (_, app, _):
        shown = text(app)
        assert "last 0:10" in shown, "the sampler"
        assert "last 2.0s" in shown, "what has not run yet"
        assert "0:09 left (learned)" in shown, "6 s of the sampler, 2 of the decoder and 1 of the saver"
        assert "0:09 left" in line(app, "status"), "one source"


async def test_the_running_bar_of_a_tiny_terminal_tells_the_same_as_live() -> None:
    state = learned(sample.busy(), n4=4.0, n6=0.0, n7=0.0, n5=0.0, n3=30.0, n8=5.0, n9=1.0)
    fraction = f"{times.progress(state, state.jobs[state.running[0]], sample.NOW).fraction:.0%}"
    assert fraction == "45%"
    for size in ((120, 40), (40, 10)):
        async with running(state, size) as (_, app, _):
            assert fraction in text(app)


async def test_without_a_time_learned_only_the_running_node_is_foretold() -> None:
    async with running(sample.busy()) as (_, app, _):
        assert "0:06 this node" in text(app)
        assert " left" not in text(app)


async def test_what_never_ran_says_not_reached() -> None:
    nodes = tuple(
        replace(node, state=NodeState.FAILED if node.id == "3" else node.state, ended=node.started and node.started + 2)
        for node in sample.nodes(True)
    )
    job = replace(sample.finished(1, JobState.FAILED), nodes=nodes)
    async with running(replace(sample.idle(1), jobs={job.id: job})) as (_, app, _):
        assert text(app).count("not reached") == 2
        assert "failed after 2.0s" in text(app)
        assert app.default_screen.query_one(NodeList).key == "3", "the cursor is where it stopped"


def test_a_node_that_may_have_run_unseen_is_not_called_unreached() -> None:
    unseen = with_nodes(replace(sample.finished(1, JobState.FAILED), nodes=()))
    found = left_out(unseen)
    assert {found[key] for key in ("4", "5", "6", "7")} == {"not told"}
    assert {found[key] for key in ("8", "9")} == {"not reached"}
    assert left_out(sample.finished(1)) == {}
    interrupted = replace(sample.finished(1), state=JobState.LOST, nodes=sample.nodes(True))
    assert left_out(interrupted)["3"] == "not told"


def somebody_elses() -> ServerState:
    state = sample.busy()
    job = state.jobs[state.running[0]]
    nodes = tuple(NodeRun(node.id, node.class_type, node.title) for node in job.nodes)
    job = replace(job, mine=False, client_id="somebody", nodes=nodes)
    return replace(state, jobs={**state.jobs, job.id: job}, run=Run(job.id, told=False), preview=None)


async def test_somebody_elses_job_shows_what_the_queue_tells_and_says_why() -> None:
    async with running(somebody_elses()) as (_, app, _):
        shown = " ".join(text(app).split())
        for word in (
            "another client's",
            "only to the client that submitted",
            "a lighthouse keeper",
            "1024×1024",
            "steps 30",
        ):
            assert word in shown, word
        assert "4 wait behind it" in shown
        assert "%" not in shown, "no progress is invented"


async def test_a_broadcast_job_shows_its_progress_and_says_that_it_is_broadcast() -> None:
    state = sample.busy()
    job = replace(state.jobs[state.running[0]], mine=False, client_id="")
    async with running(replace(state, jobs={**state.jobs, job.id: job})) as (_, app, _):
        assert "broadcast · 7 nodes" in text(app)
        assert "49%" in text(app)


def with_a_gap() -> ServerState:
    state = sample.busy()
    gap = TimelineEntry(sample.NOW - 200, "gap", "no news for 140 s", None, sample.NOW - 60)
    job = state.jobs[state.running[0]]
    nodes = tuple(replace(node, started=sample.NOW - 250) if node.id == "3" else node for node in job.nodes)
    job = replace(
        job, created=sample.NOW - 302, started=sample.NOW - 300, nodes=nodes, notes=(replace(gap, prompt_id=job.id),)
    )
    return replace(state, jobs={**state.jobs, job.id: job}, timeline=(gap,))


async def test_a_gap_is_marked_once_in_the_timeline_and_at_the_node_that_ran_through_it() -> None:
    async with running(with_a_gap(), (200, 60)) as (_, app, _):
        shown = " ".join(text(app).replace("│", " ").split())
        assert shown.count("2 min of which nothing is known") == 1
        assert "gap ━" in shown


async def test_while_the_link_is_down_nothing_pretends_to_run() -> None:
    state = sample.busy()
    link = replace(state.link, phase=Phase.RECONNECTING, error="it does not answer")
    async with running(replace(state, link=link, gap=Gap(sample.NOW - 40, state.running))) as (_, app, _):
        shown = text(app)
        assert "no news" in shown
        assert "not connected since" in shown
        assert "it/s 2" not in shown
        assert " left" not in shown


async def test_the_machine_has_lines_where_there_is_room_and_what_fits_where_not() -> None:
    gpu = tuple(Sample(sample.NOW - n, 0.3, 0.5, (Gpu("RTX", 0.87, 0.5, 71.0, 200.0),)) for n in range(20))
    rates = tuple((sample.NOW - 14 + n, 2.0 + n % 3) for n in range(14))
    state = replace(sample.busy(), local=gpu, rates=rates)
    async with running(state) as (_, app, _):
        for word in ("Machine", "it/s", "VRAM", "87%", "71 °C", "RAM"):
            assert word in text(app), word
    async with running(state, (80, 24)) as (_, app, _):
        assert "Machine" not in text(app)
        assert "VRAM" in text(app)
        assert "°C" not in text(app), "the least wanted goes first"


async def test_the_server_is_asked_for_its_memory_often_only_while_that_is_seen() -> None:
    async with running(sample.idle()) as (pilot, _, connection):
        assert connection.attention is True
        await pilot.press("2")
        await settle(pilot)
        assert connection.attention is False
        connection.become(sample.busy())
        await settle(pilot)
        assert connection.attention is True, "the status line shows it while something runs"


def test_a_jobs_timeline_begins_with_its_queueing_whatever_the_servers_clock_says() -> None:
    job = sample.finished(1)
    late = replace(job, created=(job.started or 0.0) + 0.4)
    kinds = [entry.kind for entry in entries(sample.idle(), late)]
    assert kinds[:2] == ["queued", "started"]

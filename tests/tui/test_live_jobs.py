"""Live beside the running job: walking through the queue, pausing, and a job that failed."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.client.errors import NodeProblems, Problem, Refused
from comfytui.state.model import Failure, JobState, Preview, ServerState, Timing
from comfytui.tui import live_choice
from comfytui.tui.refusals import explain
from comfytui.tui.screens.nodes import NodesView
from comfytui.tui.widgets.node_list import NodeList
from comfytui.tui.widgets.picture import Picture
from tests.tui import sample
from tests.tui.support import running, settle, text, until

OUT_OF_MEMORY = Failure(
    "CUDA out of memory. Tried to allocate 20.00 GiB.",
    "torch.OutOfMemoryError",
    "3",
    "KSampler",
    ('  File "sampling.py", line 12, in sample\n', "    x = model(x)\n"),
    {"seed": [8401], "cfg": [6.5]},
)


def failed(failure: Failure = OUT_OF_MEMORY) -> ServerState:
    job = replace(sample.finished(1), state=JobState.FAILED, outputs=(), failure=failure)
    return replace(sample.idle(1), jobs={job.id: job})


async def test_a_failed_job_shows_what_can_be_done_and_the_inputs_it_had() -> None:
    async with running(failed()) as (_, app, _):
        shown = text(app)
        for word in ("out of memory", "what can be done", "Make the picture smaller", "seed", "8401", "KSampler"):
            assert word in shown, word
        assert "line 12" not in shown, "the traceback is folded"


async def test_t_unfolds_the_traceback_and_folds_it_again() -> None:
    async with running(failed(), (120, 40), "t") as (pilot, app, _):
        assert "line 12" in text(app)
        await pilot.press("t")
        await settle(pilot)
        assert "line 12" not in text(app)


async def test_in_a_small_terminal_t_brings_the_traceback_into_sight_and_back() -> None:
    async with running(failed(), (60, 15), "t") as (pilot, app, _):
        assert "traceback" in text(app) and "line 12" in text(app)
        await pilot.press("t")
        await settle(pilot)
        assert "CUDA out of memory. Tried" in text(app)


async def test_in_a_small_terminal_a_failure_has_the_room_below_its_node() -> None:
    async with running(failed(), (60, 15)) as (_, app, _):
        assert text(app).split("\n")[4].startswith("CUDA out of memory"), "below three nodes, with no line between"


async def test_in_a_small_terminal_too_a_pause_is_seen() -> None:
    async with running(sample.busy(), (60, 15), "p") as (pilot, app, _):
        assert "paused" in text(app)
        await pilot.press("p")
        await settle(pilot)
        assert "paused" not in text(app)


async def test_y_copies_the_whole_error() -> None:
    async with running(failed(), (120, 40), "y") as (_, app, _):
        copied = app.clipboard
        for word in ("CUDA out of memory", "torch.OutOfMemoryError", "node 3 (KSampler)", "seed = 8401", "line 12"):
            assert word in copied, word


async def test_b_shows_the_node_that_failed_in_the_catalog() -> None:
    info = {
        name: {"input": {"required": {"seed": ["INT"]}}, "output": ["LATENT"], "name": name, "category": "sampling"}
        for name in ("KSampler", "Another")
    }
    async with running(replace(failed(), object_info=info), (120, 40), "b") as (pilot, app, _):
        view = app.view
        await until(pilot, lambda: isinstance(view, NodesView) and view.node is not None, "the catalogue")
        assert isinstance(view, NodesView)
        assert view.node is not None
        assert view.node.name == "KSampler"
        await until(pilot, lambda: "INT" in text(app), "the card")


async def test_e_opens_the_failed_job_to_be_changed() -> None:
    async with running(failed(), (120, 40), "e") as (pilot, app, _):
        await settle(pilot)
        assert app.current == "workflows"
        assert "8401" in text(app)


async def test_markup_in_a_failure_is_only_text() -> None:
    hostile = replace(OUT_OF_MEMORY, message="[bold red]x[/] [@click=app.quit]y[/]", inputs={"[b]": ["[/b]"]})
    async with running(failed(hostile)) as (_, app, _):
        assert "[@click=app.quit]y[/]" in text(app)


async def test_n_walks_through_the_queue_and_escape_follows_what_runs() -> None:
    state = sample.busy()
    async with running(state, (120, 40), "n") as (pilot, app, _):
        first = state.jobs[state.waiting[0]]
        assert "waiting, 1 of" in text(app)
        assert app.view is not None
        assert app.view.job is not None
        assert app.view.job.id == first.id
        assert "it waits for its turn" in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert app.view.job.id == state.running[0]
        assert app.current == "live"


async def test_a_chosen_job_is_followed_when_it_starts() -> None:
    state = sample.busy()
    async with running(state, (120, 40), "n") as (pilot, app, connection):
        chosen = state.waiting[0]
        job = replace(state.jobs[chosen], state=JobState.RUNNING)
        connection.become(
            replace(state, jobs={**state.jobs, chosen: job}, running=(chosen,), waiting=state.waiting[1:], run=None)
        )
        await settle(pilot)
        assert app.view is not None
        assert app.view.job is not None
        assert app.view.job.id == chosen
        assert "waiting," not in text(app)


async def test_n_says_so_where_there_is_no_other_job() -> None:
    state = sample.busy()
    alone = replace(state, jobs={each: state.jobs[each] for each in state.running}, waiting=(), history=())
    async with running(alone, (120, 40), "n") as (_, app, _):
        assert any("no other job" in each.text for each in app.messages.told)


async def test_a_pause_freezes_the_picture_and_the_nodes_and_not_the_figures() -> None:
    async with running(sample.busy(), (120, 40), "p") as (pilot, app, connection):
        picture, state = app.default_screen.query_one(Picture), connection.state
        shown, preview, run = picture.key, state.preview, state.run
        assert "paused" in text(app)
        assert preview is not None
        assert run is not None
        newer = Preview(preview.prompt_id, "3", "image/png", sample.picture("#3080c0", 8), preview.serial + 1)
        job = replace(state.jobs[state.running[0]], nodes=())
        connection.become(replace(state, preview=newer, jobs={**state.jobs, job.id: job}, run=replace(run, rate=77.0)))
        await settle(pilot)
        assert picture.key == shown
        assert app.default_screen.query_one(NodeList).keys
        assert "77.0 it/s" in text(app)
        await pilot.press("p")
        await settle(pilot)
        assert picture.key == ("preview", preview.prompt_id, newer.serial)
        assert "paused" not in text(app)


def test_the_line_up_is_the_last_job_then_what_runs_then_what_waits() -> None:
    state = sample.busy()
    ids = live_choice.line_up(state)
    assert ids[-len(state.waiting) :] == state.waiting
    assert state.running[0] in ids
    shown = ids[0]
    for _ in ids:
        shown = live_choice.step(state, shown, 1) or shown
    assert shown == ids[0], "round and round"
    assert live_choice.step(state, "long gone", 1) == state.running[0]


def refused(kind: str = "value_not_in_list") -> Refused:
    if kind == "missing_node_type":
        return Refused(
            "Cannot execute because node NoSuchNode does not exist.", type="invalid_prompt", details="Node ID '#3'"
        )
    problem = Problem("value_not_in_list", "Value not in list", "ckpt_name: 'gone.safetensors' not in []", "ckpt_name")
    return Refused(
        "Prompt outputs failed validation",
        type="prompt_outputs_failed_validation",
        node_errors={"4": NodeProblems("4", "CheckpointLoaderSimple", (problem,), ("9",))},
    )


async def test_a_refused_repetition_names_node_and_input_and_what_can_be_done_and_loses_nothing() -> None:
    async with running(sample.idle()) as (pilot, app, connection):
        before = connection.state
        connection.fails = refused()
        await pilot.press("r")
        await settle(pilot)
        shown = " ".join(text(app).split())
        for word in (
            "nothing was queued",
            "CheckpointLoaderSimple",
            "ckpt_name",
            "gone.safetensors",
            "what can be done",
        ):
            assert word in shown, word
        await pilot.press("escape")
        await settle(pilot)
        assert connection.state is before
        assert "refused" in text(app), "it stays in the status line"


async def test_a_refused_node_type_says_how_to_get_it() -> None:
    async with running(sample.idle()) as (pilot, app, connection):
        connection.fails = refused("missing_node_type")
        await pilot.press("r")
        await settle(pilot)
        shown = " ".join(text(app).split())
        assert "NoSuchNode" in shown
        assert "Install the custom nodes" in shown


def test_a_refusal_lists_all_that_the_catalogue_shows_to_be_missing() -> None:
    info = {"KSampler": {"input": {}, "output": ["LATENT"], "name": "KSampler", "output_node": False}}
    told = explain(refused(), sample.graph(), info)
    assert "SaveImage" in told, "the server named only the first node"
    assert told.count("what can be done") == 1


async def test_a_job_that_ends_while_paused_is_counted_as_done_and_shown_as_it_was() -> None:
    async with running(sample.busy(), (120, 40), "p") as (pilot, app, connection):
        state = connection.state
        job = state.jobs[state.running[0]]
        done = replace(job, state=JobState.DONE, ended=sample.NOW, nodes=sample.nodes(False))
        connection.become(
            replace(state, jobs={**state.jobs, job.id: done}, running=(), run=None, history=(job.id, *state.history))
        )
        await settle(pilot)
        shown = text(app)
        assert "paused" in shown
        assert "✓ done" in shown
        assert "14/30" in shown, "the nodes are as they were"
        await pilot.press("p")
        await settle(pilot)
        assert "14/30" not in text(app)


async def test_a_waiting_job_says_when_it_should_begin() -> None:
    state = sample.busy()
    timing = Timing(dict.fromkeys(sample.graph(), 5.0), 35.0, None, "", sample.NOW)
    jobs = {key: replace(job, shape="a workflow") for key, job in state.jobs.items()}
    async with running(replace(state, jobs=jobs, timings={"a workflow": timing}), (120, 40), "n") as (_, app, _):
        shown = " ".join(text(app).split())
        assert "starts in ~16 s" in shown, "6 s of the sampler and two nodes of 5 s"
        assert "takes ~35 s" in shown


async def test_a_missing_model_names_what_the_server_has_instead() -> None:
    gone = Failure("Value not in list: ckpt_name: 'sdxl_base_1.0.safetensors'", "FileNotFoundError", "4", "CheckpointLoaderSimple",
                   (), {"ckpt_name": "sdxl_base_1.0.safetensors"})  # fmt: skip
    have = {"CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": [["sdxl_base_1.1.safetensors"], {}]}}}}
    async with running(replace(failed(gone), object_info=have)) as (_, app, _):
        shown = " ".join(text(app).replace("│", " ").split())
        assert "missing file" in shown
        assert "near:" in shown
        assert "sdxl_base_1.1.safetensors" in shown


async def test_a_missing_node_type_says_how_to_get_it() -> None:
    gone = Failure("Node 'Fancy' not found. The custom node may not be installed.", "", "3", "FancySampler")
    async with running(failed(gone)) as (_, app, _):
        shown = " ".join(text(app).replace("│", " ").split())
        assert "missing node type" in shown
        assert "FancySampler" in shown


async def test_a_lost_job_says_that_one_key_sends_it_again() -> None:
    job = replace(sample.finished(1), state=JobState.LOST, outputs=(), nodes=sample.nodes(True))
    async with running(replace(sample.idle(1), jobs={job.id: job})) as (_, app, _):
        assert "r sends it again" in text(app)
        assert "14/30" not in text(app), "nobody knows what became of that node"

"""One connection against a scripted server where everything works: what is asked, shown and done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from comfytui.client.errors import ClientError, Missing, Refused
from comfytui.state.model import JobState, Phase, ServerState
from tests.state.conftest import PATIENCE, by_state, connected, ended, fill, until
from tests.support.replay import (
    HOSTILE,
    FakeComfy,
    hostile,
    status,
    txt2img,
)

# Everything works ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["new", "old"])
async def test_a_prompt_from_submission_to_picture(dialect: str) -> None:
    async with (
        FakeComfy(dialect=dialect, prefix="/comfy", token="t") as server,
        connected(server.url, token="t") as connection,
    ):
        server.hold("3", 3)
        answer = await connection.submit(txt2img(), name="portrait", workflow={"nodes": []})
        await server.held()
        state = await until(connection, lambda s: s.run is not None and s.run.value == 2)
        job = state.jobs[answer.prompt_id]
        assert job.mine
        assert job.facts.name == "portrait"
        assert [node.state.value for node in job.nodes] == ["done"] * 4 + ["running", "waiting", "waiting"]
        assert state.preview is not None
        assert state.preview.image.startswith(b"\xff\xd8")
        server.release()
        state = await until(connection, lambda s: s.jobs[answer.prompt_id].outputs and ended(answer.prompt_id)(s))
        job = state.jobs[answer.prompt_id]
        assert job.state is JobState.DONE
        assert (await connection.fetch(job.outputs[0])).startswith(b"\x89PNG")
        assert (await connection.fetch(job.outputs[0], preview="webp;80")).startswith(b"RIFF")
        body = server.asked("POST", "/prompt")[0].body
        assert body["extra_data"]["extra_pnginfo"] == {"workflow": {"nodes": []}}
        assert body["extra_data"]["preview_method"] == "auto"
        assert body["client_id"] == connection.client_id


async def test_a_refused_prompt_changes_nothing() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        with pytest.raises(Refused) as caught:
            await connection.submit(txt2img(steps=0))
        assert "3" in caught.value.node_errors
        assert dict(connection.state.jobs) == {}


async def test_accepted_with_a_dropped_output_is_said() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        problem = {
            "errors": [{"message": "Required input is missing", "details": "images"}],
            "dependent_outputs": ["77"],
        }
        server.answer(
            "POST", "/prompt", web.json_response({"prompt_id": "p", "number": 1, "node_errors": {"77": problem}})
        )
        answer = await connection.submit(txt2img())
        assert list(answer.node_errors) == ["77"]
        assert "77" in (connection.state.last_error or "")


async def test_cancel_move_front_and_clear() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 1)
        first = (await connection.submit(txt2img())).prompt_id
        await server.held()
        a, b, x = [(await connection.submit(txt2img(seed=seed))).prompt_id for seed in (2, 3, 4)]
        await until(connection, lambda s: s.running == (first,) and s.waiting == (a, b, x))
        await connection.move(x, 0)
        assert connection.state.waiting == (x, a, b)
        await connection.move(a, 2)
        assert connection.state.waiting == (x, b, a)
        assert [item.prompt_id for item in sorted(server.pending, key=lambda i: i.number)] == [x, b, a]
        assert {item.extra_data["client_id"] for item in server.pending} == {connection.client_id}
        await connection.cancel([b, first])  # what runs is left alone
        assert connection.state.waiting == (x, a)
        assert connection.state.running == (first,)
        assert b not in connection.state.jobs
        front = (await connection.submit(txt2img(seed=5), front=True)).prompt_id
        await until(connection, lambda s: s.waiting[:1] == (front,))
        with pytest.raises(Missing, match="does not wait"):
            await connection.move(first, 0)
        await connection.clear_queue()
        assert connection.state.waiting == ()
        assert by_state(connection.state) == {first: JobState.RUNNING}
        server.release()
        await until(connection, ended(first))


async def test_somebody_else_s_hostile_job_is_moved_as_it_was() -> None:
    async with FakeComfy() as server, connected(server.url) as mine, connected(server.url) as theirs:
        server.hold("3", 1)
        await theirs.submit(txt2img())
        await server.held()
        a, b = [(await theirs.submit(txt2img(seed=n, text=HOSTILE), name="theirs")).prompt_id for n in (2, 3)]
        await until(mine, lambda s: s.waiting == (a, b))
        await mine.move(b, 0)
        moved = next(item for item in server.pending if item.prompt_id == b)
        assert moved.graph == txt2img(seed=3, text=HOSTILE)
        assert moved.extra_data["client_id"] == theirs.client_id  # they go on being told of it
        assert not mine.state.jobs[b].mine
        assert mine.state.jobs[b].facts.name == "theirs"
        await until(theirs, lambda s: s.waiting == (b, a))
        server.release()
        state = await until(theirs, ended(b))
        assert state.jobs[b].mine


async def test_a_move_that_fails_half_way_loses_no_graph() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 1)
        await connection.submit(txt2img())
        await server.held()
        a, b = [(await connection.submit(txt2img(seed=seed))).prompt_id for seed in (2, 3)]
        await until(connection, lambda s: s.waiting == (a, b))
        server.answer("POST", "/prompt", status(500))
        with pytest.raises(ClientError, match="listed as lost"):
            await connection.move(b, 0)
        assert connection.state.jobs[b].state is JobState.LOST
        graph = connection.raw_graph(b)
        assert graph is not None
        assert graph["3"]["inputs"]["seed"] == 3
        server.release()


async def test_a_move_whose_answer_is_lost_submits_once() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 1)
        await connection.submit(txt2img())
        await server.held()
        a, b = [(await connection.submit(txt2img(seed=seed))).prompt_id for seed in (2, 3)]
        await until(connection, lambda s: s.waiting == (a, b))

        async def lost(request: web.Request) -> web.StreamResponse:
            await server._post_prompt(request)
            return status(504)

        server.answer("POST", "/prompt", lost)
        await connection.move(b, 0)
        assert connection.state.waiting == (b, a)
        assert sorted(item.prompt_id for item in server.pending) == sorted((a, b))
        server.release()


async def test_interrupt_only_what_is_meant() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 2)
        answer = await connection.submit(txt2img())
        await server.held()
        await connection.interrupt("somebody-else")
        await connection.interrupt(answer.prompt_id)
        state = await until(connection, ended(answer.prompt_id))
        assert state.jobs[answer.prompt_id].state is JobState.INTERRUPTED
        assert state.jobs[answer.prompt_id].failure is None


async def test_a_failing_node() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.fail_node("8", "torch.OutOfMemoryError", HOSTILE)
        answer = await connection.submit(txt2img())
        state = await until(connection, ended(answer.prompt_id))
        failure = state.jobs[answer.prompt_id].failure
        assert failure is not None
        assert (failure.node_id, failure.exception_type) == ("8", "torch.OutOfMemoryError")
        assert "\x1b" not in failure.message


async def test_other_people_s_jobs_are_followed_by_asking() -> None:
    async with FakeComfy() as server, connected(server.url) as mine, connected(server.url) as theirs:
        server.hold("3", 1)
        answer = await theirs.submit(txt2img())
        state = await until(mine, lambda s: s.running)
        assert state.run is not None
        assert not state.run.told
        assert not state.jobs[answer.prompt_id].mine
        assert state.jobs[answer.prompt_id].facts.seed == 1
        server.release()
        state = await until(mine, ended(answer.prompt_id))
        assert state.jobs[answer.prompt_id].outputs[0].filename == "img_00001_.png"


async def test_other_people_s_jobs_that_came_and_went_between_two_looks() -> None:
    async with FakeComfy() as server, connected(server.url) as mine, connected(server.url) as theirs:
        await mine.load_history()
        server.answer("GET", "/queue", web.json_response({"queue_running": [], "queue_pending": []}))
        first, second = [(await theirs.submit(txt2img(seed=seed))).prompt_id for seed in (1, 2)]
        await until(mine, lambda s: len(s.history) == 2)
        assert mine.state.history == (second, first)
        assert not mine.state.jobs[first].mine


async def test_an_answer_that_is_slower_than_the_run() -> None:
    """The events of a fast run come before the answer to its submission; the history entry a moment after its end."""
    async with FakeComfy() as server, connected(server.url) as connection:
        finished = asyncio.Event()
        connection.subscribe(lambda s: finished.set() if s.history else None)

        async def late(request: web.Request) -> web.StreamResponse:
            response = await server._post_prompt(request)
            await asyncio.wait_for(finished.wait(), PATIENCE)
            return response

        server.answer("POST", "/prompt", late)
        answer = await connection.submit(txt2img(), name="quick")
        job = connection.state.jobs[answer.prompt_id]
        assert (job.state, job.mine, job.facts.name) == (JobState.DONE, True, "quick")
        assert connection.state.history == (answer.prompt_id,)
        assert connection.state.waiting == ()


# History -------------------------------------------------------------------------------------------------------------


async def test_short_entries_are_shown_before_the_long_ones_come() -> None:
    async with FakeComfy() as server:
        names = fill(server, 25)
        held = asyncio.Event()

        async def later(request: web.Request) -> web.StreamResponse:
            await held.wait()
            return await server._get_history(request)

        server.answer("GET", "/history", later)
        async with connected(server.url) as connection:
            loading = asyncio.create_task(connection.load_history(10))
            await until(connection, lambda state: state.history_loaded)
            assert connection.state.history == tuple(reversed(names[15:]))
            job = connection.state.jobs["job-024"]
            assert (job.state, job.graph, job.outputs[0].filename) == (JobState.DONE, {}, "job-024.png")
            assert job.seconds is not None
            held.set()
            await loading
            assert connection.state.jobs["job-024"].facts.seed == 24
            assert connection.state.history == tuple(reversed(names[15:]))


async def test_where_long_pages_are_slow_only_short_ones_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.state.pages.SLOW", 0.0)
    async with FakeComfy() as server:
        names = fill(server, 25)
        async with connected(server.url) as connection:
            await connection.load_history(10)
            asked = len([r for r in server.requests if r.path.endswith("/history")])
            await connection.load_history(10)
            await connection.load_history(10)
            assert connection.state.history == tuple(reversed(names))
            assert connection.state.history_complete
            assert len([r for r in server.requests if r.path.endswith("/history")]) == asked
            assert connection.state.jobs["job-024"].facts.seed == 24, "what was known stays"
            await connection.load_job("job-003")
            assert connection.state.jobs["job-003"].facts.seed == 3


@pytest.mark.parametrize("dialect", ["new", "old"])
async def test_the_history_page_by_page(dialect: str) -> None:
    async with FakeComfy(dialect=dialect) as server:
        names = fill(server, 25)
        async with connected(server.url) as connection:
            assert not connection.state.history_loaded
            await connection.load_history(10)
            assert connection.state.history == tuple(reversed(names[15:]))
            assert not connection.state.history_complete
            await connection.load_history(10)
            assert connection.state.history == tuple(reversed(names[5:]))
            await connection.load_history(10)
            await connection.load_history(10)
            assert connection.state.history == tuple(reversed(names))
            assert connection.state.history_complete
            assert connection.state.jobs["job-003"].facts.seed == 3
            await connection.delete_history(["job-003"])
            assert "job-003" not in connection.state.jobs
            assert "job-003" not in server.history


async def test_a_job_that_the_history_does_not_have() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        with pytest.raises(Missing):
            await connection.load_job("nope")
        fill(server, 2)
        await connection.load_job("job-001")
        assert connection.state.history == ("job-001",)


# The rest of the API -------------------------------------------------------------------------------------------------


async def test_catalogue_models_uploads_settings_logs_stats() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        first, second = await asyncio.gather(connection.load_object_info(), connection.load_object_info())
        assert first is second is connection.state.object_info
        assert len(server.asked("GET", "/object_info")) == 1
        await connection.load_object_info(force=True)
        assert len(server.asked("GET", "/object_info")) == 2
        assert await connection.models() == ("checkpoints", "loras", "vae")
        with pytest.raises(Missing, match="model folder"):
            await connection.models("nope")
        assert await connection.upload(b"1", "in.png") == "in.png"
        assert await connection.upload(b"2", "in.png") == "in (1).png"
        await connection.set_server_setting("a.b", {"x": 1})
        assert await connection.server_settings() == {"a.b": {"x": 1}}
        await connection.free(free_memory=True)
        assert server.asked("POST", "/free")[0].body == {"unload_models": True, "free_memory": True}
        await connection.refresh_stats()
        stats = connection.state.stats
        assert stats is not None
        assert stats.devices[0].vram_total == 24 << 30
        assert connection.state.link.latency is not None


async def test_hostile_text_is_clean_everywhere_and_goes_back_as_it_was() -> None:
    async with FakeComfy() as server:
        hostile(server)
        async with connected(server.url) as connection:
            await connection.load_history()
            await connection.load_object_info()
            shown = repr(connection.state) + repr(dict(connection.state.jobs))
            for bad in ("\\x1b", "\\x9b", "\\u202e", "\\u2028", "\\x07"):
                assert bad not in shown
            job = connection.state.jobs["dddddddd-0000-4000-8000-000000000000"]
            assert "\x1b" not in job.outputs[0].filename
            assert (await connection.fetch(job.outputs[0])).startswith(b"\x89PNG")
            graph = connection.raw_graph(job.id)
            assert graph is not None
            assert graph["6"]["inputs"]["text"] == HOSTILE
            graph["6"]["inputs"]["text"] = "edited"  # a copy: nothing else changes
            assert connection.raw_graph(job.id) != graph
            answer = await connection.submit(connection.raw_graph(job.id) or {}, name=HOSTILE)
            assert server.asked("POST", "/prompt")[0].body["prompt"]["6"]["inputs"]["text"] == HOSTILE
            assert "\x1b" not in connection.state.jobs[answer.prompt_id].facts.name


async def test_a_subscriber_that_fails_does_not_end_the_connection() -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def fail(_: ServerState) -> None:
        raise ZeroDivisionError

    async with FakeComfy() as server, connected(server.url) as connection:
        unsubscribe = connection.subscribe(fail)
        await connection.refresh_stats()
        unsubscribe()
        count = len(reported)
        await connection.refresh_stats()
        assert connection.state.link.phase is Phase.LIVE
        assert {type(error) for error in reported} == {ZeroDivisionError}
        assert len(reported) == count

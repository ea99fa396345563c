"""One connection when things break: nobody there, dropped sockets, restarts, garbage, bursts."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from comfytui.client.errors import ClientError, Denied, Missing, NotComfyUI, Unreachable
from comfytui.client.target import Target
from comfytui.state.connection import Connection, backoff
from comfytui.state.fleet import Fleet
from comfytui.state.model import JobState, Phase
from tests.state.conftest import PATIENCE, by_state, connected, ended, fill, until
from tests.support.replay import (
    SHARED,
    Drop,
    FakeComfy,
    Hold,
    Recording,
    frame,
    html,
    status,
    txt2img,
)


async def test_nobody_is_there_and_then_somebody_is() -> None:
    async with FakeComfy() as server:
        url, port = server.url, server.port
    connection = Connection(Target.parse(url))
    task = asyncio.create_task(connection.run())
    state = await until(connection, lambda s: s.link.attempts >= 2)
    assert state.link.phase is Phase.CONNECTING
    assert "refuses connections" in (state.link.error or "")
    assert state.link.retry_at is not None
    with pytest.raises(Unreachable, match="refuses"):
        await connection.wait_live(0.0)
    async with FakeComfy(port=port):
        await connection.wait_live(PATIENCE)
        await connection.close()
        await task
    assert connection.state.link.phase is Phase.CLOSED
    with pytest.raises(Unreachable, match="closed"):
        await connection.wait_live(1.0)


@pytest.mark.parametrize(
    ("path", "response", "error"),
    [
        ("/prompt", html(), NotComfyUI),
        ("/prompt", status(401), Denied),
        ("/prompt", status(403), Denied),
        ("/prompt", status(404), Missing),
        ("/ws", html(), NotComfyUI),
        ("/queue", html(), NotComfyUI),
    ],
)
async def test_what_is_no_comfyui_is_refused_until_told_to_try_again(
    path: str, response: web.Response, error: type[ClientError]
) -> None:
    async with FakeComfy() as server:
        server.answer("GET", path, response)
        connection = Connection(Target.parse(server.url))
        task = asyncio.create_task(connection.run())
        with pytest.raises(error):
            await connection.wait_live(PATIENCE)
        assert connection.state.link.phase is Phase.REFUSED
        assert connection.state.link.error
        server.answer("GET", path, None)
        connection.retry_now()
        await until(connection, lambda s: s.link.phase is Phase.LIVE)
        await connection.close()
        await task


async def test_a_socket_that_drops_in_the_middle_of_a_run() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 2)
        answer = await connection.submit(txt2img())
        await server.held()
        await until(connection, lambda s: s.run is not None and s.run.node_id == "3")
        await server.drop_sockets()
        await until(connection, lambda s: any(item.kind == "gap" for item in s.timeline))
        state = await until(connection, lambda s: s.link.phase is Phase.LIVE)
        assert state.jobs[answer.prompt_id].state is JobState.RUNNING
        server.release()
        state = await until(connection, ended(answer.prompt_id))
        assert state.jobs[answer.prompt_id].state is JobState.DONE
        assert state.jobs[answer.prompt_id].outputs


async def test_a_run_that_ends_during_the_gap() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        # while we are away, the run ends: nothing of it is ever told
        server.script(frame("execution_start", prompt_id="$id"), Hold(), Drop())
        answer = await connection.submit(txt2img())
        await server.held()
        await until(connection, lambda s: s.running)
        server.release()
        state = await until(connection, ended(answer.prompt_id))
        assert state.jobs[answer.prompt_id].state is JobState.DONE


async def test_a_restart_forgets_and_we_do_not_call_it_done() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        done = await connection.submit(txt2img())
        await until(connection, ended(done.prompt_id))
        server.hold("3", 2)
        running, waiting = [(await connection.submit(txt2img(seed=seed))).prompt_id for seed in (7, 8)]
        await server.held()
        await until(connection, lambda s: s.running == (running,) and s.waiting == (waiting,))
        await server.restart()
        state = await until(connection, lambda s: not {running, waiting} - set(s.history))
        assert by_state(state) == {done.prompt_id: JobState.DONE, running: JobState.LOST, waiting: JobState.LOST}
        graph = connection.raw_graph(waiting)
        assert graph is not None
        again = await connection.submit(graph)
        await until(connection, ended(again.prompt_id))


async def test_garbage_and_unknown_frames_in_a_run() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.script(
            "{not json", b"", b"\0\0\0\4\xff\xff\xff\xff", "[]", frame("crystools.monitor", cpu=1), b"\0\0\0\x09rest",
            frame("progress_state", prompt_id="$id", nodes=[1, 2]), frame("executing", node={"a": 1}, prompt_id="$id"),
            frame("progress", value="many", max=None, node=3, prompt_id="$id"),
            frame("execution_success", prompt_id="$id"),
        )  # fmt: skip
        answer = await connection.submit(txt2img())
        state = await until(connection, ended(answer.prompt_id))
        assert state.jobs[answer.prompt_id].state is JobState.DONE
        assert state.link.phase is Phase.LIVE
        assert any(item.kind == "garbage" for item in state.timeline)


async def test_a_queue_that_fails_for_a_while_is_said_and_survived() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.answer("GET", "/queue", html(500))
        answer = await connection.submit(txt2img())
        state = await until(connection, lambda s: s.last_error is not None)
        assert "/queue" in (state.last_error or "")
        server.answer("GET", "/queue", None)
        await until(connection, ended(answer.prompt_id))
        assert connection.state.link.phase is Phase.LIVE


async def test_a_burst_is_absorbed() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        fill(server, 300)
        await connection.load_history(300)
        steps = [frame("progress", value=step, max=4000, node="3", prompt_id="$id") for step in range(1, 4001)]
        server.script(frame("execution_start", prompt_id="$id"), *steps, frame("execution_success", prompt_id="$id"))
        answer = await connection.submit(txt2img())
        state = await until(connection, ended(answer.prompt_id))
        sampler = next(node for node in state.jobs[answer.prompt_id].nodes if node.id == "3")
        assert sampler.value == 4000


async def test_closing_at_any_moment() -> None:
    async with FakeComfy() as server:
        never_run = Connection(Target.parse(server.url))
        await never_run.close()
        await never_run.run()
        assert never_run.state.link.phase is Phase.CLOSED
        connection = Connection(Target.parse(server.url))
        task = asyncio.create_task(connection.run())
        await connection.wait_live(PATIENCE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert connection.state.link.phase is Phase.CLOSED
        with pytest.raises(Unreachable, match="closed"):
            await connection.refresh_stats()


def test_waiting_grows_and_has_a_bound() -> None:
    assert all(0.25 <= backoff(0) <= 0.5 for _ in range(20))
    assert all(15 <= backoff(50) <= 30 for _ in range(20))


async def test_many_servers() -> None:
    async with FakeComfy() as one, FakeComfy() as two, Fleet() as fleet:
        a = fleet.add("a", Connection(Target.parse(one.url)))
        b = fleet.add("b", Connection(Target.parse(two.url)))
        heard: list[str] = []
        fleet.subscribe(lambda name, old, new: heard.append(name) if old.link.phase is not new.link.phase else None)
        await asyncio.gather(a.wait_live(PATIENCE), b.wait_live(PATIENCE))
        with pytest.raises(ValueError, match="already"):
            fleet.add("a", Connection(Target.parse(one.url)))
        assert {"a", "b"} == set(heard)
        await fleet.remove("a")
        assert a.state.link.phase is Phase.CLOSED
        assert list(fleet.states()) == ["b"]
        assert b.state.link.phase is Phase.LIVE
    assert b.state.link.phase is Phase.CLOSED


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of a real server are not here")
@pytest.mark.parametrize("name", ["txt2img-previews", "txt2img-cached", "interrupted", "execution-error"])
async def test_recordings_through_a_connection(name: str) -> None:
    recording = Recording.load(name)
    async with FakeComfy() as server, connected(server.url) as connection:
        server.object_info = {node["class_type"]: {"output_node": True} for node in recording.graph.values()}
        server.script(*recording.steps())
        answer = await connection.submit(recording.graph)
        state = await until(connection, ended(answer.prompt_id))
        wanted = {"interrupted": JobState.INTERRUPTED, "execution-error": JobState.FAILED}
        assert state.jobs[answer.prompt_id].state is wanted.get(name, JobState.DONE)
        if name == "txt2img-previews":
            assert state.preview is not None
            assert state.preview.prompt_id == answer.prompt_id

"""The protocol's known traps for clients, one test each, by their numbers in the notes on the protocol."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from comfytui.client import answers
from comfytui.client.errors import Missing
from comfytui.client.http import Http
from comfytui.client.messages import RawName
from comfytui.client.target import Target
from comfytui.state.model import JobState, Origin, Output, Phase
from comfytui.workflow.catalog import declared, is_output, output_types
from tests.state.conftest import connected, until
from tests.support.replay import OBJECT_INFO, FakeComfy, Hold, frame, txt2img


def ended(prompt_id: str) -> Any:
    return lambda state: prompt_id in state.history


async def test_trap_1_accepted_with_node_errors_is_accepted_and_the_dropped_output_said() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        problem = {
            "errors": [{"message": "Required input is missing", "details": "images"}],
            "dependent_outputs": ["77"],
        }
        reply = {"prompt_id": "p", "number": 1, "node_errors": {"77": problem}}
        server.answer("POST", "/prompt", web.json_response(reply))
        answer = await connection.submit(txt2img())
        assert connection.state.jobs[answer.prompt_id].state is not JobState.FAILED
        assert "output 77 was dropped" in (connection.state.last_error or "")


async def test_trap_2_an_interrupted_job_is_no_failed_one_live_and_in_the_history() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 2)
        prompt_id = (await connection.submit(txt2img())).prompt_id
        await server.held()
        await connection.interrupt(prompt_id)
        await until(connection, ended(prompt_id))
        assert server.history[prompt_id]["status"]["status_str"] == "error"
        await connection.load_job(prompt_id)
        assert connection.state.jobs[prompt_id].state is JobState.INTERRUPTED


async def test_trap_3_a_history_that_lags_the_success_is_asked_again() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        asked = 0

        async def late(request: web.Request) -> web.StreamResponse:
            nonlocal asked
            asked += 1
            return web.json_response({}) if asked == 1 else await server._get_entry(request)

        server.script(frame("execution_start", prompt_id="$id"))
        prompt_id = (await connection.submit(txt2img())).prompt_id
        server.answer("GET", f"/history/{prompt_id}", late)
        await until(connection, lambda s: ended(prompt_id)(s) and s.jobs[prompt_id].ended is not None)
        assert connection.state.jobs[prompt_id].state is JobState.DONE


async def test_trap_4_an_empty_object_means_missing() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        with pytest.raises(Missing):
            await http.history_entry("nobody")


def test_trap_5_the_pending_list_is_a_heap_and_gets_sorted() -> None:
    item = lambda number, name: [number, name, {}, {}, []]  # noqa: E731
    value = {"queue_running": [], "queue_pending": [item(1, "a"), item(9, "d"), item(2, "c"), item(2, "b")]}
    assert [prompt.prompt_id for prompt in answers.queue(value).waiting] == ["a", "b", "c", "d"]


async def test_trap_6_jobs_of_others_are_followed_by_asking_and_said_to_be_theirs() -> None:
    async with FakeComfy() as server, connected(server.url) as me, connected(server.url) as other:
        server.hold("3", 2)
        prompt_id = (await other.submit(txt2img())).prompt_id
        await server.held()
        state = await until(me, lambda s: s.running == (prompt_id,))
        assert state.jobs[prompt_id].origin is Origin.OTHER
        assert state.run is not None
        assert not state.run.told
        server.release()
        await until(me, ended(prompt_id))
        assert me.state.jobs[prompt_id].state is JobState.DONE


async def test_trap_6_a_job_without_a_client_is_broadcast() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.script(Hold(), frame("progress", value=2, max=4, prompt_id="$id", node="3"), Hold())
        async with Http(Target.parse(server.url)) as http:
            prompt_id = (await http.submit({"prompt": txt2img()})).prompt_id
        state = await until(connection, lambda s: s.running == (prompt_id,))
        assert state.jobs[prompt_id].origin is Origin.BROADCAST
        server.release()
        state = await until(connection, lambda s: s.run is not None and s.run.value == 2)
        assert state.run is not None
        assert state.run.told
        assert state.jobs[prompt_id].origin is Origin.BROADCAST
        server.release()


async def test_trap_7_after_a_reconnect_everything_is_asked_again_and_the_gap_is_marked() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        await connection.load_history()
        server.script(
            frame("execution_start", prompt_id="$id"), Hold(), frame("executing", node="3", prompt_id="$id"), Hold()
        )
        prompt_id = (await connection.submit(txt2img())).prompt_id
        await server.held()
        await until(connection, lambda s: s.running == (prompt_id,) and s.run is not None and s.run.told)
        before = {path: len(server.asked("GET", path)) for path in ("/queue", "/history")}
        await server.drop_sockets()
        state = await until(connection, lambda s: any(item.kind == "gap" for item in s.timeline))
        assert all(len(server.asked("GET", path)) > count for path, count in before.items())
        gap = next(item for item in state.timeline if item.kind == "gap")
        assert gap.until is not None
        assert gap.at <= gap.until
        assert [note.kind for note in state.jobs[prompt_id].notes] == ["gap"]
        await server.send({"type": "executing", "data": {"node": "3"}})  # told without an id
        await until(connection, lambda s: s.run is not None and s.run.node_id == "3")
        server.release()


async def test_trap_8_what_a_restart_forgot_is_lost_and_never_done() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        server.hold("3", 2)
        one, two = [(await connection.submit(txt2img(seed=seed))).prompt_id for seed in (1, 2)]
        await server.held()
        await until(connection, lambda s: s.running == (one,) and s.waiting == (two,))
        await server.restart()
        state = await until(connection, lambda s: {one, two} <= set(s.history))
        assert {state.jobs[item].state for item in (one, two)} == {JobState.LOST}
        await connection.send_again([two])
        state = await until(connection, lambda s: s.jobs[two].state is JobState.DONE)
        assert state.jobs[one].state is JobState.LOST


async def test_trap_8_another_version_behind_the_address_has_other_nodes() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        await connection.refresh_stats()
        await connection.load_object_info()
        stats = {"system": {"comfyui_version": "0.38.0"}, "devices": []}
        server.answer("GET", "/system_stats", web.json_response(stats))
        await connection.refresh_stats()
        assert connection.state.object_info is None
        assert any(item.kind == "version" and "0.38.0" in item.text for item in connection.state.timeline)
        server.object_info = {"New": {**OBJECT_INFO["KSampler"], "name": "New"}}
        assert list(await connection.load_object_info()) == ["New"]


async def test_trap_9_a_temporary_file_that_is_gone_is_missing() -> None:
    async with FakeComfy() as server, connected(server.url) as connection:
        with pytest.raises(Missing, match="no longer on the server"):
            await connection.fetch(Output("9", "images", "x.png", type="temp"))
        assert connection.state.link.phase is Phase.LIVE


async def test_trap_10_a_preview_has_the_full_size_so_only_its_encoding_is_asked_for() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        server.files["output", "", "a.png"] = b""
        with pytest.raises(Exception):  # noqa: B017 -- what the picture is does not matter here
            await http.view(RawName("a.png", "", "output"), "webp;80")
        assert server.asked("GET", "/view")[0].query["preview"] == "webp;80"
        assert {"width", "height"}.isdisjoint(server.asked("GET", "/view")[0].query)


def test_trap_11_numbers_may_be_floats_and_negative() -> None:
    item = lambda number, name: [number, name, {}, {}, []]  # noqa: E731
    value = {"queue_running": [], "queue_pending": [item(3, "c"), item(-7, "a"), item(2.5, "b"), item(None, "z")]}
    found = answers.queue(value).waiting
    assert [prompt.prompt_id for prompt in found] == ["a", "z", "b", "c"]
    assert answers.submitted({"prompt_id": "p", "number": -2.5}).number == -2.5


NODE = OBJECT_INFO["KSampler"]


@pytest.mark.parametrize(
    "node",
    [
        {**NODE, "display_name": None, "output_name": None},
        {**NODE, "display_name": "", "output_name": []},
        {**NODE, "input": {}},
        {**NODE, "input": {"optional": {"x": ["INT"]}}},
    ],
)
def test_trap_12_names_may_be_null_and_sections_missing(node: dict[str, Any]) -> None:
    assert isinstance(declared({"Odd": node}, "Odd"), dict)
    assert not is_output({"Odd": node}, "Odd")
    assert output_types({"Odd": node}, "Odd") == ("LATENT",)


def test_trap_13_a_type_without_options_is_an_input() -> None:
    node = {**NODE, "input": {"required": {"model": ["MODEL"], "n": ["INT"], "mode": [["a", "b"]]}}}
    assert set(declared({"Odd": node}, "Odd")) == {"model", "n", "mode"}

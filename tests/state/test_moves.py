"""Moving, holding and sending again, against a scripted server: no job is lost, whatever breaks in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from comfytui.client.errors import ClientError, Missing, NotKept, ReadOnly, Unreachable
from comfytui.client.target import Target
from comfytui.state import moves
from comfytui.state.connection import Connection
from comfytui.state.disk import NAME
from comfytui.state.model import JobState, Origin, Phase, ServerState
from comfytui.state.opening import open_connection
from tests.state.conftest import PATIENCE, until
from tests.support.replay import FakeComfy, status, txt2img


@asynccontextmanager
async def program(server: FakeComfy, folder: Path) -> AsyncIterator[Connection]:
    """One run of a program that remembers in `folder`."""
    connection = open_connection(Target.parse(server.url), folder=folder)
    task = asyncio.create_task(connection.run())
    try:
        await connection.wait_live(PATIENCE)
        yield connection
    finally:
        await connection.close()
        await asyncio.wait_for(task, PATIENCE)


async def queued(connection: Connection, server: FakeComfy, *seeds: int) -> list[str]:
    """A running job that is held back by the server, and jobs that wait behind it."""
    server.hold("3", 1)
    first = (await connection.submit(txt2img())).prompt_id
    await server.held()
    waiting = [(await connection.submit(txt2img(seed=seed), name=f"seed {seed}")).prompt_id for seed in seeds]
    await until(connection, lambda s: s.running == (first,) and s.waiting == tuple(waiting))
    return waiting


def numbers_at(server: FakeComfy) -> list[str]:
    return [item.prompt_id for item in sorted(server.pending, key=lambda item: (item.number, item.prompt_id))]


async def cut(request: web.Request) -> web.StreamResponse:
    """The connection dies instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


# Held ----------------------------------------------------------------------------------------------------------------


async def test_held_jobs_leave_the_queue_outlive_the_program_and_go_back_as_they_were(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            a, b, x = await queued(connection, server, 2, 3, 4)
            await connection.hold([b, a])
            assert (connection.state.held, connection.state.waiting) == ((a, b), (x,))
            assert numbers_at(server) == [x]
            assert connection.state.jobs[a].state is JobState.HELD
        async with program(server, tmp_path) as connection:
            state = connection.state
            assert state.held == (a, b)
            assert state.jobs[b].facts.seed == 3
            assert state.jobs[b].facts.name == "seed 3"
            assert state.jobs[b].origin is Origin.OURS
            await connection.release()
            assert connection.state.held == ()
            assert connection.state.waiting == (a, b, x)  # where they were
            assert numbers_at(server) == [a, b, x]
            kept = {item.prompt_id: item for item in server.pending}
            assert kept[b].graph == txt2img(seed=3)
            assert kept[b].extra_data["client_id"] == connection.client_id
            assert kept[b].outputs == ["9"]
        server.release()


async def test_held_jobs_are_moved_among_themselves_and_released_one_by_one(tmp_path: Path) -> None:
    async with FakeComfy() as server, program(server, tmp_path) as connection:
        a, b, x, y = await queued(connection, server, 2, 3, 4, 5)
        await connection.hold([a, b, x])
        await connection.move(x, 0)
        assert connection.state.held == (x, a, b)
        await connection.release([b], front=True)
        assert connection.state.waiting == (b, y)
        await connection.release()
        assert connection.state.waiting == (b, x, a, y)
        await connection.hold([x, a])
        await connection.cancel([x])
        assert connection.state.held == (a,)
        assert x not in connection.state.jobs
        await connection.release([a])
        assert numbers_at(server) == [b, a, y]
        server.release()


async def test_a_paused_queue_stays_paused_over_our_exit_and_holds_what_is_submitted(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            a, b = await queued(connection, server, 2, 3)
            await connection.pause()
            assert connection.state.paused
            new = (await connection.submit(txt2img(seed=9))).prompt_id
            assert connection.state.held == (a, b, new)
            urgent = (await connection.submit(txt2img(seed=10), hold=False)).prompt_id
            await until(connection, lambda s: s.waiting == (urgent,))
        async with program(server, tmp_path) as connection:
            assert connection.state.paused
            assert connection.state.held == (a, b, new)
            await connection.resume()
            assert not connection.state.paused
            assert set(numbers_at(server)) == {a, b, new, urgent}
        async with program(server, tmp_path) as connection:
            assert (connection.state.paused, connection.state.held) == (False, ())
        server.release()


async def test_what_began_meanwhile_is_not_held(tmp_path: Path) -> None:
    async with FakeComfy() as server, program(server, tmp_path) as connection:
        a, b = await queued(connection, server, 2, 3)

        async def late(request: web.Request) -> web.StreamResponse:  # `a` is taken before the deletion arrives
            server.running = next(item for item in server.pending if item.prompt_id == a)
            server.pending.remove(server.running)
            return await server._post_queue(request)

        server.answer("POST", "/queue", late)
        await connection.hold([a, b])
        assert connection.state.held == (b,)
        assert a in connection.state.running
        with pytest.raises(Missing):
            await connection.hold([a])


async def test_nothing_is_deleted_that_could_not_be_written_down(tmp_path: Path) -> None:
    async with FakeComfy() as server, program(server, tmp_path) as connection:
        a, b = await queued(connection, server, 2, 3)

        def full(work: Any) -> Any:
            raise NotKept("no space left on the device")

        connection._disk.write = full  # type: ignore[method-assign]
        for action in (connection.hold([a]), connection.move(b, 0), connection.pause()):
            with pytest.raises(NotKept, match="no space"):
                await action
        assert server.asked("POST", "/queue") == []
        assert connection.state.waiting == (a, b)
        server.release()


# Broken off ----------------------------------------------------------------------------------------------------------


async def test_the_link_dies_between_delete_and_resubmit_and_the_next_program_finishes_it(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            a, b = await queued(connection, server, 2, 3)
            server.answer("POST", "/prompt", cut)
            with pytest.raises(Unreachable, match="kept on this side"):
                await connection.move(b, 0)
            assert numbers_at(server) == [a]  # it exists nowhere but on our disk
        server.answer("POST", "/prompt", None)
        async with program(server, tmp_path) as connection:
            await until(connection, lambda s: s.waiting == (b, a))
            assert numbers_at(server) == [b, a]
            assert {item.prompt_id: item.graph for item in server.pending}[b] == txt2img(seed=3)
        server.release()


async def test_a_gateway_that_fails_for_a_while_delays_the_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "AGAIN", 0.01)
    async with FakeComfy() as server, program(server, tmp_path) as connection:
        a, b = await queued(connection, server, 2, 3)
        server.answer("POST", "/prompt", status(504))
        with pytest.raises(Unreachable):
            await connection.move(b, 0)
        server.answer("POST", "/prompt", None)
        await until(connection, lambda s: s.waiting == (b, a))
        server.release()


async def test_a_program_that_dies_after_the_delete_of_a_hold_still_holds(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            a, b = await queued(connection, server, 2, 3)

            async def deleted_and_gone(request: web.Request) -> web.StreamResponse:
                await server._post_queue(request)
                server.answer("GET", "/queue", cut)
                return await cut(request)

            server.answer("POST", "/queue", deleted_and_gone)
            with pytest.raises(ClientError):
                await connection.hold([b])
        server.answer("POST", "/queue", None)
        server.answer("GET", "/queue", None)
        async with program(server, tmp_path) as connection:
            state = await until(connection, lambda s: s.held == (b,))
            assert state.waiting == (a,)
            await connection.release()
            assert numbers_at(server) == [a, b]
        server.release()


async def test_a_program_that_dies_before_the_delete_of_a_hold_holds_nothing(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            a, b = await queued(connection, server, 2, 3)

            async def gone(request: web.Request) -> web.StreamResponse:
                server.answer("GET", "/queue", cut)
                return await cut(request)

            server.answer("POST", "/queue", gone)
            with pytest.raises(ClientError):
                await connection.hold([b])
        server.answer("POST", "/queue", None)
        server.answer("GET", "/queue", None)
        async with program(server, tmp_path) as connection:
            state = await until(connection, lambda s: s.waiting == (a, b))
            assert state.held == ()
        server.release()


async def test_two_programs_release_a_job_once(tmp_path: Path) -> None:
    async with FakeComfy() as server, program(server, tmp_path) as one:
        a, b = await queued(one, server, 2, 3)
        await one.hold([a, b])
        async with program(server, tmp_path) as two:
            assert two.client_id != one.client_id
            assert two.state.held == (a, b)
            await asyncio.gather(one.release(), two.release())
            assert numbers_at(server) == [a, b]
            assert one.state.held == two.state.held == ()
        server.release()


# Forgotten by the server ---------------------------------------------------------------------------------------------


async def test_a_restart_while_we_were_away_loses_jobs_and_one_call_sends_them_again(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            done = (await connection.submit(txt2img())).prompt_id
            await until(connection, lambda s: s.history == (done,) and s.jobs[done].outputs)
            a, b = await queued(connection, server, 2, 3)
        await server.restart()
        async with program(server, tmp_path) as connection:
            state = await until(connection, lambda s: {a, b} <= set(s.history))
            assert done not in state.jobs  # it had ended: nothing of it is kept
            assert {state.jobs[item].state for item in (a, b)} == {JobState.LOST}
        async with program(server, tmp_path) as connection:  # lost jobs are remembered, too
            assert {connection.state.jobs[item].state for item in (a, b)} == {JobState.LOST}
            server.hold("3", 1)
            answers = await connection.send_again([a, b])
            assert [answer.prompt_id for answer in answers] == [a, b]
            await server.held()
            server.release()
            state = await until(connection, lambda s: all(s.jobs[i].state is JobState.DONE for i in (a, b)))
            assert state.jobs[b].origin is Origin.OURS
            with pytest.raises(Missing, match="not lost"):
                await connection.send_again([a])
        async with program(server, tmp_path) as connection:
            assert not {a, b} & set(connection.state.jobs)


async def test_a_lost_job_can_be_forgotten(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            (a,) = await queued(connection, server, 2)
        await server.restart()
        async with program(server, tmp_path) as connection:
            await until(connection, lambda s: a in s.history)
            ids = [i for i, job in connection.state.jobs.items() if job.state is JobState.LOST]
            await connection.forget(ids)
            assert dict(connection.state.jobs) == {}
        async with program(server, tmp_path) as connection:
            assert dict(connection.state.jobs) == {}


async def test_a_job_that_ended_while_we_were_away_is_what_the_history_says(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            (a,) = await queued(connection, server, 2)
        server.release()
        async with program(server, tmp_path) as connection:
            await until(connection, lambda s: a in s.history and s.jobs[a].state is JobState.DONE)


async def test_coming_back_under_the_same_client_id_progress_is_told_again(tmp_path: Path) -> None:
    async with FakeComfy() as server:
        async with program(server, tmp_path) as connection:
            me = connection.client_id
            server.hold("3", 2)
            a = (await connection.submit(txt2img())).prompt_id
            await server.held()
        async with program(server, tmp_path) as connection:
            assert connection.client_id == me
            await until(connection, lambda s: s.running == (a,))
            server.hold("3", 4)
            server._go.set()
            state = await until(connection, lambda s: s.jobs[a].state is JobState.DONE)
            assert any(node.maximum == 4 for node in state.jobs[a].nodes)
        server.release()


# Looking only --------------------------------------------------------------------------------------------------------


async def test_read_only_refuses_every_call_that_changes_the_server(tmp_path: Path) -> None:
    async with FakeComfy() as server, program(server, tmp_path) as connection:
        a, b = await queued(connection, server, 2, 3)
        before = [item for item in server.requests if item.method != "GET"]
        connection.read_only = True
        assert connection.state.read_only
        for action in (
            connection.submit(txt2img()), connection.cancel([a]), connection.clear_queue(), connection.interrupt(),
            connection.move(b, 0), connection.hold([a]), connection.release(), connection.pause(), connection.resume(),
            connection.send_again([a]), connection.delete_history([a]), connection.upload(b"x", "x.png"),
            connection.free(), connection.set_server_setting("a", 1),
        ):  # fmt: skip
            with pytest.raises(ReadOnly, match="reading only"):
                await action
        assert [item for item in server.requests if item.method != "GET"] == before
        assert connection.state.waiting == (a, b)
        assert not connection.state.paused
        await connection.load_history()
        connection.read_only = False
        await connection.move(b, 0)
        assert connection.state.waiting == (b, a)
        server.release()


async def test_a_damaged_memory_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no database at all" * 100)
    async with FakeComfy() as server, program(server, tmp_path) as connection:
        answer = await connection.submit(txt2img())
        state: ServerState = await until(connection, lambda s: answer.prompt_id in s.history)
        assert state.link.phase is Phase.LIVE
        assert state.last_error is None
    assert (tmp_path / f"{NAME}.unusable").exists()
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0

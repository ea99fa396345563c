"""A recording that is played back gives the state that there was, through the ordinary connection."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from comfytui.client.errors import ReadOnly
from comfytui.client.playback import Playback
from comfytui.client.recording import Recorder, load
from comfytui.client.target import Target
from comfytui.state.connection import Connection
from comfytui.state.model import JobState, Phase, ServerState
from comfytui.state.opening import WAY, Way, open_connection
from tests.state.conftest import PATIENCE, until
from tests.state.test_engine_end_to_end import finished, trivial
from tests.support.engine import RunningEngine
from tests.support.replay import FakeComfy, txt2img


async def live(connection: Connection) -> asyncio.Task[None]:
    task = asyncio.create_task(connection.run())
    await connection.wait_live(PATIENCE)
    return task


async def left(connection: Connection, task: asyncio.Task[None]) -> None:
    await connection.close()
    await asyncio.wait_for(task, PATIENCE)


def essence(state: ServerState) -> Any:
    """What must be the same, whoever watches and whenever."""
    jobs = {
        job.id: (job.state, job.mine, job.outputs, [(node.id, node.state) for node in job.nodes], job.facts, job.shape,
                 job.failure.message if job.failure else None)
        for job in state.jobs.values()
    }  # fmt: skip
    return jobs, state.history, state.running, state.waiting, state.queue_remaining


async def test_recorded_from_the_real_engine_and_played_back(engine: RunningEngine, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "tape")
    connection = Connection(Target.parse(engine.url), recorder=recorder)
    task = await live(connection)
    for colour in (71, 72):
        await finished(
            connection, (await connection.submit(trivial(colour, "tape"), name=f"colour {colour}")).prompt_id
        )
    await finished(connection, (await connection.submit(trivial(71, "tape"))).prompt_id)  # cached
    await connection.load_history(10)
    await connection.refresh_stats()
    recorded = await until(connection, lambda s: not s.running and not s.waiting and s.queue_remaining == 0)
    await left(connection, task)
    recorder.close()

    playback = Playback(load(tmp_path / "tape"), speed=20.0)
    await playback.start()
    watching = Connection(Target.parse(playback.url))
    task = await live(watching)
    await asyncio.wait_for(playback.finished.wait(), PATIENCE)
    await watching.load_history(10)
    wanted = essence(recorded)
    state = await until(watching, lambda s: s.history == recorded.history and not s.running and not s.waiting)
    assert essence(state) == wanted
    assert state.stats is not None
    assert state.stats.version == (recorded.stats.version if recorded.stats else None)
    await left(watching, task)
    await playback.stop()


async def test_a_gap_is_played_back_as_a_gap(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "tape")
    async with FakeComfy() as server:
        connection = Connection(Target.parse(server.url), recorder=recorder)
        task = await live(connection)
        server.hold("3", 2)
        prompt_id = (await connection.submit(txt2img())).prompt_id
        await server.held()
        await until(connection, lambda s: s.run is not None and s.run.node_id == "3")
        await server.drop_sockets()
        await until(connection, lambda s: any(item.kind == "gap" for item in s.timeline))
        server.release()
        await until(connection, lambda s: prompt_id in s.history and s.jobs[prompt_id].outputs and not s.running)
        await left(connection, task)
    recorder.close()
    tape = load(tmp_path / "tape")
    at = next(row.t for row in tape.rows if row.kind == "closed")
    later = lambda row: replace(row, t=row.t + 3, asked=row.asked + 3) if row.t >= at else row  # noqa: E731 -- time to connect
    with Playback(replace(tape, rows=tuple(map(later, tape.rows)))).in_thread() as url:
        watching = Connection(Target.parse(url))
        task = await live(watching)
        state = await until(watching, lambda s: prompt_id in s.history and any(i.kind == "gap" for i in s.timeline))
        assert state.jobs[prompt_id].state is JobState.DONE
        assert state.preview is not None
        await left(watching, task)


async def test_a_recording_cannot_be_changed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "tape")
    async with FakeComfy() as server:
        connection = Connection(Target.parse(server.url), recorder=recorder)
        task = await live(connection)
        await left(connection, task)
    with Playback(load(tmp_path / "tape")).in_thread() as url:
        token = WAY.set(Way(replay=True))
        try:
            watching = open_connection(Target.parse(url), folder=tmp_path / "state")
        finally:
            WAY.reset(token)
        task = await live(watching)
        assert watching.state.link.phase is Phase.LIVE
        with pytest.raises(ReadOnly):
            await watching.submit(txt2img())
        await left(watching, task)
    assert not (tmp_path / "state").exists()

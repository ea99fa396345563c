"""`comfytui watch`, and what happens to jobs when somebody who watches them leaves."""

from __future__ import annotations

import itertools
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from comfytui.cli import events
from comfytui.cli.diagnostics import Exit
from comfytui.state.model import Job, JobState, Link, NodeRun, NodeState, Phase, Run, ServerState
from tests.support.engine import RunningEngine
from tests.support.replay import FakeComfy

from .conftest import Call
from .test_run import begun

PATIENCE = 60.0  # seconds
TRIVIAL = Path(__file__).parents[2] / "examples" / "trivial.json"


def until(process: Any, name: str) -> list[dict[str, Any]]:
    """Read events up to one of this name."""
    seen: list[dict[str, Any]] = []
    guard = threading.Timer(PATIENCE, process.kill)  # what never comes must not hold up all tests
    guard.start()
    try:
        for line in process.stdout:
            seen.append(json.loads(line))
            if seen[-1]["event"] == name:
                return seen
    finally:
        guard.cancel()
    pytest.fail(f"it ended without {name}: {seen} {process.stderr.read()}")


def names(seen: list[dict[str, Any]]) -> list[str]:
    return [each["event"] for each in seen]


def queued(call: Call, server: FakeComfy, workflow: Path, count: int = 1) -> list[str]:
    return call("run", workflow, "--no-wait", "--count", count, "--server", server.url).lines


def test_a_job_from_where_it_is_to_its_end(process: Any, call: Call, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3", 2)
    (prompt_id,) = queued(call, server, workflow)
    watching = process("watch", prompt_id[:13], "--server", server.url)
    seen = until(watching, "running")
    server.call("release")
    out, err = watching.communicate(timeout=30)
    seen += [json.loads(line) for line in out.splitlines()]
    assert watching.returncode == 0, err
    assert (seen[0]["event"], seen[0]["server"]) == ("connected", server.url)
    assert names(seen)[-2:] == ["output", "done"], "the files are told before the end"
    assert seen[-2]["filename"] == "img_00001_.png"
    assert {each["prompt_id"] for each in seen[1:]} == {prompt_id}
    assert any(each["event"] == "progress" and each["node_id"] == "3" for each in seen), (
        "ours again: its steps are told"
    )
    assert all(each["at"] <= later["at"] for each, later in itertools.pairwise(seen) if later["event"] != "output")


def test_the_code_is_that_of_the_first_that_did_not_succeed(call: Call, server: FakeComfy, workflow: Path) -> None:
    server.call("fail_node", "3", "RuntimeError", "out of luck")
    failed, done = queued(call, server, workflow, 2)
    told = call("watch", done, failed, "--server", server.url)
    assert told.code == Exit.JOB_FAILED
    (end,) = [each for each in map(json.loads, told.lines) if each["event"] == "failed"]
    assert "node 3 (KSampler): RuntimeError: out of luck" in end["error"]
    assert call("watch", "last", "--server", server.url).code == 0
    missed = call("watch", "zzz", "--server", server.url)
    assert (missed.code, missed.out) == (Exit.USAGE, "")
    assert "no job is known that begins with 'zzz'" in missed.err


def test_a_gap_is_told_and_survived(process: Any, call: Call, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3", 2)
    (prompt_id,) = queued(call, server, workflow)
    watching = process("watch", prompt_id, "--server", server.url)
    until(watching, "running")
    server.call("drop_sockets")
    seen = until(watching, "connected")
    assert names(seen)[-3:] == ["disconnected", "gap", "connected"]
    assert seen[-2]["seconds"] >= 0
    server.call("release")
    out, _ = watching.communicate(timeout=30)
    assert (watching.returncode, json.loads(out.splitlines()[-1])["event"]) == (0, "done")


def test_a_restarted_server_and_one_that_stays_away(process: Any, call: Call, workflow: Path) -> None:
    with FakeComfy.in_thread() as server:
        server.call("hold", "3", 2)
        (prompt_id,) = queued(call, server, workflow)
        watching = process("watch", prompt_id, "--server", server.url, "--patience", "0.3")
        until(watching, "running")
    _, err = watching.communicate(timeout=30)
    assert watching.returncode == Exit.UNREACHABLE
    assert "may go on there" in err


def test_all_jobs_of_a_server(process: Any, call: Call, engine: RunningEngine) -> None:
    watching = process("watch", "--server", engine.url)
    until(watching, "queue")
    (prompt_id,) = call("run", TRIVIAL, "--no-wait", "--server", engine.url).lines
    seen = until(watching, "done")
    assert seen[-1]["prompt_id"] == prompt_id
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=30)
    assert (watching.returncode, err.strip()) == (Exit.CTRL_C, "")


def test_jobs_too_short_to_be_seen_in_the_queue_are_told(process: Any, call: Call, engine: RunningEngine) -> None:
    call("run", TRIVIAL, "--server", engine.url)  # its results are kept: the next ones take a millisecond
    watching = process("watch", "--server", engine.url)
    until(watching, "queue")
    told: list[str] = []
    for _ in range(5):
        (prompt_id,) = call("run", TRIVIAL, "--no-wait", "--server", engine.url).lines
        told.append(until(watching, "done")[-1]["prompt_id"])
        assert told[-1] == prompt_id
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=30)


def test_until_idle(call: Call, engine: RunningEngine) -> None:
    call("run", TRIVIAL, "--no-wait", "--count", 3, "--server", engine.url)
    done = call("watch", "--idle", "--server", engine.url)
    assert done.code == 0, done.err
    assert done.lines


@pytest.mark.parametrize(
    "arguments", [["--cancel-on-exit"], ["last", "--idle"], ["--patience", "-1"], ["last", "--nope"]]
)
def test_wrong_usage(call: Call, arguments: list[str]) -> None:
    assert call("watch", *arguments).code == Exit.USAGE


# Leaving ---------------------------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(
    process: Any, call: Call, server: FakeComfy, workflow: Path
) -> None:
    server.call("hold", "3", 2)
    running = process("run", workflow, "--server", server.url)
    begun(running, "running")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == Exit.CTRL_C
    prompt_id = server.running.prompt_id if server.running is not None else ""
    back = f"comfytui watch {prompt_id} --server {server.url}"
    assert back in err
    watching = process(*back.split()[1:])
    until(watching, "running")
    watching.send_signal(signal.SIGTERM)
    _, err = watching.communicate(timeout=30)
    assert (watching.returncode, back in err) == (Exit.CTRL_C, True)
    assert server.running is not None
    server.call("release")


@pytest.mark.parametrize("command", ["run", "watch"])
def test_or_cancels_it(process: Any, call: Call, server: FakeComfy, workflow: Path, command: str) -> None:
    server.call("hold", "3", 2)
    if command == "run":
        leaving = process("run", workflow, "--count", 2, "--server", server.url, "--cancel-on-exit")
        begun(leaving, "running")
        while len(server.pending) < 1:
            time.sleep(0.01)
    else:
        ids = queued(call, server, workflow, 2)
        leaving = process("watch", *ids, "--server", server.url, "--cancel-on-exit")
        until(leaving, "running")
        until(leaving, "waiting")
    leaving.send_signal(signal.SIGINT)
    _, err = leaving.communicate(timeout=30)
    assert leaving.returncode == Exit.CTRL_C
    assert "stopped: 1 interrupted, 1 taken out of the queue" in err
    assert server.pending == []
    server.call("release")
    assert call("watch", "--idle", "--server", server.url).code == 0
    assert {each["status"]["status_str"] for each in server.history.values()} == {"error"}


# What happened between two states ---------------------------------------------------------------------------------------


def state(**changes: Any) -> ServerState:
    return ServerState(link=Link("http://x", Phase.LIVE), **changes)


def test_states_become_events() -> None:
    node = NodeRun("3", "KSampler", "Sampler")
    before = state(jobs={"a": Job("a", JobState.WAITING, nodes=(node,))}, waiting=("a",))
    after = state(
        jobs={"a": Job("a", JobState.RUNNING, nodes=(NodeRun("3", "KSampler", "Sampler", NodeState.RUNNING),))},
        running=("a",),
        run=Run("a", "3", 1, 4, rate=2.0),
    )
    told = events.between(before, after, 5.0, None, 0.0)
    assert [each.event for each in told] == ["running", "node", "progress", "queue"]
    assert (told[2].value, told[2].maximum, told[3].waiting) == (1, 4, 0)
    assert events.between(after, after, 6.0, None, 0.0) == []
    assert events.between(before, after, 5.0, {"b"}, 0.0) == [], "somebody else's job"
    gone = events.between(after, state(), 7.0, {"a"}, 0.0)
    assert [each.event for each in gone] == ["removed"]


def test_what_ended_before_is_no_news() -> None:
    old = Job("a", JobState.DONE, ended=10.0)
    assert events.between(state(), state(jobs={"a": old}), 50.0, None, 20.0) == []
    assert [each.event for each in events.between(state(), state(jobs={"a": old}), 50.0, None, 5.0)] == ["done"]


def test_a_hundred_steps_a_second_are_not_a_hundred_lines(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    from tests.support.replay import txt2img

    graph = txt2img()
    graph["3"]["inputs"]["steps"] = 500
    (tmp_path / "long.json").write_text(json.dumps(graph))
    ids = queued(call, server, tmp_path / "long.json")
    seen = [json.loads(line) for line in call("watch", *ids, "--server", server.url).lines]
    progress = [each for each in seen if each["event"] == "progress"]
    assert len(progress) < 100

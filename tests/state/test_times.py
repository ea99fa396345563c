"""What is learned of a run, and what is said of the next: how far, how long, when it begins; unknown stays unknown."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from comfytui.client import messages as m
from comfytui.state import changes as c
from comfytui.state import times
from comfytui.state.disk import Disk
from comfytui.state.learned import Learned
from comfytui.state.model import Job, JobState, NodeRun, NodeState, Run, ServerState, Timing
from comfytui.workflow.identity import shape
from tests.state.test_reduce import accepted, fresh, play, queue
from tests.support.samples import txt2img

P, Q, R = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
TOOK = {"4": 10.0, "5": 0.0, "6": 1.0, "7": 1.0, "3": 20.0, "8": 4.0, "9": 4.0}


def ran(state: ServerState, prompt_id: str = P, at: float = 0.0, **options: int) -> ServerState:
    """One whole run, each node taking its time."""
    state = play(state, accepted(prompt_id, **options), m.ExecutionStart(prompt_id), at=at)
    for node, seconds in TOOK.items():
        state = play(state, m.Executing(node, node, prompt_id), at=at)
        at += seconds
    return play(state, m.ExecutionSuccess(prompt_id), at=at)


def test_progress_is_weighted_by_what_the_nodes_took_last_time() -> None:
    state = ran(fresh())
    state = play(state, accepted(Q, seed=99), m.ExecutionStart(Q), at=1000.0)
    at = 1000.0
    for node in ("4", "5", "6", "7", "3"):
        state = play(state, m.Executing(node, node, Q), at=at)
        at += TOOK[node]
    state = play(state, m.Progress(2, 4, "3", Q), at=1022.0)
    found = times.progress(state, state.jobs[Q], 1022.0)
    assert found.fraction == pytest.approx((12 + 10) / 40)
    assert found.left == pytest.approx(10 + 4 + 4)
    assert (found.elapsed, found.source) == (22.0, "learned")


def test_twice_the_steps_take_the_sampler_twice_as_long() -> None:
    state = ran(fresh(), steps=4)
    state = play(state, accepted(Q, steps=8))
    assert times.estimate(state, state.jobs[Q]).seconds == pytest.approx(40 + 20)


def test_a_workflow_is_known_by_its_nodes_and_links_and_not_by_its_values() -> None:
    graph = txt2img()
    assert shape(graph) == shape(txt2img(seed=5, steps=9, text="other", prefix="x"))
    assert shape(dict(reversed(graph.items()))) == shape(graph)
    other = txt2img()
    other["3"]["inputs"]["positive"] = ["7", 0]
    assert shape(other) != shape(graph)
    assert shape({}) == ""


def test_the_queue_s_begins_are_known_until_the_first_unknown_job() -> None:
    state = ran(fresh())
    state = play(state, accepted(P, 1.0), accepted(Q, 2.0), at=500.0)
    unknown = c.Accepted(R, 3.0, {"1": {"class_type": "Odd", "inputs": {}}}, {"client_id": "me"})
    last = "44444444-0000-4000-8000-000000000000"
    state = play(replace(state, history=()), unknown, accepted(last, 4.0), at=500.0)
    state = play(state, m.ExecutionStart(P), m.Executing("4", "4", P), at=500.0) if P in state.waiting else state
    begins = times.starts(state, 504.0)
    assert begins[Q].seconds == pytest.approx(40)
    assert begins[R].at is not None
    assert (begins[R].seconds, begins[R].source) == (None, "")
    assert begins[last].at is None  # it waits for one of which nothing is known
    assert begins[last].seconds == pytest.approx(40)


def test_other_workflows_with_the_same_model_give_an_estimate_by_size() -> None:
    state = ran(fresh())
    graph = txt2img(steps=8)
    graph["10"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    state = play(state, c.Accepted(Q, 1.0, graph, {"client_id": "x"}))
    found = times.estimate(state, state.jobs[Q])
    assert (found.seconds, found.source) == (pytest.approx(80), "similar")


def test_gaps_failures_and_cached_nodes_teach_nothing_wrong() -> None:
    state = ran(fresh())
    before = state.timings
    events = [accepted(Q), m.ExecutionStart(Q), m.ExecutionCached(Q, ("4", "5", "6", "7")), m.Executing("3", "3", Q)]
    gone = play(
        state, *events, c.Connected(), c.Dropped("x", 1.0), c.Connected(), m.ExecutionSuccess(Q), at=100.0, step=9
    )
    assert gone.timings is before
    failed = play(state, *events, m.ExecutionError(Q, "no", node_id="3"), at=100.0, step=9)
    assert failed.timings is before
    cached = play(state, *events, at=100.0)
    cached = play(cached, m.ExecutionSuccess(Q), at=110.0)
    (timing,) = cached.timings.values()
    assert timing.nodes["4"] == 10.0  # what it took when it ran
    assert timing.nodes["3"] == pytest.approx(15.0)


def test_somebody_else_s_job_is_judged_by_its_time_alone() -> None:
    state = ran(fresh())
    state = play(state, c.QueueSeen(queue(running=[Q], client="somebody"), state.version), at=1000.0)
    assert state.run is not None
    assert not state.run.told
    assert times.progress(state, state.jobs[Q], 1010.0).left == pytest.approx(30)


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -1.0, 1e308, 5.0])
NODE = st.builds(
    NodeRun, st.sampled_from("abc"), st.just("X"), st.just("x"), st.sampled_from(list(NodeState)), NUMBER, NUMBER,
    st.none() | st.floats(0, 1e9), st.none() | st.floats(0, 1e9),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(NODE, max_size=4), st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e6)), st.floats(0, 1e9), NUMBER
)
def test_progress_is_always_between_none_and_all(
    nodes: list[NodeRun], known: dict[str, float], at: float, left: float
) -> None:
    job = Job(id=P, state=JobState.RUNNING, nodes=tuple(nodes), shape="s", started=5.0)
    run = Run(prompt_id=P, node_id="a", left=left if left >= 0 else None)
    state = replace(fresh(), jobs={P: job}, running=(P,), run=run, timings={"s": Timing(known, sum(known.values()))})
    found = times.progress(state, job, at)
    assert 0.0 <= found.fraction <= 1.0
    assert found.elapsed is not None
    assert found.left is None or found.left >= 0
    times.learned(state, replace(job, state=JobState.DONE))


def test_learned_times_are_kept_bounded_and_by_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.state.learned.LEARNED", 3)
    disk = Disk(tmp_path / "db")
    one = Learned(disk, "http://one")
    one.save({str(n): Timing({"1": float(n)}, float(n), None, "m", at=float(n)) for n in range(5)})
    assert list(Learned(Disk(tmp_path / "db"), "http://one").load()) == ["2", "3", "4"]
    assert Learned(disk, "http://two").load() == {}


def test_programs_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        learned = Learned(Disk(tmp_path / "db"), "http://one")
        for n in range(10):
            learned.save({f"{number}-{n}": Timing({"1": 1.0}, 1.0, at=float(n))})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Learned(Disk(tmp_path / "db"), "http://one").load()) == 40

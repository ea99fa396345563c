"""Whatever a server sends for however long: the state stays consistent, frozen, within its bounds, and flat in memory."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.client import messages as m
from comfytui.client.frames import binary_frame, text_frame
from comfytui.state import changes as c
from comfytui.state.ageing import MOST, SLACK, WHOLE
from comfytui.state.model import JobState, NodeState, ServerState
from comfytui.state.reduce import STATS, reduce
from comfytui.state.samples import RATES
from comfytui.state.timeline import NOTES, SHOWN, TIMELINE, of_job
from comfytui.state.times import LEARNED, progress, starts
from tests.state.test_reduce import EVENTS, IDS, NUMBER, accepted, entry, fresh, queue, run_events
from tests.support.samples import txt2img

KEPT = st.builds(c.Kept, IDS, NUMBER, st.just(txt2img()), st.just({"client_id": "x"}), mine=st.booleans())
KEEPS = st.lists(KEPT, max_size=2).map(tuple)
STATS_SEEN = st.builds(lambda version: c.StatsSeen(m.SystemStats(version)), st.sampled_from(["1", "2", ""]))
MORE = st.one_of(
    EVENTS,
    st.builds(c.Recalled, KEEPS, KEEPS, KEEPS, st.booleans()),
    st.builds(c.Held, KEEPS),
    st.builds(c.Lost, st.lists(IDS, max_size=2).map(tuple)),
    st.builds(c.Paused, st.booleans()),
    st.builds(c.Dropped, st.just("x"), st.just(1.0), st.none() | st.floats(0, 200)),
    st.just(c.CatalogueSeen({"A": {}})),
    STATS_SEEN,
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1", "3", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["prompt_id", "node", "nodes", "value", "max", "state", "status", "exec_info", "output", "3"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
TYPES = st.sampled_from([
    "status", "execution_start", "execution_cached", "executing", "progress", "progress_state", "executed", "execution_success",
    "execution_error", "execution_interrupted", "feature_flags", "logs", "crystools.monitor", "",
])  # fmt: skip
FRAMES = st.builds(lambda kind, data: text_frame(json.dumps({"type": kind, "data": data})), TYPES, DATA) | st.binary(
    max_size=40
).map(binary_frame)


def consistent(state: ServerState, at: float) -> None:
    jobs = state.jobs
    for ids, wanted in ((state.running, "running"), (state.waiting, "waiting"), (state.held, "held")):
        assert len(set(ids)) == len(ids)
        assert {jobs[item].state.value for item in ids} <= {wanted}
    assert len(set(state.history)) == len(state.history)
    assert not set(state.history) & {*state.running, *state.waiting, *state.held}
    assert {jobs[i].state for i in state.history}.isdisjoint({JobState.RUNNING, JobState.WAITING, JobState.HELD})
    assert state.run is None or state.run.prompt_id in state.running
    assert len(state.timeline) <= TIMELINE
    assert len(state.rates) <= RATES
    assert len(state.stats_history) <= STATS
    assert len(state.timings) <= LEARNED
    for job in jobs.values():
        assert len(job.notes) <= NOTES
        found = progress(state, job, at)
        assert 0.0 <= found.fraction <= 1.0
        assert found.left is None or found.left >= 0.0
        told = of_job(job)
        assert len(told) <= SHOWN
        assert [item.at for item in told] == sorted(item.at for item in told)
    assert set(starts(state, at)) == set(state.waiting)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(MORE | FRAMES, st.floats(-1, 5)), max_size=30))
def test_any_sequence_of_events_answers_and_disconnects(happenings: list[tuple[c.Happening, float]]) -> None:
    state, at = fresh(), 100.0
    for happening, passed in happenings:
        at += passed
        state = reduce(state, happening, at)
    consistent(state, at)
    with pytest.raises(AttributeError):
        state.run = None  # type: ignore[misc]


# What tells success: an end that was told, or an entry of the history. Nothing else may.
SILENT = st.one_of(
    st.builds(m.ExecutionStart, IDS),
    st.builds(m.Progress, NUMBER, NUMBER, st.just("3"), IDS),
    st.builds(m.Status, st.integers(0, 3)),
    st.builds(accepted, IDS, NUMBER),
    st.builds(c.Vanished, st.lists(IDS, max_size=2).map(tuple), st.integers(0, 60)),
    st.builds(c.QueueSeen, st.builds(queue, st.lists(IDS, max_size=1), st.lists(st.tuples(NUMBER, IDS), max_size=2)), st.integers(0, 60)),
    st.builds(c.HistorySeen, st.just(()), st.sampled_from(list(c.Page)), st.integers(0, 60), st.booleans()),
    st.builds(c.Held, KEEPS), st.builds(c.Recalled, KEEPS, KEEPS, KEEPS),
    st.sampled_from([c.Connected(), c.Dropped("x", 1.0), c.Connecting()]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(SILENT, max_size=30))
def test_absence_is_never_success(happenings: list[c.Happening]) -> None:
    state = fresh()
    for number, happening in enumerate(happenings):
        state = reduce(state, happening, 100.0 + number)
    assert JobState.DONE not in {job.state for job in state.jobs.values()}
    assert NodeState.FAILED not in {node.state for job in state.jobs.values() for node in job.nodes}


def hour(state: ServerState, begin: float, jobs: int) -> ServerState:
    """An hour of a busy server, fast-forwarded: whole runs in both dialects, stats, drops, a growing history."""
    step = 3600.0 / jobs
    for number in range(jobs):
        prompt_id = f"{int(begin):08x}-{number:04x}-4000-8000-000000000000"
        at = begin + number * step
        state = reduce(state, accepted(prompt_id, float(number), seed=number), at)
        events = run_events(prompt_id, "new" if number % 2 else "old")
        for index, event in enumerate(events):
            state = reduce(state, event, at + step * index / len(events))
        state = reduce(state, c.StatsSeen(m.SystemStats("1", devices=(m.DeviceStats("gpu"),))), at + step)
        state = reduce(state, m.Unknown("crystools.monitor"), at)
        if number % 50 == 0:
            state = reduce(state, c.Dropped("gone", at + 1, at), at)
            state = reduce(state, c.Connected(), at + 2)
    return state


def test_memory_is_flat_over_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.state.ageing.WHOLE", 20)  # so that a short hour has old jobs
    tracemalloc.start()
    try:
        state = reduce(fresh(), c.Connected(), 0.0)
        sizes = []
        for number in range(4):
            state = hour(state, 1e6 + 3600.0 * number, 40)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    consistent(state, 1e7)
    per_job = (sizes[-1] - sizes[1]) / (2 * 40)
    assert per_job < 6_000, f"{per_job:.0f} bytes a finished job; what grows is the list of the history alone"
    assert state.jobs[state.history[-1]].graph == {}
    assert state.jobs[state.history[0]].graph


def test_the_history_is_bounded_and_old_entries_are_small() -> None:
    state = fresh()
    pages = (MOST + 2 * SLACK) // 1000
    for page in range(pages):
        entries: Any = tuple(entry(f"{page}-{number}") for number in range(1000))
        state = reduce(state, c.HistorySeen(entries, c.Page.OLDER, state.version, False), 100.0)
    assert MOST <= len(state.history) <= MOST + SLACK
    assert len(state.jobs) == len(state.history)
    whole = [item for item in state.history if state.jobs[item].graph]
    assert whole == list(state.history[:WHOLE])
    last = state.jobs[state.history[-1]]
    assert last.facts.positive == "a red circle"
    assert last.outputs
    # a job that is opened is whole again
    state = reduce(state, c.HistorySeen((entry(last.id),), c.Page.SINGLE, state.version), 200.0)
    assert state.jobs[last.id].graph


def test_two_thousand_events_a_second_are_one_version_each_and_no_timeline() -> None:
    state = reduce(fresh(), accepted("p"), 0.0)
    state = reduce(state, m.ExecutionStart("p"), 0.0)
    before = len(state.timeline)
    for number in range(2000):
        state = reduce(state, m.Progress(float(number % 20), 20.0, "3", "p"), number / 2000)
        state = reduce(
            state, m.ProgressState("p", (m.NodeProgress("3", "3", "running", number % 20, 20.0),)), number / 2000
        )
    assert len(state.timeline) == before
    assert len(state.rates) <= 2
    assert msgspec.structs.asdict(state)["jobs"]["p"].state is JobState.RUNNING

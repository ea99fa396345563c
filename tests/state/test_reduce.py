"""What becomes of the state: events in order, out of order, twice, not at all; answers newer and older than events."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from comfytui.client import answers
from comfytui.client import messages as m
from comfytui.client.frames import binary_frame, text_frame
from comfytui.state import changes as c
from comfytui.state.model import Job, JobState, Link, NodeState, Phase, ServerState
from comfytui.state.reduce import reduce, unlisted
from comfytui.state.runs import advance
from comfytui.state.timeline import TIMELINE
from tests.support.samples import SHARED, Finish, Queued, Recording, txt2img, with_id
from tests.support.script import Script

ME = "my-client"
P, Q = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def fresh() -> ServerState:
    return ServerState(link=Link(url="http://h:8188"), client_id=ME)


def play(state: ServerState, *happenings: c.Happening, at: float = 100.0, step: float = 0.0) -> ServerState:
    for happening in happenings:
        state = reduce(state, happening, at)
        at += step
    return state


def accepted(prompt_id: str = P, number: float = 0.0, **options: Any) -> c.Accepted:
    return c.Accepted(prompt_id, number, txt2img(**options), {"client_id": ME}, "portrait")


def run_events(prompt_id: str = P, dialect: str = "new", graph: dict[str, Any] | None = None) -> list[m.Event]:
    """The events of a whole run, as the scripted server sends them."""
    job = Queued(0, prompt_id, graph or txt2img(), {"client_id": ME, "preview_method": "auto"}, ["9"])
    events: list[m.Event] = []
    for step in Script(itertools.count(1), dialect, metadata=True).steps(job):
        if isinstance(step, Finish):
            events.append(m.Executing(None, None, prompt_id))
        elif isinstance(step, bytes):
            events.append(binary_frame(with_id(step, prompt_id)))
        else:
            events.append(text_frame(json.dumps(with_id(step, prompt_id))))
    return events


def queue(running: list[str] = [], waiting: list[tuple[float, str]] = [], client: str = ME) -> m.Queue:  # noqa: B006
    item = lambda number, i: [number, i, txt2img(), {"client_id": client}, ["9"]]  # noqa: E731
    return answers.queue(
        {"queue_running": [item(0, i) for i in running], "queue_pending": [item(number, i) for number, i in waiting]}
    )


def entry(prompt_id: str = P, outcome: str = "success", client: str = ME) -> m.HistoryEntry:
    last = {"timestamp": 1_000_004_000, "node_id": "3", "exception_message": "out of luck", "exception_type": "X"}
    status = {
        "status_str": "success" if outcome == "success" else "error",
        "completed": outcome == "success",
        "messages": [["execution_start", {"timestamp": 1_000_001_000}], [f"execution_{outcome}", last]],
    }
    outputs = {"9": {"images": [{"filename": "a.png", "type": "output"}]}}
    value = {"prompt": [0, prompt_id, txt2img(), {"client_id": client}, ["9"]], "outputs": outputs, "status": status}
    return answers.history({prompt_id: value})[0]


def states(job: Job) -> dict[str, str]:
    return {node.id: node.state.value for node in job.nodes}


# A run ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["new", "old"])
def test_a_whole_run_in_both_dialects(dialect: str) -> None:
    state = play(fresh(), accepted(), *run_events(dialect=dialect), step=0.5)
    job = state.jobs[P]
    assert job.state is JobState.DONE
    assert set(states(job).values()) == {"done"}
    assert [output.filename for output in job.outputs] == ["img_00001_.png"]
    assert (state.running, state.waiting, state.history, state.run) == ((), (), (P,), None)
    assert job.seconds is not None
    assert job.seconds > 0
    sampler = next(node for node in job.nodes if node.id == "3")
    assert (sampler.value, sampler.maximum) == (4, 4)
    told = [item.text for item in state.timeline if item.kind == "node"]
    assert told == [
        "CheckpointLoaderSimple",
        "EmptyLatentImage",
        "Positive",
        "CLIPTextEncode",
        "KSampler",
        "VAEDecode",
        "SaveImage",
    ]
    assert state.preview is not None
    assert (state.preview.prompt_id, state.preview.node_id, state.preview.serial) == (P, "3", 4)


@pytest.mark.parametrize("dialect", ["new", "old"])
def test_in_the_middle_of_a_run(dialect: str) -> None:
    events = run_events(dialect=dialect)
    middle = next(i for i, e in enumerate(events) if isinstance(e, m.Progress) and e.value == 2) + 1
    state = play(fresh(), accepted(), *events[:middle], step=0.5)
    assert state.run is not None
    assert (state.run.node_id, state.run.value, state.run.maximum, state.run.told) == ("3", 2, 4, True)
    assert states(state.jobs[P]) == {
        "4": "done", "5": "done", "6": "done", "7": "done", "3": "running", "8": "waiting", "9": "waiting",
    }  # fmt: skip
    assert state.running == (P,)
    assert state.jobs[P].facts.name == "portrait"
    assert state.jobs[P].facts.positive == "a red circle"
    assert [node.title for node in state.jobs[P].nodes if node.id == "6"] == ["Positive"]


def test_speed_and_time_left() -> None:
    run = m.ExecutionStart(P)
    state = play(fresh(), accepted(), run, m.Executing("3", "3", P), at=0.0)
    for step in range(1, 11):  # the model took 100 s to load before the first step: that says nothing about speed
        state = play(state, m.Progress(step, 30, "3", P), m.Progress(step, 30, "3", P), at=100.0 + step * 0.5)
    assert state.run is not None
    assert state.run.rate == pytest.approx(2.0)
    assert state.run.left == pytest.approx(10.0)


def test_speed_follows_a_change_smoothly() -> None:
    from comfytui.state.model import Run

    run, at = Run(prompt_id=P), 0.0
    for step in range(1, 20):
        at += 1.0
        run = advance(run, "3", step, 100, at)
    before = run.rate
    run = advance(run, "3", 20, 100, at + 0.5)  # one step twice as fast
    assert before == pytest.approx(1.0)
    assert run.rate is not None
    assert 1.0 < run.rate < 1.5
    burst = advance(run, "3", 25, 100, at + 0.5)  # steps of one packet are no speed
    assert burst.rate == run.rate


def test_cached_nodes_stay_cached() -> None:
    state = play(
        fresh(), accepted(), m.ExecutionStart(P), m.ExecutionCached(P, ("4", "9")),
        m.Executed(P, "9", "9", (m.Media("9", "images", "a.png"),)),
        m.ProgressState(P, (m.NodeProgress("9", "9", "finished", 1, 1),)),
    )  # fmt: skip
    assert states(state.jobs[P])["4"] == "cached"
    assert states(state.jobs[P])["9"] == "cached"
    assert state.jobs[P].outputs[0].filename == "a.png"


def test_a_failure_says_where() -> None:
    error = m.ExecutionError(P, "out of memory", "torch.OutOfMemoryError", "3", "KSampler", ("line",), {"steps": [4]})
    state = play(fresh(), accepted(), *run_events()[:20], error, m.Executing(None, None, P))
    job = state.jobs[P]
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert (job.failure.message, job.failure.node_id) == ("out of memory", "3")
    assert states(job)["3"] == "failed"
    assert states(job)["9"] == "waiting"
    assert state.timeline[-1].kind == "failed"


def test_an_interruption_is_not_a_failure() -> None:
    state = play(fresh(), accepted(), *run_events()[:20], m.ExecutionInterrupted(P, "3"), m.Executing(None, None, P))
    assert state.jobs[P].state is JobState.INTERRUPTED
    assert state.jobs[P].failure is None
    assert states(state.jobs[P])["3"] == "interrupted"


def test_a_blocked_branch_does_not_end_the_run() -> None:
    blocked = m.ExecutionError(P, "Execution Blocked: no", "ExecutionBlocked", "8", blocked=True)
    state = play(fresh(), accepted(), m.ExecutionStart(P), blocked)
    assert state.jobs[P].state is JobState.RUNNING
    assert play(state, m.ExecutionSuccess(P)).jobs[P].state is JobState.DONE


def test_nodes_made_by_expansion_are_shown_as_their_parent() -> None:
    inner = m.NodeProgress("3.0.0.7", "3", "running", 5, 9)
    state = play(fresh(), accepted(), m.ExecutionStart(P), m.ProgressState(P, (inner,)), m.Progress(6, 9, "3.0.0.7", P))
    sampler = next(node for node in state.jobs[P].nodes if node.id == "3")
    assert (sampler.state, sampler.value, len(state.jobs[P].nodes)) == (NodeState.RUNNING, 6, 7)
    state = play(state, m.ProgressState(P, (m.NodeProgress("3.0.0.7", "3", "finished", 9, 9),)))
    assert states(state.jobs[P])["3"] == "running"  # the parent is not done because a part of it is


def test_a_job_that_began_before_the_answer_to_the_submission_has_all_its_nodes() -> None:
    begun = m.ExecutionStart(prompt_id="p1")
    state = play(fresh(), begun, accepted("p1"), m.Executing(prompt_id="p1", node="3"))
    assert {node.id for node in state.jobs["p1"].nodes} == set(txt2img())


def test_events_may_come_before_the_answer_to_the_submission() -> None:
    events = run_events()
    state = play(fresh(), *events[:6], accepted(), *events[6:])
    assert state.jobs[P].state is JobState.DONE
    assert set(states(state.jobs[P]).values()) == {"done"}
    assert [node.id for node in state.jobs[P].nodes] == [
        node.id for node in play(fresh(), accepted(), *events).jobs[P].nodes
    ]
    cached = play(fresh(), m.ExecutionStart(P), m.ExecutionCached(P, ("4",)), accepted())
    assert states(cached.jobs[P])["4"] == "cached"
    assert cached.jobs[P].mine


def test_duplicates_and_latecomers_change_nothing() -> None:
    events = run_events()
    state = play(fresh(), accepted(), *events)
    again = play(state, *(event for event in events if not isinstance(event, m.PreviewImage)))
    assert again.jobs == state.jobs
    assert (again.running, again.history, again.run) == (state.running, state.history, state.run)


def test_after_a_reconnect_the_node_is_told_without_an_id() -> None:
    state = play(
        fresh(), accepted(), *run_events()[:12], c.Dropped("gone", 105.0), c.Connected(), m.Executing("3", "3", None)
    )
    assert state.run is not None
    assert (state.run.prompt_id, state.run.node_id) == (P, "3")


def test_previews_without_ids_belong_to_what_runs() -> None:
    state = play(fresh(), accepted(), m.ExecutionStart(P), m.Executing("3", "3", P), m.PreviewImage(b"x", "image/jpeg"))
    assert state.preview is not None
    assert (state.preview.prompt_id, state.preview.node_id) == (P, "3")
    other = play(state, m.ExecutionSuccess(P), accepted(Q), m.ExecutionStart(Q))
    assert other.preview is None  # not the last one's picture


# The queue -----------------------------------------------------------------------------------------------------------


def test_the_queue_in_order_with_facts_and_owners() -> None:
    seen = c.QueueSeen(queue([P], [(7, "c"), (-1, "b"), (7, "a")], client="somebody"), asked=0)
    state = play(fresh(), seen)
    assert state.running == (P,)
    assert state.waiting == ("b", "a", "c")
    assert state.run is not None
    assert not state.run.told  # nobody tells us how far it is
    assert state.jobs[P].nodes
    assert not state.jobs[P].mine
    assert state.jobs["a"].facts.seed == 1
    assert state.queue_remaining == 4
    assert play(fresh(), c.QueueSeen(queue([], [(1, "a")]), asked=0)).jobs["a"].mine


def test_the_same_answer_again_is_no_change() -> None:
    state = play(fresh(), c.QueueSeen(queue([P], [(1, Q)]), asked=0))
    assert play(state, c.QueueSeen(queue([P], [(1, Q)]), asked=state.version)) is state


def test_an_answer_older_than_an_event_changes_nothing_about_that_job() -> None:
    state = play(fresh(), accepted(), accepted(Q, 1.0))
    asked = state.version
    state = play(state, *run_events())  # P ran and ended while the answer was on its way
    stale = c.QueueSeen(queue([], [(0, P), (1, Q)]), asked)
    assert unlisted(state, stale) == ()
    state = play(state, stale)
    assert state.jobs[P].state is JobState.DONE
    assert (state.running, state.waiting, state.history) == ((), (Q,), (P,))


def test_an_answer_from_before_the_submission_does_not_lose_the_job() -> None:
    state = fresh()
    stale = c.QueueSeen(queue(), asked=state.version)
    state = play(state, accepted())
    assert unlisted(state, stale) == ()
    assert play(state, stale).waiting == (P,)


def test_what_left_the_queue_unseen_is_looked_up() -> None:
    state = play(fresh(), accepted(), c.QueueSeen(queue([P], [(1, Q)], client="x"), asked=5))
    seen = c.QueueSeen(queue(), asked=state.version)
    assert set(unlisted(state, seen)) == {P, Q}
    assert unlisted(state, replace(seen, held=frozenset([P, Q]))) == ()
    state = play(state, seen)
    assert (state.running, state.waiting, state.run) == ((), (), None)
    state = play(state, c.HistorySeen((entry(),), c.Page.SINGLE, state.version), c.Vanished((Q,), state.version))
    assert state.jobs[P].state is JobState.DONE
    assert Q not in state.jobs  # somebody else's, never seen running


def test_a_restart_makes_ours_lost_not_done() -> None:
    state = play(fresh(), accepted(), accepted(Q, 1.0), *run_events()[:20])
    seen = c.QueueSeen(queue(), asked=state.version)
    state = play(state, seen, c.Vanished((P, Q), state.version))
    assert {state.jobs[P].state, state.jobs[Q].state} == {JobState.LOST}
    assert state.jobs[P].failure is not None
    assert set(state.history) == {P, Q}
    assert states(state.jobs[P])["3"] == "interrupted"
    late = play(state, c.HistorySeen((entry(),), c.Page.NEWEST, state.version))
    assert late.jobs[P].state is JobState.DONE  # found after all


def test_vanished_is_not_believed_about_what_came_back() -> None:
    state = play(fresh(), accepted())
    asked = state.version
    state = play(state, m.ExecutionStart(P), c.Vanished((P,), asked))
    assert state.jobs[P].state is JobState.RUNNING


def test_an_id_that_runs_again_leaves_the_history() -> None:
    state = play(fresh(), accepted(), *run_events())
    state = play(state, c.QueueSeen(queue([P]), asked=state.version))
    assert (state.running, state.history, state.jobs[P].outputs) == ((P,), (), ())


# The history ---------------------------------------------------------------------------------------------------------


def test_pages_of_the_history_newest_first() -> None:
    def page(*names: str) -> tuple[m.HistoryEntry, ...]:
        return tuple(entry(name) for name in names)

    state = play(fresh(), c.HistorySeen(page("c", "d"), c.Page.NEWEST, 0))
    assert state.history == ("d", "c")
    assert state.history_loaded
    assert not state.history_complete
    state = play(state, c.HistorySeen(page("a", "b", "c"), c.Page.OLDER, 1, complete=True))
    assert state.history == ("d", "c", "b", "a")
    assert state.history_complete
    state = play(state, c.HistorySeen(page("d", "e"), c.Page.NEWEST, 2))
    assert state.history == ("e", "d", "c", "b", "a")
    state = play(state, c.HistorySeen(page("y", "z"), c.Page.NEWEST, 3))
    assert state.history == ("z", "y")  # what lies between is not known
    assert play(state, c.Removed(("z",))).history == ("y",)


def test_the_history_corrects_and_completes() -> None:
    state = play(fresh(), accepted(), m.ExecutionStart(P), m.Executing(None, None, P))  # an old server says no more
    assert state.jobs[P].state is JobState.DONE
    state = play(state, c.HistorySeen((entry(outcome="error"),), c.Page.SINGLE, state.version, skew=10.0))
    job = state.jobs[P]
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.message == "out of luck"
    assert (job.started, job.ended) == (1_000_011.0, 1_000_014.0)
    assert state.history == (P,)


# The link ------------------------------------------------------------------------------------------------------------


def test_the_link_through_its_phases() -> None:
    state = play(fresh(), c.Connecting(), c.Dropped("refused", 101.0), at=100.0)
    assert (state.link.phase, state.link.attempts, state.link.retry_at) == (Phase.CONNECTING, 1, 101.0)
    state = play(state, c.Connected(), c.Measured(0.012), at=101.0)
    assert (state.link.phase, state.link.attempts, state.link.error) == (Phase.LIVE, 0, None)
    state = play(state, c.Dropped("broke off", 111.0), at=110.0)
    assert (state.link.phase, state.link.since, state.link.latency) == (Phase.RECONNECTING, 110.0, None)
    state = play(state, c.Dropped("refused", 115.0), at=112.0)
    assert (state.link.since, state.link.attempts) == (110.0, 2)
    state = play(state, c.Connected(), at=122.0)
    assert [(item.kind, item.text) for item in state.timeline] == [
        ("connected", "connected to http://h:8188"), ("dropped", "broke off"), ("gap", "no news for 12 s"),
    ]  # fmt: skip
    assert play(state, c.Rejected("not ComfyUI")).link.phase is Phase.REFUSED
    assert play(state, c.Closed()).link.phase is Phase.CLOSED


def test_garbage_is_noted_once_in_a_row() -> None:
    state = play(fresh(), *(m.Garbage("not JSON") for _ in range(1000)))
    assert [item.kind for item in state.timeline] == ["garbage"]


def test_the_timeline_is_bounded() -> None:
    state = play(fresh(), *(c.ActionFailed(str(number)) for number in range(2 * TIMELINE)))
    assert len(state.timeline) == TIMELINE
    assert state.last_error == str(2 * TIMELINE - 1)


def test_unknown_events_leave_the_state_itself() -> None:
    state = fresh()
    assert play(state, m.Unknown("crystools.monitor"), m.Logs(("x",)), m.ProgressText("1", "x")) is state


# Anything ------------------------------------------------------------------------------------------------------------

IDS = st.sampled_from([P, Q, "", "x"])
NODES = st.sampled_from(["3", "4", "9", "3.0.0.1", "nope", ""])
NUMBER = st.sampled_from([0.0, 1.0, 2.0, 4.0, -1.0, 1e300])
PROGRESS = st.builds(
    m.NodeProgress, NODES, NODES, st.sampled_from(["running", "finished", "error", "pending", "?"]), NUMBER, NUMBER
)
OUTCOMES = st.sampled_from(["success", "error", "interrupted"])
EVENTS = st.one_of(
    st.builds(m.Status, st.none() | st.integers(0, 5)),
    st.builds(m.ExecutionStart, IDS),
    st.builds(m.ExecutionCached, IDS, st.lists(NODES, max_size=3).map(tuple)),
    st.builds(m.Executing, NODES | st.none(), NODES | st.none(), IDS | st.none()),
    st.builds(m.Progress, NUMBER, NUMBER, NODES | st.none(), IDS | st.none()),
    st.builds(m.ProgressState, IDS, st.lists(PROGRESS, max_size=4).map(tuple)),
    st.builds(m.Executed, IDS, NODES, NODES),
    st.builds(m.ExecutionSuccess, IDS),
    st.builds(m.ExecutionError, IDS, st.just("no"), node_id=NODES | st.none(), blocked=st.booleans()),
    st.builds(m.ExecutionInterrupted, IDS, NODES | st.none()),
    st.builds(m.PreviewImage, st.just(b"x"), st.just("image/png"), IDS | st.none(), NODES | st.none()),
    st.builds(m.Garbage, st.just("?")),
    st.builds(accepted, IDS, NUMBER),
    st.builds(c.Vanished, st.lists(IDS, max_size=2).map(tuple), st.integers(0, 60)),
    st.builds(c.Removed, st.lists(IDS, max_size=2).map(tuple)),
    st.builds(
        c.QueueSeen,
        st.builds(queue, st.lists(IDS, max_size=1), st.lists(st.tuples(NUMBER, IDS), max_size=3)),
        st.integers(0, 60),
        st.frozensets(IDS, max_size=1),
    ),
    st.builds(
        c.HistorySeen, st.builds(lambda i, o: (entry(i or "y", o),), IDS, OUTCOMES) | st.just(()),
        st.sampled_from(list(c.Page)), st.integers(0, 60), st.booleans(),
    ),
    st.sampled_from([c.Connected(), c.Dropped("x", 1.0), c.Connecting(), c.Rejected("x"), c.Closed(), c.Measured(0.1)]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.floats(-1, 5)), max_size=40))
def test_any_sequence_leaves_a_consistent_state(happenings: list[tuple[c.Happening, float]]) -> None:
    state, at = fresh(), 100.0
    for happening, passed in happenings:
        at += passed
        new = reduce(state, happening, at)
        assert new is state or new.version == state.version + 1
        state = new
    jobs = state.jobs
    for ids, wanted in ((state.running, {JobState.RUNNING}), (state.waiting, {JobState.WAITING})):
        assert len(set(ids)) == len(ids)
        assert {jobs[item].state for item in ids} <= wanted
    assert len(set(state.history)) == len(state.history)
    assert not set(state.history) & {*state.running, *state.waiting}
    assert list(state.waiting) == sorted(state.waiting, key=lambda item: (jobs[item].number, item))
    assert {jobs[item].state for item in state.history}.isdisjoint({JobState.RUNNING, JobState.WAITING})
    if state.run is not None:
        assert state.run.prompt_id in state.running
    for job in jobs.values():
        assert len({node.id for node in job.nodes}) == len(job.nodes)


def test_many_events_with_a_long_history_do_not_copy_it() -> None:
    many = {str(n): Job(id=str(n), state=JobState.DONE) for n in range(10_000)}
    state = replace(fresh(), jobs=many, history=tuple(many))
    state = play(state, accepted(), m.ExecutionStart(P), m.Executing("3", "3", P))
    history, rest = state.history, state.jobs._rest  # type: ignore[attr-defined]
    state = play(state, *(m.Progress(step, 4000, "3", P) for step in range(4000)), step=0.001)
    assert state.history is history
    assert state.jobs._rest is rest  # type: ignore[attr-defined]


# Recordings of a real server -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of a real server are not here")
@pytest.mark.parametrize(
    ("name", "outcome", "outputs"),
    [
        ("txt2img-previews", JobState.DONE, 2),
        ("txt2img-previews-no-metadata-flag", JobState.DONE, 2),
        ("txt2img-cached", JobState.DONE, 2),
        ("interrupted", JobState.INTERRUPTED, 0),
        ("execution-error", JobState.FAILED, 1),
        ("last", JobState.DONE, 2),
    ],
)
def test_recordings_end_as_they_did(name: str, outcome: JobState, outputs: int) -> None:
    recording = Recording.load(name)
    state = play(fresh(), c.Accepted(recording.prompt_id, 0.0, recording.graph, {}))
    for item in recording.frames:
        event = binary_frame(item) if isinstance(item, bytes) else text_frame(json.dumps(item))
        state = play(state, event)
    live = state.jobs[recording.prompt_id]
    assert live.state is outcome
    assert len(live.outputs) == outputs
    assert state.running == ()
    assert state.queue_remaining == 0
    seen = answers.history(recording.history)
    told = play(state, c.HistorySeen(seen, c.Page.SINGLE, state.version)).jobs[recording.prompt_id]
    assert told.state is outcome
    assert set(told.outputs) == set(live.outputs)  # the events had told all of it
    assert states(told) == states(live)
    if outcome is JobState.DONE:
        assert {node.state for node in live.nodes} <= {NodeState.DONE, NodeState.CACHED}
    if "previews" in name:
        assert state.preview is not None
        assert state.preview.image[:2] == b"\xff\xd8"

"""The timeline of one job: what happened to it, in order, with how long each thing took."""

from __future__ import annotations

from comfytui.client import messages as m
from comfytui.state import changes as c
from comfytui.state.model import JobState, Origin
from comfytui.state.timeline import NOTES, of_job
from tests.state.test_reduce import ME, P, Q, accepted, fresh, play, queue


def test_a_job_from_the_queue_over_a_gap_to_its_failure() -> None:
    state = play(fresh(), c.Connected(), accepted(), at=10.0)
    state = play(state, m.ExecutionStart(P), m.ExecutionCached(P, ("4", "5")), at=20.0)
    state = play(state, m.Executing("6", "6", P), at=21.0)
    state = play(state, m.Executing("3", "3", P), at=25.0)
    state = play(state, m.ExecutionError(P, "only a branch", node_id="7", blocked=True), at=26.0)
    state = play(state, c.Dropped("gone", 1.0, 30.0), at=45.0)  # noticed late
    state = play(state, c.Connected(), at=60.0)
    state = play(state, m.ExecutionError(P, "out of luck", node_id="3"), at=70.0)
    told = [(item.kind, item.at, item.until, item.text) for item in of_job(state.jobs[P])]
    assert told == [
        ("queued", 10.0, None, ""),
        ("started", 20.0, None, ""),
        ("cached", 20.0, None, "2 nodes: CheckpointLoaderSimple, EmptyLatentImage"),
        ("node", 21.0, 25.0, "Positive"),
        ("error", 25.0, 70.0, "KSampler"),
        ("blocked", 26.0, None, "only a branch"),
        ("gap", 30.0, 60.0, "no news for 30 s"),
        ("failed", 70.0, None, "out of luck"),
    ]
    gap = next(item for item in state.timeline if item.kind == "gap")
    assert (gap.at, gap.until) == (30.0, 60.0)
    assert state.gap is None


def test_notes_are_bounded() -> None:
    state = play(fresh(), accepted(), m.ExecutionStart(P))
    state = play(state, *(m.ExecutionError(P, str(n), blocked=True) for n in range(2 * NOTES)))
    assert [note.text for note in state.jobs[P].notes][-1] == str(2 * NOTES - 1)
    assert len(state.jobs[P].notes) == NOTES


def test_whose_job_it_is() -> None:
    state = play(fresh(), c.QueueSeen(queue(running=[P], client="somebody"), 0))
    assert state.jobs[P].origin is Origin.OTHER
    state = play(fresh(), c.QueueSeen(queue(running=[P], client=""), 0))
    assert state.jobs[P].origin is Origin.BROADCAST
    state = play(fresh(), c.QueueSeen(queue(running=[P], client=ME), 0))
    assert state.jobs[P].origin is Origin.OURS
    state = play(fresh(), m.Progress(1, 4, "3", Q))
    assert state.jobs[Q].origin is Origin.UNKNOWN
    assert state.jobs[Q].state is JobState.RUNNING

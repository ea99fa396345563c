"""What is lost is found, also by looking only where something can have changed."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.state.model import JobState, ServerState
from comfytui.tui.lost_jobs import lost_ids
from tests.tui import sample


def with_state(state: ServerState, key: str, new: JobState) -> ServerState:
    return replace(state, jobs={**state.jobs, key: replace(state.jobs[key], state=new)})


def test_lost_jobs_are_found_anywhere_in_the_history() -> None:
    state = sample.idle(20)
    assert lost_ids(state) == ()
    moved = replace(sample.crowded(), history=(*state.history, *sample.crowded().history[:2]))
    assert lost_ids(moved) == sample.crowded().history[:2]


def test_one_that_was_sent_again_is_lost_no_more_and_may_be_lost_again() -> None:
    state = sample.crowded()
    first, second = lost_ids(state)
    sent = with_state(state, first, JobState.WAITING)
    assert lost_ids(sent) == (second,)
    assert lost_ids(with_state(sent, first, JobState.LOST)) == (first, second)


def test_what_is_on_top_of_the_same_history_can_get_lost() -> None:
    state = sample.idle()
    assert lost_ids(state) == ()
    top = state.history[0]
    assert lost_ids(with_state(state, top, JobState.LOST)) == (top,)


def test_two_servers_are_not_mistaken_for_each_other() -> None:
    one, other = sample.crowded(lost=1), sample.crowded(lost=2)
    assert [len(lost_ids(state)) for state in (one, other, one, other)] == [1, 2, 1, 2]

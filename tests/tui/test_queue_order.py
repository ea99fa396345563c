"""What Queue lists, whose it is, when it begins, and where a copy goes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from comfytui.state import times
from comfytui.state.model import JobState, ServerState
from comfytui.tui import queue_order
from tests.tui import sample


def starts(state: ServerState) -> dict[str, times.Start]:
    return times.starts(state, sample.NOW)


def test_what_is_lost_comes_first_and_what_is_held_last() -> None:
    state = sample.crowded()
    found = [job.state for job in queue_order.listed(state).jobs]
    order = [JobState.LOST] * 2 + [JobState.RUNNING] + [JobState.WAITING] * 4 + [JobState.HELD] * 2
    assert found == order
    assert queue_order.count(state) == "1 running · 4 waiting · 2 held · 2 lost"
    assert queue_order.count(sample.idle()) == "0 running · 0 waiting"


def test_who_sent_a_job_is_told_as_far_as_the_server_tells() -> None:
    state = sample.crowded()
    jobs = [state.jobs[key] for key in state.waiting]
    assert [queue_order.sender(job) for job in jobs] == ["me", "3f2…d12", "me", "no id"]
    assert queue_order.sender(replace(jobs[3], client_id=None)) == "–"
    assert "3f2a9c1b77e04d12" in queue_order.sender_told(jobs[1])


def test_starts_are_told_with_what_they_rest_on() -> None:
    state = sample.crowded()
    told = [queue_order.start_told(state, state.jobs[key], starts(state), sample.NOW) for key in state.waiting]
    assert told[0].startswith("starts in ~10 s, about 22:13")
    assert "should take 0:17, as before" in told[0]
    assert told[3].startswith("starts in ~60 s")
    end = queue_order.end(state, starts(state), sample.NOW)
    assert end is not None
    assert 60 < end < 90


def test_an_unknown_start_says_why() -> None:
    state = replace(sample.crowded(), timings={}, history=())
    first = state.jobs[state.waiting[0]]
    assert "how long the running job takes" in queue_order.start_told(state, first, starts(state), sample.NOW)
    assert state.run is not None
    foreign = replace(state, run=replace(state.run, told=False))
    assert "another client's" in queue_order.start_told(foreign, first, starts(foreign), sample.NOW)
    state = replace(state, running=(), run=None)
    third = state.jobs[state.waiting[2]]
    assert "number 1 takes" in queue_order.start_told(state, third, starts(state), sample.NOW)
    assert queue_order.end(state, starts(state), sample.NOW) is None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_copy_goes_between_its_job_and_the_next(place: int) -> None:
    state = sample.crowded()
    job, following = (state.jobs[state.waiting[n]] for n in (place, place + 1))
    number = queue_order.behind(state, job)
    assert number is not None
    assert job.number < number < following.number


def test_a_copy_of_the_last_goes_to_the_end_and_of_the_running_one_to_the_front() -> None:
    state = sample.crowded()
    assert queue_order.behind(state, state.jobs[state.waiting[-1]]) is None
    assert queue_order.behind(state, state.jobs[state.held[0]]) is None
    number = queue_order.behind(state, state.jobs[state.running[0]])
    assert number is not None
    assert number < state.jobs[state.waiting[0]].number
    alone = replace(state, waiting=())
    assert queue_order.behind(alone, state.jobs[state.running[0]]) is None

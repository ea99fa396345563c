import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.jobs.job import Job
from engine.jobs.queue import Numbering, WaitingJobs


def job(number: float, prompt_id: str) -> Job:
    return Job(number, prompt_id, b"{}", b"{}", ("9",), 0)


def test_numbers_are_comfyuis() -> None:
    numbers = Numbering()
    assert [numbers.assign(None, False) for _ in range(3)] == [0, 1, 2]
    assert numbers.assign(None, True) == -3
    chosen = numbers.assign(5, False)
    assert (chosen, type(chosen)) == (5.0, float)
    assert numbers.assign(None, False) == 4  # a chosen number leaves the counter alone


def test_the_very_first_front_job_is_zero() -> None:
    assert Numbering().assign(None, True) == 0


def test_a_restart_goes_on_counting_and_never_back() -> None:
    numbers = Numbering()
    numbers.start_at(10)
    numbers.start_at(3)
    assert numbers.assign(None, False) == 10


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_without_an_order_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Numbering().assign(number, False)


def test_a_job_can_be_put_between_two_others() -> None:
    waiting = WaitingJobs([job(2, "b"), job(1, "a")])
    waiting.put(job(1.5, "x"))
    waiting.put(job(-3, "front"))
    assert [one.prompt_id for one in waiting.snapshot()] == ["front", "a", "x", "b"]


numbers = st.one_of(st.integers(-5, 5), st.floats(-5, 5, allow_nan=False))
ids = st.sampled_from("abcdef")


class Queue(RuleBasedStateMachine):
    """Against a plain list that is sorted at every look."""

    def __init__(self) -> None:
        super().__init__()
        self.real, self.model = WaitingJobs(), []

    @rule(number=numbers, prompt_id=ids)
    def put(self, number: float, prompt_id: str) -> None:
        one = job(number, prompt_id)
        self.real.put(one)
        self.model.append(one)
        self.model.sort(key=lambda each: (each.number, each.prompt_id))

    @rule()
    def take(self) -> None:
        assert self.real.take() is (self.model.pop(0) if self.model else None)

    @rule(gone=st.lists(ids, max_size=3))
    def delete(self, gone: list[str]) -> None:
        removed = self.real.delete(gone)
        assert {one.prompt_id for one in removed} <= set(gone)
        assert len(removed) == sum(one.prompt_id in gone for one in self.model)
        self.model = [one for one in self.model if one.prompt_id not in gone]

    @rule()
    def clear(self) -> None:
        assert self.real.clear() == self.model
        self.model = []

    @invariant()
    def same(self) -> None:
        assert self.real.snapshot() == self.model
        assert len(self.real) == len(self.model)
        assert self.real.size == sum(len(job.prompt) + len(job.extra_data) for job in self.model)


TestQueue = Queue.TestCase


@given(st.lists(st.tuples(numbers, ids)))
def test_what_is_loaded_is_in_the_order_in_which_it_would_have_been_put(pairs: list[tuple[float, str]]) -> None:
    one_by_one = WaitingJobs()
    for number, prompt_id in pairs:
        one_by_one.put(job(number, prompt_id))
    assert WaitingJobs(job(*pair) for pair in pairs).snapshot() == one_by_one.snapshot()

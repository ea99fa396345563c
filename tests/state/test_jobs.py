"""The shared mapping of jobs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfytui.state.jobs import FOLD, Jobs
from comfytui.state.model import Job, JobState

OPERATIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 150).map(str)), max_size=300)


@given(OPERATIONS)
def test_it_behaves_as_a_dictionary_that_is_copied(operations: list[tuple[bool, str]]) -> None:
    jobs, expected = Jobs.of({}), {}
    for number, (put, key) in enumerate(operations):
        before, old = jobs, dict(expected)
        if put:
            job = Job(id=key, state=JobState.DONE, number=number)
            jobs, expected[key] = jobs.with_(job), job
        else:
            jobs = jobs.without([key])
            expected.pop(key, None)
        assert dict(before) == old
    assert dict(jobs) == expected
    assert len(jobs) == len(expected)
    assert all(key in jobs for key in expected)
    assert "none" not in jobs


def test_a_change_does_not_copy_the_history() -> None:
    many = Jobs.of({str(number): Job(id=str(number), state=JobState.DONE) for number in range(10_000)})
    changed = many
    for _ in range(FOLD * 3):
        changed = changed.with_(Job(id="5", state=JobState.RUNNING))
    assert changed._rest is many._rest

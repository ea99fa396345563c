"""The order of waiting jobs, and the numbers they get. No I/O."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable

from engine.jobs.job import Job, Number


class WaitingJobs:
    """Jobs sorted by (number, prompt id): the smallest runs next.

    A sorted list and not a heap, so that `/queue` shows the order in which jobs will run. Inserting
    moves pointers, which costs microseconds with ten thousand jobs.
    """

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._jobs: list[Job] = sorted(jobs, key=_key)
        self.size = sum(map(_size, self._jobs))  # bytes

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Jobs of equal number and id keep the order of their arrival."""
        bisect.insort_right(self._jobs, job, key=_key)
        self.size += _size(job)

    def take(self) -> Job | None:
        """The next job to run; None if nothing waits."""
        if not self._jobs:
            return None
        job = self._jobs.pop(0)
        self.size -= _size(job)
        return job

    def delete(self, prompt_ids: Iterable[str]) -> list[Job]:
        """Remove jobs by id; what was removed."""
        wanted = set(prompt_ids)
        gone = [job for job in self._jobs if job.prompt_id in wanted]
        if gone:
            self._jobs = [job for job in self._jobs if job.prompt_id not in wanted]
            self.size -= sum(map(_size, gone))
        return gone

    def clear(self) -> list[Job]:
        gone, self._jobs, self.size = self._jobs, [], 0
        return gone

    def snapshot(self) -> list[Job]:
        """In the order in which they will run."""
        return list(self._jobs)


class Numbering:
    """ComfyUI's numbers: a counter for jobs without one, negative for `front`, a float where the client chose."""

    def __init__(self, start: int = 0) -> None:
        self._next = start

    def start_at(self, number: int) -> None:
        """Go on where the last run ended; numbers that were already given stay given."""
        self._next = max(self._next, number)

    def assign(self, number: Number | None, front: bool) -> Number:
        """The number of a new job. Every request without a number takes one, even one that is refused later.

        Raises `ValueError` for a number that has no place in an order.
        """
        if number is not None:
            value = float(number)
            if not math.isfinite(value):
                raise ValueError("it must be finite")
            return value
        given = self._next
        self._next += 1
        return -given if front else given


def _key(job: Job) -> tuple[Number, str]:
    return job.key


def _size(job: Job) -> int:
    return len(job.prompt) + len(job.extra_data)

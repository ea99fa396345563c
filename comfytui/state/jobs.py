"""The jobs of a server by id: a mapping that shares what did not change with the state before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from comfytui.state.model import Job

FOLD = 64  # recent entries that are copied on each change; beyond that they join the shared rest


class Jobs(Mapping[str, Job]):
    """An immutable mapping for one writer at a time.

    A busy server sends thousands of events a second about one job, while the history may hold ten thousand: each event
    copies only the few jobs that changed lately, not the history.
    """

    __slots__ = ("_added", "_recent", "_rest")

    def __init__(self, rest: Mapping[str, Job], recent: Mapping[str, Job], added: int) -> None:
        self._rest = rest
        self._recent = recent
        self._added = added  # how many of `recent` are not in `rest`

    @classmethod
    def of(cls, jobs: Mapping[str, Job]) -> Jobs:
        """`jobs` itself if it is one of these, else a copy."""
        return jobs if isinstance(jobs, Jobs) else cls(dict(jobs), {}, 0)

    def with_(self, *jobs: Job) -> Jobs:
        """These jobs added or replaced."""
        recent = {**self._recent, **{job.id: job for job in jobs}}
        if len(recent) > FOLD:
            return Jobs({**self._rest, **recent}, {}, 0)
        return Jobs(self._rest, recent, sum(key not in self._rest for key in recent))

    def without(self, ids: Iterable[str]) -> Jobs:
        """These ids removed; copies everything."""
        gone = set(ids)
        return Jobs({key: job for key, job in self.items() if key not in gone}, {}, 0)

    def __getitem__(self, key: str) -> Job:
        found = self._recent.get(key)
        return self._rest[key] if found is None else found

    def __contains__(self, key: object) -> bool:
        return key in self._recent or key in self._rest

    def __iter__(self) -> Iterator[str]:
        yield from self._rest
        yield from (key for key in self._recent if key not in self._rest)

    def __len__(self) -> int:
        return len(self._rest) + self._added

    def __repr__(self) -> str:
        return f"Jobs({len(self)})"

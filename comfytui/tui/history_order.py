"""Which entries of the history are listed, in which order and in which groups; work is done only where something differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from comfytui.state import filters
from comfytui.state.filters import NO_MARK, BadFilter, Filter
from comfytui.state.model import Job, Mark, ServerState
from comfytui.tui.widgets.sections import Section

UNNAMED = "without a name"


class Order(StrEnum):
    """How the history is ordered; each is what the pane's border says."""

    NEWEST = "newest first"
    WORKFLOW = "by workflow"
    TIME = "longest first"
    STARS = "starred first"

    @property
    def next(self) -> Order:
        every = list(Order)
        return every[(every.index(self) + 1) % len(every)]


class Listed(NamedTuple):
    """The ids in the order in which they are shown, and the groups in which they come (none: no groups)."""

    ids: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()


def arranged(ids: Sequence[str], jobs: Mapping[str, Job], marks: Mapping[str, Mark], order: Order) -> Listed:
    """Put ids, newest first, in an order. Entries that are alike stay newest first."""
    if order is Order.WORKFLOW:
        groups = filters.by_workflow(ids, jobs)
        sections = tuple(Section(_title(jobs[found[0]]), len(found)) for found in groups.values())
        return Listed(tuple(key for found in groups.values() for key in found), sections)
    if order is Order.TIME:
        return Listed(tuple(sorted(ids, key=lambda key: -(jobs[key].seconds or 0.0))))
    if order is Order.STARS:
        starred = tuple(key for key in ids if marks.get(key, NO_MARK).star)
        if not starred or len(starred) == len(ids):
            return Listed(tuple(ids))
        chosen = frozenset(starred)
        others = tuple(key for key in ids if key not in chosen)
        return Listed(starred + others, (Section("starred", len(starred)), Section("the others", len(others))))
    return Listed(tuple(ids))


def _title(job: Job) -> str:
    return job.facts.name or job.facts.model or job.facts.positive[:40] or UNNAMED


class Listing:
    """Keeps the list of one server's history: `update` returns the same object while nothing differs.

    Events about running jobs come by the hundred and do not touch the history: they cost nothing here. When an entry is
    added, only it is tested against the filter.
    """

    def __init__(self) -> None:
        self.order = Order.NEWEST
        self.filter = Filter("")
        self.problem = ""  # what is wrong with the filter that was typed; the last good one stays
        self.listed = Listed()
        self._history: tuple[str, ...] = ()
        self._marks: Mapping[str, Mark] = {}
        self._tested: dict[str, tuple[Job, Mark, bool]] = {}
        self._stale = True

    def use_filter(self, text: str) -> None:
        """Take another filter; one that is not understood changes nothing but `problem`."""
        try:
            wanted = filters.parse(text)
        except BadFilter as error:
            self.problem = str(error)
            return
        self.problem = ""
        if wanted.text != self.filter.text:
            self.filter, self._stale = wanted, True
            self._tested.clear()

    def use_order(self, order: Order) -> None:
        """Take another order."""
        self._stale = self._stale or order is not self.order
        self.order = order

    def update(self, state: ServerState) -> Listed:
        """The list for a state."""
        same_history = state.history is self._history
        same_marks = state.marks is self._marks or not (self.filter.tests or self.order is Order.STARS)
        if not self._stale and same_history and same_marks:
            return self.listed
        self._history, self._marks, self._stale = state.history, state.marks, False
        found = arranged(self._matching(state), state.jobs, state.marks, self.order)
        if found != self.listed:
            self.listed = found
        return self.listed

    def _matching(self, state: ServerState) -> Sequence[str]:
        jobs, marks = state.jobs, state.marks
        if not self.filter.tests:
            return (
                state.history if all(key in jobs for key in state.history) else [k for k in state.history if k in jobs]
            )
        known, self._tested = self._tested, {}
        found = []
        for key in state.history:
            if (job := jobs.get(key)) is None:
                continue
            mark = marks.get(key, NO_MARK)
            old = known.get(key)
            fits = old[2] if old is not None and old[0] is job and old[1] is mark else self.filter.matches(job, mark)
            self._tested[key] = (job, mark, fits)
            if fits:
                found.append(key)
        return found

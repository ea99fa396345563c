"""Which node runs next: those that outputs need, as soon as what they need is there."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable


class Order:
    """Nodes that wait for each other.

    `sources(id)` names the nodes that must come before; `is_done(id)` tells which results exist already; `eager(id)`
    marks nodes that go first (outputs: the user sees them early, and their inputs can be dropped).
    Among ready nodes: eager ones, then those one step before an eager one, then two, then in the order of addition.
    """

    def __init__(
        self,
        sources: Callable[[str], Iterable[str]],
        is_done: Callable[[str], bool],
        eager: Callable[[str], bool],
    ) -> None:
        self._sources = sources
        self._is_done = is_done
        self._eager = eager
        self._waits_for: dict[str, set[str]] = {}
        self._users: dict[str, list[str]] = {}
        self._number: dict[str, int] = {}
        self._ready: list[tuple[int, int, str]] = []

    def add(self, *node_ids: str) -> None:
        """Wait for these nodes, and for all that they need and that does not exist yet."""
        new: list[str] = []
        for first in node_ids:
            stack = [first]
            while stack:
                node_id = stack.pop()
                if node_id in self._number:
                    continue
                self._number[node_id] = len(self._number)
                new.append(node_id)
                waits = self._waits_for[node_id] = set()
                if self._is_done(node_id):
                    continue  # an output whose result is kept: it is announced, and needs nothing
                for source in self._sources(node_id):
                    if self._is_done(source):
                        continue
                    if source not in waits:
                        waits.add(source)
                        self._users.setdefault(source, []).append(node_id)
                        stack.append(source)
        for node_id in new:
            if not self._waits_for[node_id]:
                self._offer(node_id)

    def take(self) -> str | None:
        """The next node to run, or None when nothing is ready."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    def done(self, node_id: str) -> None:
        """The node has its result; what waited only for it becomes ready."""
        del self._waits_for[node_id]
        for user in self._users.pop(node_id, ()):
            waits = self._waits_for[user]
            waits.discard(node_id)
            if not waits:
                self._offer(user)

    def wait(self, node_id: str, sources: Iterable[str]) -> None:
        """A node that was taken needs more first (its lazy inputs)."""
        for source in sources:
            self._waits_for[node_id].add(source)
            self._users.setdefault(source, []).append(node_id)
            self.add(source)
        if not self._waits_for[node_id]:
            self._offer(node_id)

    def _offer(self, node_id: str) -> None:
        heapq.heappush(self._ready, (self._rank(node_id), self._number[node_id], node_id))

    def _rank(self, node_id: str) -> int:
        if self._eager(node_id):
            return 0
        users = self._users.get(node_id, ())
        if any(self._eager(user) for user in users):
            return 1
        if any(self._eager(second) for user in users for second in self._users.get(user, ())):
            return 2
        return 3

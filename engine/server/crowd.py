"""Progress to many sockets, in turns: a thousand onlookers must not slow the job that they look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

ROW = 32  # receivers in one turn; as many or fewer in all need no turns
# A turn of one socket costs about this much of a core, in seconds: most of it is the kernel's, for one small packet.
_COST = 60e-6
# At most this share of a core is for turns: while a job runs, which onlookers must not slow, and while none does.
_BUSY, _IDLE = 0.015, 0.25


class Crowd(Generic[T]):
    """Gives everyone the newest of each kind of message, once, a row of receivers at a time.

    With 1,000 receivers a round takes 4 s, or 0.24 s while no job runs; what is replaced before somebody's turn is not
    sent to them.
    """

    def __init__(self, everyone: Callable[[], Iterable[T]]) -> None:
        self.busy = False  # whether there is a job that turns could slow
        self._everyone = everyone
        self._newest: dict[Hashable, tuple[int, Callable[[T], None]]] = {}
        self._stamp = 0  # of the newest offer
        self._seen: WeakKeyDictionary[T, int] = WeakKeyDictionary()  # the stamp at each one's last turn
        self._waiting: list[T] = []  # who has not had a turn in this round
        self._begin = 0  # the stamp at the beginning of the round
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, key: Hashable, give: Callable[[T], None], at_once: Iterable[T] = ()) -> None:
        """`give` to those of `at_once` now, and to others in their turn, unless a newer one of this key comes first."""
        self._stamp += 1
        self._newest.pop(key, None)  # so that it takes its place behind the others
        self._newest[key] = (self._stamp, give)
        for one in at_once:
            self._serve(one)
        if self._timer is None:
            self._start_round()

    def catch_up(self, one: T) -> None:
        """Serve one now, out of turn: something of its own comes next."""
        if self._timer is not None:
            self._serve(one)

    def settle(self) -> None:
        """Give everyone at once what waits: something comes next that must not overtake it."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        for one in self._everyone():
            self._serve(one)
        self._newest.clear()

    def _start_round(self) -> None:
        self._waiting, self._begin = list(self._everyone()), self._stamp
        self._next_after(0.0)

    def _turn(self) -> None:
        self._timer = None
        row, self._waiting = self._waiting[:ROW], self._waiting[ROW:]
        for one in row:
            self._serve(one)
        if self._waiting:
            self._next_after(len(row) * _COST / (_BUSY if self.busy else _IDLE))
            return
        self._newest = {key: offer for key, offer in self._newest.items() if offer[0] > self._begin}
        if self._newest:
            self._waiting, self._begin = list(self._everyone()), self._stamp
            self._next_after(len(row) * _COST / (_BUSY if self.busy else _IDLE))

    def _serve(self, one: T) -> None:
        last = self._seen.get(one, 0)
        for stamp, give in self._newest.values():
            if stamp > last:
                give(one)
        self._seen[one] = self._stamp

    def _next_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._turn)

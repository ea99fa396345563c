"""How fast wrong tokens are answered: a flood of guesses costs who guesses, and nobody else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import web

log = logging.getLogger(__name__)

_BURST = 20  # wrong tokens that are answered at once: a person who mistypes, a client with an old token
_RATE = 10.0  # a second after that
_ROOM = 64  # answers that may wait for their turn at a time
_TOLD_EVERY = 60.0  # seconds between lines in the log


class Guesses:
    """Hands out the times at which wrong tokens are answered. Right ones never come here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = float("-inf")  # when the last answer was due, were they all evenly spaced
        self._waiting = 0
        self._count, self._told = 0, float("-inf")

    async def answer(self, request: web.Request, refused: web.Response) -> web.Response:
        """`refused`, at its time; or 429, and the end of the connection, when too many wait for theirs."""
        self._note(request.remote or "an unknown address")
        if self._waiting >= _ROOM:
            full = web.Response(
                status=429, text="Too many wrong tokens: try again in a moment", headers={"Retry-After": "1"}
            )
            full.force_close()
            return full
        self._waiting += 1
        try:
            await asyncio.sleep(self._delay())
        finally:
            self._waiting -= 1
        return refused

    def _delay(self) -> float:
        """Seconds until the answer; the turn is taken."""
        now = self._clock()
        self._turn = max(self._turn, now - _BURST / _RATE) + 1 / _RATE
        return max(0.0, self._turn - now)

    def _note(self, address: str) -> None:
        """Say it in the log, once in a while: one line for each guess would fill the disk."""
        self._count += 1
        now = self._clock()
        if now - self._told < _TOLD_EVERY:
            return
        log.warning("%d wrong tokens, the last one from %s", self._count, address)
        self._count, self._told = 0, now

"""Loads the history page by page: first what `/api/jobs` tells in a few kilobytes, then the workflows, if the link bears them.

`/history` repeats with each entry the graph and the whole workflow of the web front end: megabytes a page. Where the
server has `/api/jobs`, its short entries are shown at once; the long ones follow, unless pages have been slow. Then a
job's graph is loaded when it is looked at (`Watch.load_job`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from comfytui.client import messages as m
from comfytui.client.errors import TooLarge
from comfytui.client.http import Http
from comfytui.state import changes as c
from comfytui.state.model import ServerState
from comfytui.state.raw import RawPrompts
from comfytui.state.runs import ENDED

MARGIN = 5  # entries asked for beyond the page: what ended, or was deleted, between two questions
SLOW = 5.0  # seconds that a page of long entries may take; one that would take longer is not asked for


class Seen(Protocol):
    """Takes what was loaded into the state."""

    def __call__(
        self, entries: tuple[m.HistoryEntry, ...], page: c.Page, asked: int, complete: bool, light: bool = False
    ) -> Awaitable[None]: ...


class HistoryPages:
    """Where one connection is in the history of its server."""

    def __init__(self, http: Http, raw: RawPrompts, state: Callable[[], ServerState], seen: Seen) -> None:
        self._http, self._raw, self._state, self._seen = http, raw, state, seen
        self._lock = asyncio.Lock()
        self._start: int | None = None  # index of the oldest loaded entry, counted from the server's oldest
        self._total = 0
        self._pace = 0.0  # seconds that a long entry took, on the last page

    def restart(self) -> None:
        """The server may have forgotten: begin at its newest entry again."""
        self._start = None

    async def load(self, count: int) -> None:
        """The next older page, the newest first of all. Raises ClientError."""
        async with self._lock:
            if self._start is None:
                total = await self._http.finished_total()
                if total is None:
                    await self._load_without_total(count)
                else:
                    self._total = total
                    await self._load(c.Page.NEWEST, max(0, total - count), count + MARGIN)
            elif self._start > 0:
                start = max(0, self._start - count)
                await self._load(c.Page.OLDER, start, self._start - start + MARGIN)

    async def load_missed(self, count: int) -> None:
        """Jobs of others came and went between two looks at the queue: they are on top of the history."""
        asked = self._state().version
        known = self._raw.known(self._state().jobs)
        entries = await self._http.history(max_items=count + MARGIN, known=known)
        await self._seen(entries, c.Page.NEWEST, asked, self._state().history_complete)

    async def _load(self, page: c.Page, start: int, count: int) -> None:
        """`count` entries from index `start`, the oldest being 0."""
        slow = self._pace * count > SLOW
        if await self._load_light(page, start, count, last=slow and start == 0) and slow:
            self._start = start
            return
        await self._load_whole(page, start, count)

    async def _load_light(self, page: c.Page, start: int, count: int, *, last: bool) -> bool:
        """The same entries, without their graphs; False if the server does not list jobs."""
        asked = self._state().version
        newest = max(0, self._total - start - count)  # counted from the newest, as that route does
        found = await self._http.finished_jobs(limit=max(1, self._total - start - newest), offset=newest)
        if found is None:
            return False
        entries, self._total = found
        await self._seen(entries, page, asked, last, light=True)
        return True

    async def _load_whole(self, page: c.Page, start: int, count: int) -> None:
        loop = asyncio.get_running_loop()
        asked, began = self._state().version, loop.time()
        known = self._raw.known(self._state().jobs)
        try:
            entries = await self._http.history(max_items=count, offset=start, known=known)
        except TooLarge:
            if count <= 1:
                raise
            await self._load_whole(page, start + count // 2, count - count // 2)  # half as many
            return
        if entries:
            self._pace = (loop.time() - began) / len(entries)
        await self._seen(entries, page, asked, start == 0)
        self._start = start

    async def _load_without_total(self, count: int) -> None:
        """Old servers do not tell how long the history is: ask for the last ones, as many as are loaded and more."""
        asked = self._state().version
        wanted = sum(self._state().jobs[item].state in ENDED for item in self._state().history) + count
        entries = await self._http.history(max_items=wanted, known=self._raw.known(self._state().jobs))
        await self._seen(entries, c.Page.NEWEST, asked, len(entries) < wanted)

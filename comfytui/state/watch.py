"""Keeps the state of a server true: asks again for what events do not tell, as often as needed and no more.

The server tells a client only of its own prompts, replays nothing after a gap, and forgets everything when it restarts.
So the queue is asked for whenever it changed, and each job that leaves it unseen is looked up in the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from comfytui.client import messages as m
from comfytui.client.errors import ClientError, Missing
from comfytui.client.http import Http
from comfytui.state import changes as c
from comfytui.state.about import about
from comfytui.state.model import JobState, ServerState
from comfytui.state.pages import HistoryPages
from comfytui.state.raw import RawPrompts
from comfytui.state.reduce import unlisted

if TYPE_CHECKING:
    from comfytui.state.local_machine import LocalMachine

BUSY, IDLE = 5.0, 30.0  # seconds between two looks at the queue if nothing calls for one earlier
SPACING = 0.2  # seconds between two looks at least: a fast server changes its queue hundreds of times a second
SHARE = 10  # … and ten times as long as the last look took: a queue of thousands is megabytes
STATS_BUSY, STATS_IDLE = 3.0, 15.0
STATS_UNWATCHED = 300.0  # nobody looks: only whether it is still the same version
STATS_SHARE = 50  # and this many times as long as the answer takes: little of a slow link
RETRIES = (0.0, 0.1, 0.3, 0.8)  # seconds; the history is written a moment after the run is said to have ended
MANY = 8  # lost-sight-of jobs from which one long answer is cheaper than many short ones
FEW = 16  # graphs that may be read on the event loop at once
NEWEST = 50  # entries asked for again after a gap
CLOCKS_AGREE = 2.0  # seconds; `Date` has whole seconds, and answers take time


async def facts_of(prompts: Sequence[m.Prompt]) -> dict[str, c.About]:
    """What these are about, by id, worked out in a thread if they are many: a queue of thousands takes a second."""
    new = [prompt for prompt in prompts if prompt.graph]

    def work() -> dict[str, c.About]:
        return {prompt.prompt_id: about(prompt.graph or {}, prompt.name) for prompt in new}

    return await asyncio.to_thread(work) if len(new) > FEW else work()


class Unseen:
    """Counts the jobs that left the queue without our knowing which: the server tells everybody only its length."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._left = 0
        self._known: dict[str, None] = {}  # ends that we were told of, since the last look

    def remaining(self, count: int | None) -> None:
        """The length of the queue was told."""
        if count is not None:
            self._left += max(0, (self._last or 0) - count)
            self._last = count

    def ended(self, prompt_id: str) -> None:
        """The end of this one was told; several events tell it."""
        self._known[prompt_id] = None

    def take(self, gone: Iterable[str]) -> int:
        """How many left unseen since the last call, `gone` being those that the look at the queue missed."""
        missed = self._left - len({*self._known, *gone})
        self._left = 0
        self._known.clear()
        return max(0, missed)


class Watch:
    """The questions that one connection asks by itself."""

    def __init__(
        self,
        http: Http,
        raw: RawPrompts,
        dispatch: Callable[[c.Happening], None],
        state: Callable[[], ServerState],
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._raw = raw
        self._dispatch = dispatch
        self._state = state
        self._clock = clock
        self._changed = asyncio.Event()
        self._queue_lock = asyncio.Lock()
        self._pages = HistoryPages(http, raw, state, self._seen)
        self._unresolved: set[str] = set()  # left the queue, and the history was not asked yet (survives a gap)
        self._taken_back: set[str] = set()
        self._held: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolving = asyncio.Lock()
        self._resolve_waits = False
        self._unseen = Unseen()
        self.attention = True  # somebody looks at memory and load
        self._local: LocalMachine | None = None

    # What the connection tells us ------------------------------------------------------------------------------------

    def heard(self, event: m.Event) -> None:
        """An event came: does it call for a question?"""
        if isinstance(event, m.Status):
            self._unseen.remaining(event.queue_remaining)
            self.kick()
        elif isinstance(event, m.ExecutionSuccess | m.ExecutionError | m.ExecutionInterrupted):
            self._unseen.ended(event.prompt_id)
        elif isinstance(event, m.Executing) and event.node is None and event.prompt_id is not None:
            # the outputs of cached nodes, exact times and the traceback are in the history only
            self._unseen.ended(event.prompt_id)
            self._unresolved.add(event.prompt_id)
            self._resolve_soon()

    def kick(self) -> None:
        """The queue changed."""
        self._changed.set()

    @contextmanager
    def taking_back(self, ids: Iterable[str]) -> Iterator[None]:
        """We delete these from the queue: they will not be lost but gone, unless the deletion fails."""
        wanted = set(ids)
        self._taken_back |= wanted
        try:
            yield
        except ClientError:
            self._taken_back -= wanted
            raise

    @contextmanager
    def holding(self, ids: Iterable[str]) -> Iterator[None]:
        """These are between two places of the queue: not to be missed meanwhile."""
        self._held = frozenset(ids)
        try:
            yield
        finally:
            self._held = frozenset()

    # Running ---------------------------------------------------------------------------------------------------------

    async def resync(self, recover: Callable[[], Awaitable[None]]) -> None:
        """After (re)connecting: the queue, what became of what was in it, and the history's new entries.

        `recover` first, which may know better than the queue where a job is. Raises ClientError.
        """
        await self._quietly(recover)
        limbo = {
            job.id
            for job in self._state().jobs.values()
            if job.state in (JobState.WAITING, JobState.RUNNING)
            and job.id not in self._state().running
            and job.id not in self._state().waiting
        }
        self._unresolved |= limbo
        await self.refresh_queue()
        if self._state().history_loaded:
            self._pages.restart()
            await self._quietly(partial(self._pages.load, NEWEST))  # no reason not to be connected

    async def forever(self) -> None:
        """Ask for the queue and the stats until cancelled. A question that fails is said once; the socket decides."""
        loop = asyncio.get_running_loop()
        stats_due = loop.time()
        while True:
            if loop.time() >= stats_due:
                await self._quietly(self.refresh_stats)
                stats_due = loop.time() + self._until_stats()
            try:
                async with asyncio.timeout(min(BUSY if self._busy() else IDLE, max(0.0, stats_due - loop.time()))):
                    await self._changed.wait()
            except TimeoutError:
                if not self._busy():
                    continue
            self._changed.clear()
            began = loop.time()
            await self._quietly(self.refresh_queue)
            await asyncio.sleep(max(SPACING, SHARE * (loop.time() - began)))

    def _until_stats(self) -> float:
        if not self.attention:
            return STATS_UNWATCHED
        return max(STATS_BUSY if self._busy() else STATS_IDLE, STATS_SHARE * (self._state().link.latency or 0.0))

    def _busy(self) -> bool:
        state = self._state()
        return bool(state.running or state.waiting or state.queue_remaining)

    async def _quietly(self, work: Callable[[], Awaitable[None]]) -> None:
        """A question of our own that fails is worth a line, not the connection: that is for the socket to say."""
        try:
            await work()
        except ClientError as error:
            if self._state().last_error != str(error):
                self._dispatch(c.ActionFailed(str(error)))

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel what still runs in the background."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._local is not None:
            self._local.close()
            self._local = None

    # The queue -------------------------------------------------------------------------------------------------------

    async def refresh_queue(self) -> None:
        """Ask for the queue, and for the fate of what has left it. Raises ClientError."""
        async with self._queue_lock:
            asked = self._state().version
            queue = await self._http.queue(self._raw.known(self._state().jobs))
            self._raw.remember((*queue.running, *queue.waiting))
            prompts = (*queue.running, *queue.waiting)
            seen = c.QueueSeen(queue, asked, self._held, self._skew(), await facts_of(prompts))
            gone = unlisted(self._state(), seen)
            self._unresolved.update(gone)
            self._dispatch(seen)
            missed = self._unseen.take(gone)
        if missed and self._state().history_loaded:
            self._start(partial(self._pages.load_missed, missed))
        if self._taken_back & self._unresolved:
            await self._resolve()  # whoever took them back waits to see them go
        elif self._unresolved:
            self._resolve_soon()

    def _resolve_soon(self) -> None:
        """One that waits for its turn is enough: it will see all that is open by then."""
        if not self._resolve_waits:
            self._resolve_waits = True
            self._start(self._resolve)

    async def _resolve(self) -> None:
        """Look up in the history what left the queue. Raises ClientError; what is open then is tried again later."""
        async with self._resolving:
            self._resolve_waits = False
            wanted: list[str] = []
            for delay in RETRIES:
                wanted = [item for item in self._unresolved if self._needs_history(item)]
                self._unresolved.intersection_update(wanted)
                if not wanted or (delay and self._taken_back.issuperset(wanted)):
                    break
                await asyncio.sleep(delay)
                asked = self._state().version
                await self._found(await self._entries(wanted), asked)
            left = {item for item in wanted if item in self._unresolved and self._needs_history(item)}
            self._unresolved -= left  # not `clear`: more may have come while we asked
            ours = tuple(left & self._taken_back)
            self._taken_back.difference_update(ours)
            if ours:
                self._dispatch(c.Removed(ours))
                self._raw.drop(ours)
            self._dispatch(c.Vanished(tuple(left.difference(ours)), self._state().version))
        if self._unresolved:
            self._resolve_soon()

    async def _found(self, entries: tuple[m.HistoryEntry, ...], asked: int) -> None:
        ids = [entry.prompt.prompt_id for entry in entries]
        self._unresolved.difference_update(ids)
        self._taken_back.difference_update(ids)
        if entries:
            await self._seen(entries, c.Page.SINGLE, asked, False)

    def _needs_history(self, prompt_id: str) -> bool:
        """Not if it is back in the queue."""
        state = self._state()
        return prompt_id in state.jobs and prompt_id not in state.waiting and prompt_id not in state.running

    async def _entries(self, ids: Sequence[str]) -> tuple[m.HistoryEntry, ...]:
        known = self._raw.known(self._state().jobs)
        if len(ids) > MANY:
            wanted = set(ids)
            page = await self._http.history(max_items=2 * len(ids) + NEWEST, known=known)
            return tuple(entry for entry in page if entry.prompt.prompt_id in wanted)
        found: list[m.HistoryEntry] = []
        for prompt_id in ids:
            try:
                found.append(await self._http.history_entry(self._raw.id(prompt_id)))
            except Missing:
                continue
        return tuple(found)

    # The history -----------------------------------------------------------------------------------------------------

    async def load_history(self, count: int) -> None:
        """The next older page, the newest first of all. Raises ClientError."""
        await self._pages.load(count)

    async def _seen(
        self, entries: tuple[m.HistoryEntry, ...], page: c.Page, asked: int, complete: bool, light: bool = False
    ) -> None:
        self._raw.remember(entry.prompt for entry in entries)
        facts = await facts_of([entry.prompt for entry in entries])
        self._dispatch(c.HistorySeen(entries, page, asked, complete, light, self._skew(), facts))

    async def load_job(self, prompt_id: str) -> None:
        """One entry, with its graph. Raises ClientError, Missing among them."""
        asked = self._state().version
        entry = await self._http.history_entry(self._raw.id(prompt_id))
        await self._seen((entry,), c.Page.SINGLE, asked, False)

    # The machine -----------------------------------------------------------------------------------------------------

    async def refresh_stats(self) -> None:
        """Memory, versions, and how long the answer takes. Raises ClientError."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        stats = await self._http.system_stats()
        self._dispatch(c.Measured(loop.time() - began))
        self._dispatch(c.StatsSeen(stats))
        if self._http.target.is_loopback and self.attention:
            await self._look_here()

    async def _look_here(self) -> None:
        """If the server runs on this machine, ask the machine, too: no server tells the load of its GPUs."""
        from comfytui.state.local_machine import LocalMachine, is_here  # psutil, for those who need it

        if not is_here(self._http.target, self._state().stats):
            return
        if self._local is None:
            self._local = await asyncio.to_thread(LocalMachine)
        self._dispatch(c.LocalSeen(await asyncio.to_thread(self._local.read, self._clock())))

    def _skew(self) -> float:
        """Seconds to add to the server's times to have ours; 0 if the clocks agree well enough."""
        date = self._http.server_date
        skew = 0.0 if date is None else self._clock() - date
        return skew if abs(skew) > CLOCKS_AGREE else 0.0

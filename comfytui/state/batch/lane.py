"""One server of a batch: sends it jobs, some at a time, and learns how each ended, whatever the connection does."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from comfytui.client import messages as m
from comfytui.client.errors import (
    BadAnswer,
    ClientError,
    Missing,
    ReadOnly,
    Refused,
    ServerFailed,
    TooLarge,
    Unreachable,
)
from comfytui.client.http import Http
from comfytui.client.socket import open_socket
from comfytui.client.target import Target
from comfytui.state.batch.ledger import End, Ledger, Sent
from comfytui.workflow.errors import WorkflowError

T = TypeVar("T")
POLL, QUICK = 5.0, 0.5  # seconds between looks at the queue: events tell before; without a socket nothing else does
EARLY = 16  # looks for a finished job, doubling from 5 ms: a server says that it is done before its history has it
ASKING = 4  # requests at once: as many connections are kept open, and opening one takes longer than waiting for one
STUBBORN = 6  # times that a server which answers may fail at one question
REMEMBERED = 200  # entries of a history in which a job is looked for that may have another id
MEMORY = ("outofmemory", "out of memory")
ENDED = (m.ExecutionSuccess, m.ExecutionError, m.ExecutionInterrupted)


class Work(msgspec.Struct, frozen=True):
    """A job as a lane sends it. `body` makes graph and extra data when it is its turn, not before."""

    key: str
    number: int  # from 1
    name: str
    body: Callable[[], Awaitable[tuple[Mapping[str, Any], Mapping[str, Any]]]]


class Server(msgspec.Struct, frozen=True):
    """Where a lane leads. `ready` opens the way there (a tunnel), or raises ClientError."""

    name: str
    target: Target
    ready: Callable[[], Awaitable[None]] | None = None
    read_only: bool = False


class Gone(Exception):  # noqa: N818 -- it is no error of ours
    """The server stayed away for longer than we wait; what was sent may go on there."""


class Lane:
    """The way to one server. `results` is called with the finished job, to save what it made; it returns paths."""

    def __init__(
        self,
        server: Server,
        ledger: Ledger,
        *,
        retries: int,
        patience: float,
        results: Callable[[Lane, Work, m.HistoryEntry], Awaitable[tuple[str, ...]]],
        said: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.server = server
        self.place = server.target.place
        self.http = Http(server.target)
        self.http.read_only = server.read_only
        self.client_id = str(uuid.uuid4())
        self._ledger = ledger
        self._retries = retries
        self._patience = patience
        self._results = results
        self._said = said
        self._clock = clock
        self._out: dict[str, asyncio.Event] = {}  # by id: set when it is no longer in the queue, as far as we heard
        self._foreign: set[str] = set()  # of those, sent by an earlier run: their events go to nobody
        self._accepted: set[str] = set()  # of those: only what was in the queue can be missing from it
        self._listening = False
        self._asking = asyncio.Semaphore(ASKING)
        self._probing = asyncio.Lock()
        self._seen = 0  # how often the server was found again
        self._gone = ""  # why we gave it up
        self._tasks: list[asyncio.Task[None]] = []

    # Life ------------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Find the server, and begin to listen. Raises ClientError if it is not there, or is not ComfyUI."""
        if self.server.ready is not None:
            await self.server.ready()
        await self.http.queue_remaining()
        opened = asyncio.Event()
        self._tasks = [asyncio.create_task(self._listen(opened)), asyncio.create_task(self._poll())]
        with contextlib.suppress(TimeoutError):  # without events it is slower, and no less certain
            async with asyncio.timeout(self.server.target.timeout):
                await opened.wait()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.http.aclose()
        for each in outcomes:
            if isinstance(each, Exception):  # a mistake of ours, which only made it slow
                raise each

    # One job ---------------------------------------------------------------------------------------------------------

    async def run(self, work: Work, sent: Sent | None = None) -> End:
        """Send one job and see it through; `sent` is what an earlier run noted of it, if it did.

        Raises Gone if the server stays away, ReadOnly, NotKept; never because of the job.
        """
        attempt = sent.attempt if sent is not None else 1
        memory = False
        while True:
            end = await self._once(work, attempt, sent)
            sent = None
            if end.state != "failed" or not end.passing:
                return end
            again = not memory if end.kind == "memory" else True
            if attempt > self._retries or not again:
                return end
            self._said(f"{work.name}: {end.error}; trying again")
            if end.kind == "memory":
                memory = True
                with contextlib.suppress(ClientError):  # it helps, and is not needed
                    await self.http.free(unload_models=True, free_memory=True)
            elif end.kind == "server":
                await asyncio.sleep(min(10.0, 0.5 * 2.0**attempt))
            attempt += 1

    async def _once(self, work: Work, attempt: int, sent: Sent | None) -> End:
        """One attempt under one id. Whatever breaks, the id is looked for before it is sent again."""
        if sent is None:
            sent = Sent(work.key, str(uuid.uuid4()), self.place, attempt, at=self._clock())
            await self._ledger.send(sent)
            known: str | None = None
        else:
            known = await self._patiently(lambda: self._find(sent))
            if known is not None:
                self._foreign.add(known)
        prompt_id, mark = known or sent.id, sent.mark or sent.id
        event = self._out.setdefault(prompt_id, asyncio.Event())
        try:
            if known is None:
                accepted = await self._post(work, sent, attempt)
                if isinstance(accepted, End):
                    return accepted
                if accepted != prompt_id:  # an older server gives its own
                    self._out[accepted] = event
                    self._out.pop(prompt_id, None)
                    prompt_id = accepted
                    await self._ledger.send(Sent(work.key, accepted, self.place, attempt, mark, self._clock()))
            self._accepted.add(prompt_id)
            return await self._ended(work, prompt_id, attempt, event)
        finally:
            self._out.pop(prompt_id, None)
            self._accepted.discard(prompt_id)
            self._foreign.discard(prompt_id)

    async def _post(self, work: Work, sent: Sent, attempt: int) -> str | End:
        """The id under which the server has it, or how it ended already."""
        try:
            graph, extra = await work.body()
        except WorkflowError as error:  # this row's alone: a file of wildcards that is not there
            return self._failed(work, sent.id, attempt, str(error), "refused")
        body = {
            "prompt": graph,
            "prompt_id": sent.id,
            "client_id": self.client_id,
            "extra_data": {
                "preview_method": "none", **extra, "comfytui": {"name": work.name, "batch": sent.mark or sent.id},
            },
        }  # fmt: skip
        for _ in range(STUBBORN):
            seen = self._seen
            try:
                async with self._asking:
                    return (await self.http.submit(body)).prompt_id
            except ReadOnly:
                raise
            except (Refused, TooLarge) as error:
                return self._failed(work, sent.id, attempt, str(error), "refused")
            except Unreachable as error:
                await self._back(error, seen)
            except (ServerFailed, BadAnswer) as error:
                # It may have been queued all the same: a proxy's words are not the server's.
                if (found := await self._patiently(lambda: self._find(sent))) is not None:
                    return found
                return self._failed(work, sent.id, attempt, str(error), "server", passing=True)
            except ClientError as error:
                await self._back(error, seen)
            # The answer was lost; the job may not have been.
            if (found := await self._patiently(lambda: self._find(sent))) is not None:
                return found
        text = "the server answers, and not when it is given a job"
        return self._failed(work, sent.id, attempt, text, "server", passing=True)

    async def _ended(self, work: Work, prompt_id: str, attempt: int, event: asyncio.Event) -> End:
        """Wait for its end, and read how it was."""
        while True:
            await event.wait()
            entry = await self._patiently(lambda: self._entry(prompt_id))
            if entry is not None:
                break
            if await self._patiently(lambda: self._queued(prompt_id)):
                event.clear()  # it was heard of too early
                continue
            if (entry := await self._patiently(lambda: self._entry(prompt_id))) is not None:
                break  # it ended between the two questions
            text = "the server no longer knows the job: it was restarted, or somebody took it out"
            return self._failed(work, prompt_id, attempt, text, "lost", passing=True)
        seconds = None
        if entry.started is not None and entry.ended is not None:
            seconds = max(0.0, entry.ended - entry.started)
        if entry.outcome == "done":
            files = await self._patiently(lambda: self._results(self, work, entry))
            texts = tuple(each.text for each in entry.outputs if each.text is not None)
            return End(
                work.key, prompt_id, "done", self.place, attempt, seconds, files=files, texts=texts, at=self._clock()
            )
        if entry.outcome == "interrupted":
            text = "interrupted on the server"
            return End(work.key, prompt_id, "interrupted", self.place, attempt, seconds, error=text, at=self._clock())
        error = entry.error
        text = "failed" if error is None else _said(error)
        low = f"{error.exception_type} {error.message}".lower() if error is not None else ""
        memory = any(word in low for word in MEMORY)
        kind = "memory" if memory else "node"
        return self._failed(work, prompt_id, attempt, text, kind, passing=memory, seconds=seconds)

    def _failed(
        self, work: Work, prompt_id: str, attempt: int, text: str, kind: str, passing: bool = False,
        seconds: float | None = None,
    ) -> End:  # fmt: skip
        return End(
            work.key, prompt_id, "failed", self.place, attempt, seconds, error=text, kind=kind, passing=passing,
            at=self._clock(),
        )  # fmt: skip

    # What the server knows -------------------------------------------------------------------------------------------

    async def _find(self, sent: Sent) -> str | None:
        """The id under which the server has what was sent, waiting, running or finished; None if it has not."""
        mark = sent.mark or sent.id
        queue = await self.http.queue()
        for prompt in (*queue.running, *queue.waiting):
            if prompt.prompt_id in (sent.id, mark) or _mark(prompt) == mark:
                return prompt.prompt_id
        with contextlib.suppress(Missing):
            return (await self.http.history_entry(sent.id)).prompt.prompt_id
        for entry in await self.http.history(max_items=REMEMBERED):
            if _mark(entry.prompt) == mark:
                return entry.prompt.prompt_id
        return None

    async def _entry(self, prompt_id: str) -> m.HistoryEntry | None:
        for look in range(EARLY):
            with contextlib.suppress(Missing):
                return await self.http.history_entry(prompt_id)
            if look >= 3 and not await self._queued(prompt_id):
                with contextlib.suppress(Missing):
                    return await self.http.history_entry(prompt_id)
                if look >= 7:  # most of a second after it left the queue
                    return None
            await asyncio.sleep(min(0.5, 0.005 * 2.0**look))
        return None

    async def _queued(self, prompt_id: str) -> bool:
        queue = await self.http.queue(known=self._out)
        return any(each.prompt_id == prompt_id for each in (*queue.running, *queue.waiting))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer. Raises Gone."""
        for failures in range(1, 1_000_000):
            seen = self._seen
            try:
                async with self._asking:
                    return await ask()
            except ReadOnly:
                raise
            except ClientError as error:
                if failures >= STUBBORN:
                    raise Gone(str(error)) from error
                await self._back(error, seen)
        raise AssertionError

    async def _back(self, error: ClientError, seen: int) -> None:
        """Return once the server answers again. Raises Gone when it does not for `patience` seconds.

        One asks for all: hundreds of jobs that wait for a server shall not keep it from starting.
        """
        async with self._probing:
            if self._gone:
                raise Gone(self._gone) from error
            if self._seen != seen:
                return
            self._said(f"{self.server.name}: {error}")
            began = asyncio.get_running_loop().time()
            for failures in range(1_000_000):
                await asyncio.sleep(min(5.0, 0.1 * 2.0 ** min(failures, 10)))
                try:
                    if self.server.ready is not None:
                        await self.server.ready()
                    await self.http.queue_remaining()
                    break
                except ClientError as still:
                    if asyncio.get_running_loop().time() - began >= self._patience:
                        self._gone = str(still)
                        for event in self._out.values():
                            event.set()  # who waits for an end asks, and learns it too
                        raise Gone(self._gone) from still
            self._seen += 1
            self._said(f"{self.server.name}: it answers again")

    # Hearing of ends -------------------------------------------------------------------------------------------------

    async def _listen(self, opened: asyncio.Event) -> None:
        failures = 0
        while True:
            try:
                async with open_socket(self.server.target, self.client_id) as socket:
                    self._listening, failures = True, 0
                    opened.set()
                    async for event in socket.events():
                        # Older servers tell success only by this: nothing executes any more.
                        if isinstance(event, ENDED) or (isinstance(event, m.Executing) and event.node is None):
                            waiting = self._out.get(event.prompt_id or "")
                            if waiting is not None:
                                waiting.set()
            except ClientError:
                failures += 1
            finally:
                self._listening = False
            await asyncio.sleep(min(10.0, 0.2 * 2.0 ** min(failures, 10)))

    async def _poll(self) -> None:
        """Look at the queue now and then: events are not replayed after a gap, and are never certain."""
        while True:
            quick = not self._listening or self._foreign
            await asyncio.sleep(QUICK if quick else POLL)
            asked = [each for each in self._accepted if not self._out[each].is_set()]
            if not asked:
                continue
            seen = self._seen
            try:
                queue = await self.http.queue(known=self._out)
            except ClientError as error:
                with contextlib.suppress(Gone):  # told to those who wait
                    await self._back(error, seen)
                continue
            there = {each.prompt_id for each in (*queue.running, *queue.waiting)}
            for each in asked:
                if each not in there and (event := self._out.get(each)) is not None:
                    event.set()

    async def take_back(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Take these out of the queue, and stop what runs of them; those that were there. Raises ClientError."""
        wanted = set(ids)
        queue = await self.http.queue(known=wanted)
        await self.http.delete_waiting([each.prompt_id for each in queue.waiting if each.prompt_id in wanted])
        queue = await self.http.queue(known=wanted)  # what waited may have begun meanwhile
        for each in queue.running:
            if each.prompt_id in wanted:
                await self.http.interrupt(each.prompt_id)
        return tuple(ids)


def _mark(prompt: m.Prompt) -> str:
    said = prompt.extra_data.get("comfytui")
    return str(said.get("batch", "")) if isinstance(said, Mapping) else ""


def _said(error: m.ExecutionError) -> str:
    where = f"node {error.node_id} ({error.node_type}): " if error.node_id else ""
    kind = f"{error.exception_type}: " if error.exception_type else ""
    return f"{where}{kind}{error.message.strip()}"

"""One server: connects, stays connected, and carries out what is asked of it; `watch` keeps its state true."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from comfytui.client import sanitize
from comfytui.client.account import Account
from comfytui.client.errors import BadAnswer, BadTarget, ClientError, Denied, Missing, NotComfyUI, Unreachable
from comfytui.client.http import Http
from comfytui.client.messages import (
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionSuccess,
    Logs,
    RawName,
    RawPrompt,
    Submitted,
)
from comfytui.client.recording import Recorder
from comfytui.client.served import Served
from comfytui.client.socket import open_socket
from comfytui.client.target import Target
from comfytui.client.userdata import UserData
from comfytui.state import changes as c
from comfytui.state import times
from comfytui.state.client_id import ClientId
from comfytui.state.disk import Disk
from comfytui.state.kept import Kept, Request
from comfytui.state.memory import Memory
from comfytui.state.model import JobState, Link, Output, Phase, ServerState
from comfytui.state.models import Models
from comfytui.state.moves import Moves
from comfytui.state.raw import RawPrompts, sendable
from comfytui.state.reduce import reduce
from comfytui.state.server_log import ServerLog
from comfytui.state.times import Estimate
from comfytui.state.watch import Watch
from comfytui.workflow.graph import Graph

STEADY = 10.0  # seconds after which a connection counts as good, and waiting begins anew at the shortest
# What may have ended a job; looking after each of thousands of other events would cost more than they do.
ENDINGS = (
    ExecutionSuccess,
    ExecutionError,
    ExecutionInterrupted,
    Executing,
    c.QueueSeen,
    c.HistorySeen,
    c.Vanished,
    c.Removed,
)
HOPELESS = (BadTarget, Denied, NotComfyUI, BadAnswer, Missing)  # answers that trying again does not change


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling to 30, with jitter, so that many clients spread."""
    return min(30.0, 0.5 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)


class Connection:
    """A server and what we know of it. All methods run in the event loop that runs `run`.

    Every method that talks to the server raises `ClientError`; none of them changes `state` before the server agreed.
    """

    def __init__(
        self,
        target: Target,
        *,
        client_id: ClientId | None = None,
        disk: Disk | None = None,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.time,
        ready: Callable[[bool], Awaitable[None]] | None = None,
    ) -> None:
        """Nothing is sent before `run`. `disk` None: nothing outlives this object. (`opening.open_connection` gives both.)

        `ready` is awaited before each try: it opens the way there, or raises ClientError; it is told whether `retry_now`
        asked for this try. Raises BadTarget for headers or a CA bundle that cannot be used.
        """
        self.target = target
        self._owner = client_id or ClientId(str(uuid.uuid4()))
        self.client_id = self._owner.text
        self._disk = disk or Disk(None)
        self.backoff = backoff
        self._clock = clock
        self._ready = ready
        self._state = ServerState(link=Link(url=target.place, since=clock()), client_id=self.client_id)
        self._subscribers: dict[object, Callable[[ServerState], None]] = {}
        self._recorder = recorder
        if recorder is not None:
            recorder.hide(target.secrets())
            recorder.on_problem = lambda problem: self._dispatch(c.ActionFailed(problem))
        self._http = Http(target, recorder=recorder)
        self.userdata = UserData(self._http)
        self.served = Served(self._http)
        self._raw = RawPrompts()
        self._watch = Watch(self._http, self._raw, self._dispatch, lambda: self._state, clock)
        self._closing = asyncio.Event()
        self._retry = asyncio.Event()
        self._reason: ClientError | None = None  # why the last try failed
        self._heard: float | None = None  # when the server last said something
        self._moves = Moves(
            self._http,
            self._raw,
            self._watch,
            Kept(self._disk, target.place),
            self._owner,
            lambda: self._state,
            self._dispatch,
            self._accept,
        )
        self.log = ServerLog(self._http, self.client_id)
        self.account = Account(self._http)
        self.model_files = Models(self._http, lambda: self._state)
        self._memory = Memory(self._http, self._disk, lambda: self._state, self._dispatch, clock)

    @property
    def state(self) -> ServerState:
        """The newest state."""
        return self._state

    def subscribe(self, callback: Callable[[ServerState], None]) -> Callable[[], None]:
        """Call `callback` with the new state on each change, in the loop; returns what ends it."""
        token = object()
        self._subscribers[token] = callback
        return lambda: (self._subscribers.pop(token, None), None)[1]

    def _dispatch(self, happening: c.Happening) -> None:
        before = self._state
        state = reduce(before, happening, self._clock())
        if state is before:
            return
        self._state = state
        if state.timings is not before.timings and not isinstance(happening, c.Learned):
            self._memory.note_times(before.timings)
        if isinstance(happening, ENDINGS):
            self._moves.settle()
        for callback in tuple(self._subscribers.values()):
            try:
                callback(state)
            except Exception as error:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a subscriber of the connection failed", "exception": error}
                )

    # Staying connected -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and stay connected until `close`. Run it as a task."""
        failures = 0
        loop = asyncio.get_running_loop()
        try:
            while not self._closing.is_set():
                wanted = self._retry.is_set()
                self._retry.clear()
                self._dispatch(c.Connecting())
                began = loop.time()
                try:
                    await self._until_closed(self._session(wanted))
                except ClientError as error:
                    failures = 1 if loop.time() - began > STEADY else failures + 1
                    await self._pause(error, self.backoff(failures - 1))
        finally:
            await self.log.stop()
            await self._watch.stop()
            await self._moves.stop()
            await self._memory.stop()
            self._disk.close()
            await self._http.aclose()
            self._owner.release()
            self._dispatch(c.Closed())

    async def _session(self, wanted: bool) -> None:
        """One connection, from the first question to its end; always ends by raising ClientError."""
        if self._ready is not None:
            await self._ready(wanted)
        asked = time.perf_counter()
        await self._http.queue_remaining()
        self._dispatch(c.Measured(time.perf_counter() - asked))
        async with open_socket(self.target, self.client_id, self._recorder) as socket:

            async def listen() -> None:
                async for event in socket.events():
                    self._heard = self._clock()
                    if isinstance(event, Logs):  # thousands a second at worst, and no part of the state
                        self.log.heard(event)
                        continue
                    self._dispatch(event)
                    self._watch.heard(event)

            async def watch() -> None:
                # Nothing is replayed after a gap. Events are read already while the queue is asked for, so that
                # nothing falls between the two.
                await self._memory.recall()
                await self._moves.recall()
                await self._watch.resync(self._moves.recover)
                self._reason = None
                self._dispatch(c.Connected())
                self.log.connected()
                await self._watch.forever()

            try:
                await _first_to_fail(listen(), watch())
            finally:
                self.log.dropped()

    async def _until_closed(self, work: Any) -> None:
        """`work`, or its cancellation when we are closed."""
        await _first_to_fail(work, self._closing.wait())

    async def _pause(self, error: ClientError, delay: float) -> None:
        """Say what failed, and wait. What was once ComfyUI may be so again: only a first answer can be a refusal."""
        self._reason = error
        forever = isinstance(error, HOPELESS) and self._state.link.phase is not Phase.RECONNECTING
        forever = forever and self._state.link.phase is not Phase.LIVE
        if forever:
            self._dispatch(c.Rejected(str(error)))
        else:
            self._dispatch(c.Dropped(str(error), self._clock() + delay, self._heard))
        waits = [asyncio.ensure_future(self._closing.wait()), asyncio.ensure_future(self._retry.wait())]
        try:
            await asyncio.wait(waits, timeout=None if forever else delay, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(*waits)

    async def close(self) -> None:
        """Leave: ends `run`, closes the socket and the HTTP connections."""
        self._closing.set()
        await self._watch.stop()
        await self._http.aclose()
        self._owner.release()

    def retry_now(self) -> None:
        """Do not wait any longer: try to connect at once (also after a refusal)."""
        self._retry.set()

    async def wait_live(self, timeout: float) -> None:  # noqa: ASYNC109 -- the caller knows how long it may wait
        """Return when the connection is live and the queue known.

        Raises ClientError with the reason when the server refused us, or time is up.
        """
        changed = asyncio.Event()
        unsubscribe = self.subscribe(lambda _: changed.set())
        try:
            async with asyncio.timeout(timeout):
                while self._state.link.phase is not Phase.LIVE:
                    if self._state.link.phase is Phase.REFUSED and self._reason is not None:
                        raise self._reason
                    if self._state.link.phase is Phase.CLOSED:
                        raise Unreachable(f"The connection to {self.target.label} was closed.", where=self.target.url)
                    changed.clear()
                    await changed.wait()
        except TimeoutError as error:
            label = self.target.label
            raise self._reason or Unreachable(
                f"{label} did not answer within {timeout:g} s.", where=self.target.url
            ) from error
        finally:
            unsubscribe()

    # Prompts ---------------------------------------------------------------------------------------------------------

    async def submit(
        self,
        graph: Mapping[str, Any],
        *,
        name: str = "",
        workflow: Mapping[str, Any] | None = None,
        front: bool = False,
        number: float | None = None,
        previews: bool = True,
        hold: bool | None = None,
        templates: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Submitted:
        """Queue an API-format graph. `workflow` is its UI form, stored in the pictures; so are `templates`, the texts
        (node → input → text) that those of the graph were made from.

        `hold` True keeps it on this side until it is released; None does so while the queue is paused. `front` puts it before all that waits, `number` between others. The answer may hold node errors although the
        prompt was queued: those outputs were dropped. Raises Refused when validation failed.
        """
        extra: dict[str, Any] = {"preview_method": "auto" if previews else "none"}
        told: dict[str, Any] = {"workflow": workflow} if workflow is not None else {}
        if templates:
            told["comfytui"] = {"templates": templates}
        if told:
            extra["extra_pnginfo"] = told
        if name:
            extra["comfytui"] = {"name": name}  # so that the job has its name on every client, and after a restart
        body: dict[str, Any] = {
            "prompt": sendable(graph),
            "prompt_id": str(uuid.uuid4()),  # newer servers want a UUID; older ones ignore it and give their own
            "client_id": self.client_id,
            "extra_data": extra,
        }
        request = Request(body["prompt_id"], 0.0, body, name, True, self._clock())
        if hold or (hold is None and self._state.paused):
            self._http.may_change()
            return await self._moves.hold_new(request)
        place = {"number": number} if number is not None else {"front": True} if front else {}
        answer = await self._http.submit({**body, **place})
        self._accept(answer, request)
        await self._moves.remember(replace(request, prompt_id=answer.prompt_id, number=answer.number))
        for problems in answer.node_errors.values():
            dropped = ", ".join(problems.dependent_outputs) or problems.node_id
            reasons = "; ".join(map(str, problems.problems))
            self._dispatch(c.ActionFailed(f"Queued, but output {dropped} was dropped: {reasons}"))
        return answer

    def _accept(self, answer: Submitted, request: Request, how: str = "") -> None:
        graph, extra = request.body["prompt"], dict(request.body.get("extra_data") or {})
        if request.mine and "client_id" in request.body:
            extra["client_id"] = request.body["client_id"]
        clean_graph, clean_extra = sanitize.json_value(graph), sanitize.json_value(extra)
        if clean_graph is not graph:
            self._raw.put(answer.prompt_id, RawPrompt(answer.prompt_id, graph, extra, ()))
        name = sanitize.line(request.name)
        self._dispatch(c.Accepted(answer.prompt_id, answer.number, clean_graph, clean_extra, name, request.mine, how))
        self._watch.kick()

    def raw_graph(self, prompt_id: str) -> Mapping[str, Any] | None:
        """The graph of a job exactly as the server has it, for running again; None if it is not known (load the job).

        It is a copy, to be edited at will.
        """
        return self._raw.graph(prompt_id, self._state.jobs.get(prompt_id))

    async def cancel(self, ids: Iterable[str]) -> None:
        """Take waiting jobs out of the queue, and drop held ones; what already runs is left alone."""
        chosen = list(ids)
        here = [item for item in chosen if item in self._state.held]
        if here:
            await self._moves.forget(here)
        wanted = [item for item in chosen if item not in here]
        if not wanted:
            return
        with self._watch.taking_back(wanted):
            await self._http.delete_waiting([self._raw.id(item) for item in wanted])
            await self._watch.refresh_queue()

    async def clear_queue(self) -> None:
        """Take every waiting job out of the queue, other people's too."""
        with self._watch.taking_back(self._state.waiting):
            await self._http.clear_waiting()
            await self._watch.refresh_queue()

    async def interrupt(self, prompt_id: str | None = None) -> None:
        """Stop what runs; with an id only if that is what runs."""
        await self._http.interrupt(None if prompt_id is None else self._raw.id(prompt_id))

    async def move(self, prompt_id: str, to: int) -> None:
        """Put a waiting job at index `to` of `state.waiting`, or a held one at that index of `state.held`.

        The server cannot reorder: the job is deleted and submitted again under its id, with a number that sorts where
        it is wanted. Raises Missing if it does not wait any more; should the second submission be refused, the job is LOST
        in the state, with its graph, and the error says so. If the link breaks, it is done after the next connect.
        """
        await self._moves.move(prompt_id, to)

    async def hold(self, ids: Iterable[str]) -> None:
        """Take waiting jobs out of the queue and keep them on this side (`state.held`), also over our own exit.

        Raises Missing if none of them waits any more, NotKept if they cannot be written down (nothing is changed then).
        """
        await self._moves.hold(ids)

    async def release(self, ids: Iterable[str] | None = None, *, front: bool = False) -> None:
        """Put held jobs (None: all) back into the queue, where they were, or with `front` before all that waits."""
        await self._moves.release(ids, front=front)

    async def pause(self, *, others: bool = False) -> None:
        """Hold all that waits of ours (with `others`, of everybody), and what we submit, until `resume`."""
        await self._moves.pause(others=others)

    async def resume(self) -> None:
        """Release all that is held, and hold no more."""
        await self._moves.resume()

    async def send_again(self, ids: Iterable[str]) -> tuple[Submitted, ...]:
        """Submit lost jobs again, under their ids. Raises Missing if one's request is not known any more."""
        return await self._moves.send_again(ids)

    async def forget(self, ids: Iterable[str]) -> None:
        """Drop lost and held jobs for good; nothing is asked of the server."""
        await self._moves.forget(ids)

    @property
    def read_only(self) -> bool:
        """Whether every call that would change the server raises ReadOnly; also in `state.read_only`."""
        return self._http.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._http.read_only = value
        self._dispatch(c.ReadOnlySet(value))

    # History ---------------------------------------------------------------------------------------------------------

    async def load_history(self, count: int = 50) -> None:
        """Load the next older page of the history (the newest at first)."""
        await self._watch.load_history(count)

    async def expected(self, graph: Graph) -> Estimate:
        """How long a workflow should take here, by what is kept of past runs and by the server's history."""
        await self._memory.recall()
        if not self._state.history_loaded:
            with contextlib.suppress(ClientError):  # then what is kept alone tells
                await self.load_history()
        return times.expected(self._state, graph)

    async def load_job(self, prompt_id: str) -> None:
        """Load one job from the history: its graph, outputs and failure. Raises Missing."""
        await self._watch.load_job(prompt_id)

    async def delete_history(self, ids: Iterable[str]) -> None:
        """Delete finished jobs from the server's history (their files stay)."""
        wanted = list(ids)
        await self._http.delete_history([self._raw.id(item) for item in wanted])
        ended = tuple(item for item in wanted if item in self._state.jobs and not self._alive(item))
        self._dispatch(c.Removed(ended))
        self._raw.drop(ended)

    def _alive(self, prompt_id: str) -> bool:
        return self._state.jobs[prompt_id].state in (JobState.WAITING, JobState.RUNNING)

    async def star(self, prompt_id: str, star: bool = True) -> None:
        """Set or take away a job's star (`state.marks`); it is kept on this side. Raises NotKept."""
        await self._memory.star(prompt_id, star)

    async def note(self, prompt_id: str, note: str) -> None:
        """Write a note to a job (`state.marks`); an empty one takes it away. Raises NotKept."""
        await self._memory.note(prompt_id, note)

    @property
    def attention(self) -> bool:
        """Whether somebody looks at memory and load; if not, they are asked for every few minutes only."""
        return self._watch.attention

    @attention.setter
    def attention(self, value: bool) -> None:
        self._watch.attention = value

    # Files, models, the server itself --------------------------------------------------------------------------------

    async def fetch(self, output: Output, *, preview: str | None = None) -> bytes:
        """The bytes of a file; `preview` ("webp;80", "jpeg;90") asks for a smaller encoding at full pixel size.

        Raises Missing when the file is gone, or the output is none.
        """
        name = output.raw or RawName(output.filename, output.subfolder, output.type)
        if not name.filename:
            raise Missing(f"The {output.kind or 'output'} of node {output.node_id} is no file.", where=self.target.url)
        return await self._http.view(name, preview)

    async def size(self, output: Output) -> int | None:
        """How many bytes a file has, without fetching it; None if it is no file, or the server does not say."""
        name = output.raw or RawName(output.filename, output.subfolder, output.type)
        return await self._http.view_size(name) if name.filename else None

    async def upload(
        self, data: bytes, name: str, *, overwrite: bool = False, sent: Callable[[int], None] | None = None
    ) -> str:
        """Put a picture into the server's input folder; returns the value for LoadImage.

        `sent` is told how many bytes are on their way.
        """
        return await self._http.upload_image(data, name, overwrite=overwrite, sent=sent)

    async def refresh_node(self, class_type: str) -> None:
        """Ask for one class of the catalogue again: what it offers has changed, as after an upload."""
        await self._memory.refresh_node(class_type)

    async def load_object_info(self, force: bool = False) -> Mapping[str, Any]:
        """The node catalogue, cleaned; asked once per version of the server unless forced. Also in `state.object_info`."""
        return await self._memory.catalogue(force=force)

    async def embeddings(self) -> tuple[str, ...]:
        """The names that `embedding:` in a prompt takes. Raises ClientError."""
        return await self._http.embeddings()

    async def models(self, folder: str | None = None) -> tuple[str, ...]:
        """The names in a model folder, or of the folders. Raises Missing for an unknown folder."""
        return await self._http.models(folder)

    async def free(self, *, unload_models: bool = True, free_memory: bool = False) -> None:
        """Unload models; with `free_memory` also forget cached results."""
        await self._http.free(unload_models=unload_models, free_memory=free_memory)

    async def refresh_stats(self) -> None:
        """Ask for memory and versions now."""
        await self._watch.refresh_stats()

    async def server_settings(self) -> Mapping[str, Any]:
        """The settings that the server keeps for its web interface."""
        return await self._http.settings()

    async def set_server_setting(self, key: str, value: Any) -> None:
        """Change one of them."""
        await self._http.set_setting(key, value)


async def _first_to_fail(*works: Any) -> None:
    """Run these side by side until the first ends; the others are cancelled, and its exception is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _cancel(*tasks)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

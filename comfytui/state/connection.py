"""One server: connects, stays connected, and carries out what is asked of it; `watch` keeps its state true."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer, BadTarget, ClientError, Denied, Missing, NotComfyUI, Unreachable
from comfytui.client.http import Http
from comfytui.client.messages import NOTHING, Prompt, RawName, RawPrompt, Submitted
from comfytui.client.socket import open_socket
from comfytui.client.target import Target
from comfytui.state import changes as c
from comfytui.state.model import JobState, Link, Output, Phase, ServerState
from comfytui.state.raw import RawPrompts, sendable
from comfytui.state.reduce import reduce
from comfytui.state.reorder import renumber
from comfytui.state.watch import Watch

STEADY = 10.0  # seconds after which a connection counts as good, and waiting begins anew at the shortest
HOPELESS = (BadTarget, Denied, NotComfyUI, BadAnswer, Missing)  # answers that trying again does not change


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling to 30, with jitter, so that many clients spread."""
    return min(30.0, 0.5 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)


class Connection:
    """A server and what we know of it. All methods run in the event loop that runs `run`.

    Every method that talks to the server raises `ClientError`; none of them changes `state` before the server agreed.
    """

    def __init__(self, target: Target, *, client_id: str | None = None, clock: Callable[[], float] = time.time) -> None:
        """Nothing is sent before `run`. Raises BadTarget for headers or a CA bundle that cannot be used."""
        self.target = target
        self.client_id = client_id or str(uuid.uuid4())
        self.backoff = backoff
        self._clock = clock
        self._state = ServerState(link=Link(url=target.url, since=clock()), client_id=self.client_id)
        self._subscribers: dict[object, Callable[[ServerState], None]] = {}
        self._http = Http(target)
        self._raw = RawPrompts()
        self._watch = Watch(self._http, self._raw, self._dispatch, lambda: self._state, clock)
        self._closing = asyncio.Event()
        self._retry = asyncio.Event()
        self._reason: ClientError | None = None  # why the last try failed
        self._moving = asyncio.Lock()
        self._catalogue = asyncio.Lock()

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
        state = reduce(self._state, happening, self._clock())
        if state is self._state:
            return
        self._state = state
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
                self._retry.clear()
                self._dispatch(c.Connecting())
                began = loop.time()
                try:
                    await self._until_closed(self._session())
                except ClientError as error:
                    failures = 1 if loop.time() - began > STEADY else failures + 1
                    await self._pause(error, self.backoff(failures - 1))
        finally:
            await self._watch.stop()
            await self._http.aclose()
            self._dispatch(c.Closed())

    async def _session(self) -> None:
        """One connection, from the first question to its end; always ends by raising ClientError."""
        asked = time.perf_counter()
        await self._http.queue_remaining()
        self._dispatch(c.Measured(time.perf_counter() - asked))
        async with open_socket(self.target, self.client_id) as socket:

            async def listen() -> None:
                async for event in socket.events():
                    self._dispatch(event)
                    self._watch.heard(event)

            async def watch() -> None:
                # Nothing is replayed after a gap. Events are read already while the queue is asked for, so that
                # nothing falls between the two.
                await self._watch.resync()
                self._reason = None
                self._dispatch(c.Connected())
                await self._watch.forever()

            await _first_to_fail(listen(), watch())

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
            self._dispatch(c.Dropped(str(error), self._clock() + delay))
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
    ) -> Submitted:
        """Queue an API-format graph. `workflow` is its UI form, stored in the pictures.

        `front` puts it before all that waits, `number` between others. The answer may hold node errors although the
        prompt was queued: those outputs were dropped. Raises Refused when validation failed.
        """
        extra: dict[str, Any] = {"preview_method": "auto" if previews else "none"}
        if workflow is not None:
            extra["extra_pnginfo"] = {"workflow": workflow}
        if name:
            extra["comfytui"] = {"name": name}  # so that the job has its name on every client, and after a restart
        body: dict[str, Any] = {
            "prompt": sendable(graph),
            "prompt_id": str(uuid.uuid4()),  # newer servers want a UUID; older ones ignore it and give their own
            "client_id": self.client_id,
            "extra_data": extra,
        }
        if number is not None:
            body["number"] = number
        elif front:
            body["front"] = True
        answer = await self._http.submit(body)
        self._accept(answer, body["prompt"], {**extra, "client_id": self.client_id}, name)
        for problems in answer.node_errors.values():
            dropped = ", ".join(problems.dependent_outputs) or problems.node_id
            reasons = "; ".join(map(str, problems.problems))
            self._dispatch(c.ActionFailed(f"Queued, but output {dropped} was dropped: {reasons}"))
        return answer

    def _accept(
        self, answer: Submitted, graph: dict[str, Any], extra: Mapping[str, Any], name: str, *, mine: bool = True
    ) -> None:
        clean_graph, clean_extra = sanitize.json_value(graph), sanitize.json_value(dict(extra))
        if clean_graph is not graph:
            self._raw.put(answer.prompt_id, RawPrompt(answer.prompt_id, graph, extra, ()))
        clean_name = sanitize.line(name)
        self._dispatch(c.Accepted(answer.prompt_id, answer.number, clean_graph, clean_extra, clean_name, mine=mine))
        self._watch.kick()

    def raw_graph(self, prompt_id: str) -> Mapping[str, Any] | None:
        """The graph of a job exactly as the server has it, for running again; None if it is not known (load the job).

        It is a copy, to be edited at will.
        """
        return self._raw.graph(prompt_id, self._state.jobs.get(prompt_id))

    async def cancel(self, ids: Iterable[str]) -> None:
        """Take waiting jobs out of the queue; what already runs is left alone."""
        wanted = list(ids)
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
        """Put a waiting job at index `to` of `state.waiting`.

        The server cannot reorder: the job is deleted and submitted again under its id, with a number that sorts where
        it is wanted. Raises Missing if it does not wait any more; should the second submission fail, the job is LOST
        in the state, with its graph, and the error says so.
        """
        async with self._moving:
            queue = await self._http.queue(self._raw.known(self._state.jobs))
            self._raw.remember(queue.waiting)
            waiting = {item.prompt_id: item for item in queue.waiting}
            if prompt_id not in waiting:
                await self._watch.refresh_queue()
                raise self._not_waiting(prompt_id)
            numbers = [(item.prompt_id, item.number) for item in queue.waiting]
            again = renumber(numbers, prompt_id, to)
            ids = [item for item, _ in again]
            with self._watch.holding(ids):
                await self._http.delete_waiting([self._raw.id(item) for item in ids])
                started = {
                    item.prompt_id for item in (await self._http.queue(self._raw.known(self._state.jobs))).running
                }
                for item, number in again:
                    if item not in started:
                        await self._resubmit(waiting[item], number)
            await self._watch.refresh_queue()
            if prompt_id in started:
                raise self._not_waiting(prompt_id)

    async def _resubmit(self, prompt: Prompt, number: float) -> None:
        job = self._state.jobs.get(prompt.prompt_id)
        raw = self._raw.prompt(prompt, job)
        body: dict[str, Any] = {
            "prompt": sendable(raw.graph),
            "prompt_id": raw.prompt_id,
            "extra_data": dict(raw.extra_data),  # the submitter's client_id is in it: they go on being told
            "number": number,
        }
        if raw.outputs:
            body["partial_execution_targets"] = list(raw.outputs)
        try:
            answer = await self._submit_surely(body)
        except ClientError as error:
            self._dispatch(c.Vanished((prompt.prompt_id,), self._state.version))
            raise type(error)(
                f"While being moved, job {prompt.prompt_id[:8]} could not be queued again: {error} "
                "It is listed as lost, and can be run again from there.",
                where=self.target.url,
            ) from error
        mine = raw.extra_data.get("client_id") == self.client_id
        if answer.prompt_id != prompt.prompt_id:  # an old server, which gives ids of its own
            self._dispatch(c.Removed((prompt.prompt_id,)))
        name = job.facts.name if job is not None else prompt.name
        self._accept(answer, body["prompt"], body["extra_data"], name, mine=mine)

    async def _submit_surely(self, body: Mapping[str, Any]) -> Submitted:
        """Between two places is no place to give up at once. If only the answer was lost, the job is in the queue: the
        same id must not be submitted twice."""
        try:
            return await self._http.submit(body)
        except Unreachable:
            queue = await self._http.queue(self._raw.known(self._state.jobs))
            for item in (*queue.running, *queue.waiting):
                if self._raw.id(item.prompt_id) == body["prompt_id"]:
                    return Submitted(item.prompt_id, item.number)
            return await self._http.submit(body)

    def _not_waiting(self, prompt_id: str) -> Missing:
        return Missing(f"Job {prompt_id[:8]} does not wait any more: it runs, or has ended.", where=self.target.url)

    # History ---------------------------------------------------------------------------------------------------------

    async def load_history(self, count: int = 50) -> None:
        """Load the next older page of the history (the newest at first)."""
        await self._watch.load_history(count)

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

    # Files, models, the server itself --------------------------------------------------------------------------------

    async def fetch(self, output: Output, *, preview: str | None = None) -> bytes:
        """The bytes of a file; `preview` ("webp;80", "jpeg;90") asks for a smaller encoding at full pixel size.

        Raises Missing when the file is gone, or the output is none.
        """
        name = output.raw or RawName(output.filename, output.subfolder, output.type)
        if not name.filename:
            raise Missing(f"The {output.kind or 'output'} of node {output.node_id} is no file.", where=self.target.url)
        return await self._http.view(name, preview)

    async def upload(self, data: bytes, name: str, *, overwrite: bool = False) -> str:
        """Put a picture into the server's input folder; returns the value for LoadImage."""
        return await self._http.upload_image(data, name, overwrite=overwrite)

    async def load_object_info(self, force: bool = False) -> Mapping[str, Any]:
        """The node catalogue, cleaned; asked once unless forced. Also in `state.object_info`."""
        async with self._catalogue:  # two screens may want it at once; it is megabytes
            if self._state.object_info is None or force:
                self._dispatch(c.CatalogueSeen(await self._http.object_info()))
            return self._state.object_info or NOTHING

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

    async def logs(self) -> tuple[str, ...]:
        """The last lines of the server's log."""
        return await self._http.logs()


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

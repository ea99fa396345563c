"""What ComfyUI's queue cannot do by itself: put jobs in another place, hold them back, send again what was lost.

All of it is deleting and submitting again under the same id. Between the two a job exists on this side only, so the
request is on disk before anything is deleted, and is looked at again after each connect: whatever broke in between, a job
is in the server's queue, held here, or listed as lost with all that is needed to send it again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from comfytui.client import sanitize
from comfytui.client.errors import ClientError, Missing, NotKept, Unreachable
from comfytui.client.http import Http
from comfytui.client.messages import Prompt, Submitted
from comfytui.state import changes as c
from comfytui.state.client_id import ClientId
from comfytui.state.kept import Kept, Place, Request
from comfytui.state.model import JobState, ServerState
from comfytui.state.raw import RawPrompts, sendable
from comfytui.state.reorder import renumber, rising
from comfytui.state.runs import ENDED
from comfytui.state.watch import Watch

AGAIN = 5.0  # seconds between two tries to finish what was broken off
Accept = Callable[[Submitted, Request, str], None]  # the server took this; what we did with it


class Moves:
    """The moves of one connection, one at a time. Its methods raise ClientError."""

    def __init__(
        self,
        http: Http,
        raw: RawPrompts,
        watch: Watch,
        kept: Kept,
        owner: ClientId,
        state: Callable[[], ServerState],
        dispatch: Callable[[c.Happening], None],
        accept: Accept,
    ) -> None:
        self._http = http
        self._raw = raw
        self._watch = watch
        self._kept = kept
        self._owner = owner
        self._state = state
        self._dispatch = dispatch
        self._accept = accept
        self._lock = asyncio.Lock()
        self._open: set[str] = set()  # ids that are on disk as sent, and have not ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._recalled = False
        self._retry: asyncio.Task[None] | None = None

    # What is remembered ----------------------------------------------------------------------------------------------

    async def recall(self) -> None:
        """Read what was kept, once. A disk that fails is said, and costs only the memory."""
        if self._recalled:
            return
        try:
            held, sent, lost = [
                await asyncio.to_thread(self._kept.load, p) for p in (Place.HELD, Place.SENT, Place.LOST)
            ]
            paused = await asyncio.to_thread(lambda: self._kept.paused)
        except NotKept as error:
            self._dispatch(c.ActionFailed(str(error)))
            return
        self._recalled = True
        self._open.update(item.prompt_id for item in sent)
        shown = [tuple(map(self._shown, items)) for items in (held, sent, lost)]
        self._dispatch(c.Recalled(shown[0], shown[1], shown[2], paused))

    async def remember(self, request: Request) -> None:
        """Note what the server took. It has it, so a disk that fails is no reason to fail."""
        try:
            await asyncio.to_thread(self._kept.put, Place.SENT, [request])
        except NotKept as error:
            self._dispatch(c.ActionFailed(str(error)))
        else:
            self._open.add(request.prompt_id)
            self.settle()

    def settle(self) -> None:
        """Forget what has ended, and note what is lost."""
        jobs = self._state().jobs
        found = {item: jobs[item].state if item in jobs else None for item in self._open}
        gone = [item for item, state in found.items() if state is None or state in ENDED]
        lost = [item for item, state in found.items() if state is JobState.LOST]
        if gone or lost:
            self._open.difference_update(gone, lost)
            task = asyncio.create_task(self._note(gone, lost))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _note(self, gone: Sequence[str], lost: Sequence[str]) -> None:
        try:
            await asyncio.to_thread(self._kept.drop, gone)
            await asyncio.to_thread(self._kept.set_place, lost, Place.LOST)
        except NotKept as error:
            self._dispatch(c.ActionFailed(str(error)))

    async def stop(self) -> None:
        """Wait until all that was noted is on disk."""
        if self._retry is not None:
            self._retry.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Moving ----------------------------------------------------------------------------------------------------------

    async def move(self, prompt_id: str, to: int) -> None:
        """Put a waiting job at index `to` of `state.waiting`, or a held one at that index of `state.held`."""
        if prompt_id in self._state().held:
            await self._move_held(prompt_id, to)
            return
        async with self._lock:
            self._http.may_change()
            waiting = await self._waiting()
            if prompt_id not in waiting:
                await self._watch.refresh_queue()
                raise self._not_waiting(prompt_id)
            again = dict(renumber([(key, item.number) for key, item in waiting.items()], prompt_id, to))
            if not again:
                return
            requests = [self._request(waiting[key], number) for key, number in again.items()]
            with self._watch.holding(again):
                started = await self._take_out(requests, Place.MOVING)
                await self._put_back([item for item in requests if item.prompt_id not in started], "moved")
            await self._watch.refresh_queue()
            if prompt_id in started:
                raise self._not_waiting(prompt_id)

    async def _move_held(self, prompt_id: str, to: int) -> None:
        async with self._lock:
            held = [item for item in self._state().held if item != prompt_id]
            held.insert(max(0, min(to, len(held))), prompt_id)
            await self._number_held(held)

    async def _number_held(self, order: Sequence[str]) -> dict[str, float]:
        """The numbers of the held jobs, given anew in this order, all different; written down."""
        jobs = self._state().jobs
        numbers = dict(zip(order, rising(sorted(jobs[item].number for item in order)), strict=True))
        changed = {item: number for item, number in numbers.items() if jobs[item].number != number}
        if changed:
            await asyncio.to_thread(self._kept.renumber, changed)
            self._dispatch(c.Held(tuple(c.Kept(item, number, {}, {}) for item, number in changed.items())))
        return numbers

    async def hold(self, ids: Iterable[str]) -> None:
        """Take waiting jobs out of the server's queue and keep them here, also over our own exit.

        Those that have begun meanwhile go on. Raises Missing if none of them waits, NotKept (nothing was changed then).
        """
        async with self._lock:
            self._http.may_change()
            waiting = await self._waiting()
            requests = [self._request(waiting[item], waiting[item].number) for item in ids if item in waiting]
            if not requests:
                await self._watch.refresh_queue()
                raise Missing("None of these jobs waits any more.", where=self._http.target.url)
            with self._watch.holding(item.prompt_id for item in requests):
                started = await self._take_out(requests, Place.HELD)
                held = [item for item in requests if item.prompt_id not in started]
                await asyncio.to_thread(self._kept.set_place, [item.prompt_id for item in held], Place.HELD)
                self._dispatch(c.Held(tuple(map(self._shown, held))))
            await self._watch.refresh_queue()

    async def hold_new(self, request: Request) -> Submitted:
        """Hold what has not been submitted yet. Raises NotKept."""
        async with self._lock:
            state = self._state()
            numbers = [state.jobs[item].number for item in (*state.waiting, *state.held, *state.running)]
            request = replace(request, number=max(numbers, default=-1.0) + 1.0)
            await asyncio.to_thread(self._kept.put, Place.HELD, [request])
            self._dispatch(c.Held((self._shown(request),)))
            return Submitted(request.prompt_id, request.number)

    async def release(self, ids: Iterable[str] | None = None, *, front: bool = False) -> None:
        """Submit held jobs again (None: all), in their order: where they were in the queue, or before all that waits."""
        async with self._lock:
            self._http.may_change()
            order = self._state().held
            wanted = set(order if ids is None else ids)
            numbers = await self._number_held(order)
            taken = await asyncio.to_thread(
                self._kept.take, [item for item in order if item in wanted], Place.HELD, self._owner.text
            )
            taken = tuple(sorted(taken, key=lambda item: numbers.get(item.prompt_id, item.number)))
            if front and taken:
                waiting = await self._waiting()
                first = min((*numbers.values(), *(item.number for item in waiting.values())))
                taken = tuple(replace(item, number=first - len(taken) + index) for index, item in enumerate(taken))
            gone = wanted.intersection(order).difference(item.prompt_id for item in taken)
            if gone:  # another program has released or dropped these
                self._dispatch(c.Removed(tuple(gone)))
            await self._put_back(taken, "released")
            await self._watch.refresh_queue()

    async def pause(self, *, others: bool = False) -> None:
        """Hold what waits of ours (`others`: of everybody), and from now on what is submitted, until `resume`."""
        self._http.may_change()
        await asyncio.to_thread(self._kept.set_paused, True)
        self._dispatch(c.Paused(True))
        await self._watch.refresh_queue()
        state = self._state()
        ids = [item for item in state.waiting if others or state.jobs[item].mine]
        if ids:
            await self.hold(ids)

    async def resume(self) -> None:
        """Release all that is held, and hold no more."""
        self._http.may_change()
        await asyncio.to_thread(self._kept.set_paused, False)
        self._dispatch(c.Paused(False))
        await self.release()

    async def send_again(self, ids: Iterable[str]) -> tuple[Submitted, ...]:
        """Submit lost jobs again, each under its id, at the end of the queue.

        Raises Missing, before anything is sent, if the request of one of them is not known any more.
        """
        async with self._lock:
            self._http.may_change()
            stored = {
                item.prompt_id: item
                for place in (Place.LOST, Place.SENT)
                for item in await asyncio.to_thread(self._kept.load, place)
            }
            wanted = [self._lost(item, stored) for item in ids]
            answers = []
            for request in wanted:
                body = dict(request.body)
                body.pop("number", None)
                body |= {"client_id": self._owner.text}
                body["extra_data"] = {**body.get("extra_data", {}), "client_id": self._owner.text}
                answer = await self._submit_surely(body)
                self._taken(answer, replace(request, body=body, mine=True), "sent again")
                await self.remember(replace(request, prompt_id=answer.prompt_id, number=answer.number, body=body))
                answers.append(answer)
            return tuple(answers)

    def _lost(self, prompt_id: str, stored: Mapping[str, Request]) -> Request:
        job = self._state().jobs.get(prompt_id)
        if job is None or job.state is not JobState.LOST:
            raise Missing(f"Job {prompt_id[:8]} is not lost.", where=self._http.target.url)
        if prompt_id in stored:
            return stored[prompt_id]
        graph = self._raw.graph(prompt_id, job)
        if graph is None:
            raise Missing(f"The workflow of job {prompt_id[:8]} is not known any more.", where=self._http.target.url)
        body = {"prompt": graph, "prompt_id": self._raw.id(prompt_id), "extra_data": dict(job.extra_data)}
        return Request(prompt_id, job.number, body, job.facts.name, True, job.created or 0.0)

    async def forget(self, ids: Iterable[str]) -> None:
        """Drop held and lost jobs for good."""
        jobs = self._state().jobs
        wanted = [i for i in ids if i in jobs and jobs[i].state in (JobState.HELD, JobState.LOST)]
        await asyncio.to_thread(self._kept.drop, wanted)
        self._dispatch(c.Removed(tuple(wanted)))
        self._raw.drop(wanted)

    # After a connect -------------------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Finish what was broken off between deleting and submitting, by us or by a program that has ended."""
        async with self._lock:
            try:
                moving = await asyncio.to_thread(self._kept.load, Place.MOVING)
                held = await asyncio.to_thread(self._kept.load, Place.HELD)
            except NotKept as error:
                self._dispatch(c.ActionFailed(str(error)))
                return
            ours = [item for item in (*moving, *held) if item.owner and not self._owner.in_use(item.owner)]
            if not ours:
                return
            queue = await self._http.queue(self._raw.known(self._state().jobs))
            listed = {item.prompt_id for item in (*queue.running, *queue.waiting)}
            known = {item.prompt_id for item in ours if item.prompt_id in listed or await self._ended(item)}
            await self._arrived([item for item in ours if item.prompt_id in known])
            left = [item for item in ours if item.prompt_id not in known]
            ids = {item.prompt_id for item in held}
            still = [item for item in left if item.prompt_id in ids]
            await asyncio.to_thread(self._kept.set_place, [item.prompt_id for item in still], Place.HELD)
            self._dispatch(c.Held(tuple(map(self._shown, still))))
            again = [item for item in left if item.prompt_id not in ids]
            if again and self._http.read_only:
                self._dispatch(
                    c.ActionFailed(f"{len(again)} jobs were being moved; they are queued when read-only is off.")
                )
            elif again:
                await self._put_back(again, "moved")

    def _recover_later(self) -> None:
        """The event stream may be fine while a gateway fails: no connect will follow that would remind us."""
        if self._retry is None or self._retry.done():
            self._retry = asyncio.create_task(self._until_recovered())

    async def _until_recovered(self) -> None:
        while True:
            await asyncio.sleep(AGAIN)
            try:
                await self.recover()
            except ClientError:
                continue
            return

    async def _ended(self, request: Request) -> bool:
        try:
            await self._http.history_entry(str(request.body.get("prompt_id", request.prompt_id)))
        except Missing:
            return False
        return True

    # How -------------------------------------------------------------------------------------------------------------

    async def _waiting(self) -> dict[str, Prompt]:
        queue = await self._http.queue(self._raw.known(self._state().jobs))
        self._raw.remember(queue.waiting)
        return {item.prompt_id: item for item in queue.waiting}

    async def _take_out(self, requests: Sequence[Request], place: Place) -> set[str]:
        """Write these down and delete them from the queue; returns those that the queue has all the same."""
        await asyncio.to_thread(self._kept.put, place, requests)
        failure: ClientError | None = None
        try:
            await self._http.delete_waiting([str(item.body["prompt_id"]) for item in requests])
        except ClientError as error:
            failure = error
        # If this fails, too, nobody knows: what is on disk is looked at after the next connect.
        queue = await self._http.queue(self._raw.known(self._state().jobs))
        there = {item.prompt_id for item in queue.running}
        if failure is not None:
            there |= {item.prompt_id for item in queue.waiting}
        await self._arrived([item for item in requests if item.prompt_id in there])
        if failure is not None:
            raise failure
        return there

    async def _put_back(self, requests: Sequence[Request], how: str) -> None:
        """Submit these. The first failure is raised, after all have been tried, or written down for the next connect."""
        failed: ClientError | None = None
        for request in requests:
            try:
                answer = await self._submit_surely({**request.body, "number": request.number})
            except Unreachable as error:  # on disk as moving: done when it answers again
                self._recover_later()
                raise Unreachable(
                    f"Job {request.prompt_id[:8]} could not be queued again: {error} "
                    "It is kept on this side, and queued when the server answers.",
                    where=self._http.target.url,
                ) from error
            except ClientError as error:
                await asyncio.to_thread(self._kept.set_place, [request.prompt_id], Place.LOST)
                if request.prompt_id not in self._state().jobs:
                    self._dispatch(c.Recalled(lost=(self._shown(request),), paused=self._state().paused))
                self._dispatch(c.Lost((request.prompt_id,)))
                failed = failed or type(error)(
                    f"Job {request.prompt_id[:8]} could not be queued again: {error} "
                    "It is listed as lost, and can be sent again from there.",
                    where=self._http.target.url,
                )
            else:
                self._taken(answer, request, how)
                await self._arrived([request], answer)
        if failed is not None:
            raise failed

    def _taken(self, answer: Submitted, request: Request, how: str) -> None:
        if answer.prompt_id != request.prompt_id:  # an old server, which gives ids of its own
            self._dispatch(c.Removed((request.prompt_id,)))
        self._accept(answer, request, how)

    async def _arrived(self, requests: Sequence[Request], answer: Submitted | None = None) -> None:
        """The server has these: of ours we go on remembering the request, the others are none of our business."""
        renamed = [item.prompt_id for item in requests if answer is not None and answer.prompt_id != item.prompt_id]
        await asyncio.to_thread(self._kept.drop, [*renamed, *(item.prompt_id for item in requests if not item.mine)])
        for item in requests:
            if item.mine:
                prompt_id = item.prompt_id if answer is None else answer.prompt_id
                await self.remember(replace(item, prompt_id=prompt_id, owner=""))

    async def _submit_surely(self, body: Mapping[str, Any]) -> Submitted:
        """Between two places is no place to give up at once. If only the answer was lost, the job is in the queue: the
        same id must not be submitted twice."""
        try:
            return await self._http.submit(body)
        except Unreachable:
            queue = await self._http.queue(self._raw.known(self._state().jobs))
            for item in (*queue.running, *queue.waiting):
                if self._raw.id(item.prompt_id) == body["prompt_id"]:
                    return Submitted(item.prompt_id, item.number)
            return await self._http.submit(body)

    def _request(self, prompt: Prompt, number: float) -> Request:
        """What has to be submitted to have this job again, exactly as it was."""
        job = self._state().jobs.get(prompt.prompt_id)
        raw = self._raw.prompt(prompt, job)
        body: dict[str, Any] = {
            "prompt": sendable(raw.graph),
            "prompt_id": raw.prompt_id,
            "extra_data": dict(raw.extra_data),  # the submitter's client_id is in it: they go on being told
        }
        if raw.outputs:
            body["partial_execution_targets"] = list(raw.outputs)
        mine = raw.extra_data.get("client_id") == self._owner.text or (job is not None and job.mine)
        name = job.facts.name if job is not None else prompt.name
        at = (job.created if job is not None else prompt.created) or 0.0
        number = number if math.isfinite(number) else 0.0
        return Request(prompt.prompt_id, number, body, name, mine, at, self._owner.text)

    def _shown(self, request: Request) -> c.Kept:
        graph, extra = (sanitize.json_value(dict(request.body.get(key) or {})) for key in ("prompt", "extra_data"))
        return c.Kept(
            sanitize.key(request.prompt_id),
            request.number,
            graph,
            extra,
            sanitize.line(request.name),
            request.mine,
            request.at,
        )

    def _not_waiting(self, prompt_id: str) -> Missing:
        return Missing(
            f"Job {prompt_id[:8]} does not wait any more: it runs, or has ended.", where=self._http.target.url
        )

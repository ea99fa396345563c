"""From an accepted prompt to its entry in the history: what waits, what runs, and who hears of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from engine.jobs.job import Finished, Job, Number, encode
from engine.jobs.queue import Numbering, WaitingJobs
from engine.jobs.store import JobStore, StoreError
from engine.worker import messages

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # runs of one job that ended with the death of the whole engine
_NOTED_AFTER = 0.25  # seconds
_RETRIES = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the end of a job is written again
_KEPT_EVENTS = frozenset({"execution_start", "execution_cached"})


class Worker(Protocol):
    """The part of the supervisor that is needed here."""

    @property
    def ready(self) -> messages.Ready | None: ...

    def send(self, message: messages.ToWorker) -> bool: ...

    async def validate(
        self, prompt_id: str, prompt: dict[str, Any], targets: list[str] | None, *, patience: float
    ) -> messages.Validated: ...


class Audience(Protocol):
    """Who listens on sockets. `client` None means everyone."""

    def tell(self, client: str | None, kind: str, data: Any) -> None: ...

    def preview(self, client: str | None, preview: messages.Preview) -> None: ...

    def text(self, client: str | None, text: messages.Text) -> None: ...


class Submission(msgspec.Struct, frozen=True):
    """What a client asked for, already checked for its types."""

    prompt_id: str
    prompt: dict[str, Any]
    extra_data: dict[str, Any]
    number: Number | None = None
    front: bool = False
    targets: list[str] | None = None


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a submission: a number if it was accepted, an `error` if not."""

    prompt_id: str
    number: Number
    node_errors: dict[str, Any]
    error: dict[str, Any] | None = None


class Dispatcher:
    """Owns the queue and the running job. All methods run on the event loop; none of them blocks."""

    def __init__(
        self, store: JobStore, worker: Worker, audience: Audience, *, run_again: bool = True, history_limit: int = 0
    ) -> None:
        """`run_again`: what the death of the engine interrupted runs again; if not, it ends as interrupted.

        `history_limit` is the number of entries that stay in the history; 0: all of them.
        """
        self._store = store
        self._worker = worker
        self._audience = audience
        self._run_again = run_again
        self._history_limit = history_limit
        self._waiting = WaitingJobs()
        self._numbers = Numbering()
        self._secrets: dict[str, dict[str, Any]] = {}
        self._restored = asyncio.Event()
        self._checking = 0  # prompts whose `submit` has not returned
        self._stopped = False
        self._ending = False  # the running job has ended, and its end is not on disk yet
        self.running: Job | None = None
        self.last_node: str | None = None  # of the running job; who reconnects hears it
        self._note: asyncio.TimerHandle | None = None  # that a worker began the running job
        self._story: _Story = _Story()

    # ── asked by clients ────────────────────────────────────────────────────────────────────────

    @property
    def remaining(self) -> int:
        """Jobs that wait or run."""
        return len(self._waiting) + (self.running is not None)

    @property
    def wanted(self) -> int:
        """Jobs that wait, and prompts that may be among them in a moment, because they are being checked."""
        return len(self._waiting) + self._checking

    @property
    def waiting_bytes(self) -> int:
        """What the waiting jobs take of the memory, about."""
        return self._waiting.size

    def waiting(self) -> list[Job]:
        """In the order in which they will run."""
        return self._waiting.snapshot()

    async def submit(self, asked: Submission, *, patience: float) -> Verdict:
        """Validate and queue a prompt; when this returns a verdict without error, it is on disk.

        Raises `ValueError` for a number without an order, `OverflowError` and `RecursionError` for a graph
        that no message can carry, `WorkerUnavailableError`, and `StoreError` if it cannot be kept.
        """
        self._checking += 1
        try:
            return await self._submit(asked, patience)
        finally:
            self._checking -= 1

    async def _submit(self, asked: Submission, patience: float) -> Verdict:
        await self._restored.wait()  # a moment after the start; numbers go on where the last run ended
        number = self._numbers.assign(asked.number, asked.front)
        msgspec.msgpack.encode(asked.extra_data)  # what no message can carry is refused now, not when it runs
        checked = await self._worker.validate(asked.prompt_id, asked.prompt, asked.targets, patience=patience)
        if checked.error is not None:
            return Verdict(asked.prompt_id, number, checked.node_errors, checked.error)
        job, secrets = _make_job(asked, number, checked)
        await self._store.add(job)
        if secrets:
            self._secrets[job.prompt_id] = secrets
        self._waiting.put(job)
        self._tell_status()
        self._start_next()
        return Verdict(job.prompt_id, number, checked.node_errors)

    def skip_number(self, number: Any) -> None:
        """Use up a number for a request that is refused before it becomes a submission, as ComfyUI does."""
        if number is None:
            self._numbers.assign(None, front=False)

    async def delete(self, prompt_ids: Sequence[str]) -> int:
        """Remove waiting jobs; how many there were. They leave no trace in the history."""
        return await self._drop(self._waiting.delete(prompt_ids))

    async def clear(self) -> int:
        """Remove every waiting job."""
        return await self._drop(self._waiting.clear())

    def interrupt(self, prompt_id: str | None) -> bool:
        """Stop the running job if it is this one (None: whichever it is); whether something was running."""
        if self.running is None or self._ending or prompt_id not in (None, self.running.prompt_id):
            return False
        return self._worker.send(messages.Interrupt(self.running.prompt_id))

    def free(self, *, unload_models: bool, free_memory: bool) -> bool:
        """Ask the worker to let go of models and results; False if there is none (then nothing is held)."""
        return self._worker.send(messages.Free(unload_models or free_memory, free_memory))

    # ── told by the worker ──────────────────────────────────────────────────────────────────────

    def on_ready(self) -> None:
        self._start_next()

    def on_message(self, message: messages.FromWorker) -> None:
        job = self.running
        if not isinstance(message, messages.Event | messages.Preview | messages.Text | messages.Finished):
            return
        if job is None or self._ending or message.prompt_id != job.prompt_id:
            log.warning("The worker speaks of a prompt that does not run: %s", message.prompt_id)
        elif isinstance(message, messages.Event):
            self._on_event(job, message)
        elif isinstance(message, messages.Preview):
            self._audience.preview(job.client_id, message)
        elif isinstance(message, messages.Text):
            self._audience.text(job.client_id, message)
        elif message.status == "error" and all(name != "execution_error" for name, _ in message.messages):
            self.on_death("The worker failed outside of any node; the engine's log says where.")
        else:
            self._finish(Finished(job, message.status, message.outputs, message.meta, message.messages))

    def on_death(self, reason: str) -> None:
        """The worker is gone, or cannot tell the end: what ran has failed, what waits is for the next one."""
        if (job := self.running) is None or self._ending:
            return
        error = _death_message(job, reason, self.last_node, self._story.executed)
        if job.client_id is not None:
            self._audience.tell(job.client_id, "execution_error", error)
        events = [*self._story.events, ("execution_error", error)]
        self._finish(Finished(job, "error", self._story.outputs, self._story.meta, events))

    # ── start and stop ──────────────────────────────────────────────────────────────────────────

    async def restore(self) -> None:
        """Take up the jobs that waited or ran when the engine ended. Raises `StoreError`."""
        jobs, number = await self._store.load()
        self._numbers.start_at(number)
        for job in jobs:
            if job.attempts == 0 or (self._run_again and job.attempts < MAX_ATTEMPTS):
                self._waiting.put(job)
            else:
                await self._store.finish(_not_again(job, self._run_again), self._history_limit)
        if len(self._waiting):
            log.info("%d prompts are still queued from the last run", len(self._waiting))
        self._restored.set()
        self._tell_status()
        self._start_next()

    def stop(self) -> None:
        """Before an orderly end: what runs goes back to the queue, and the run does not count against it."""
        self._stopped = True
        if self._note is not None and not self._forget_note() and self.running is not None:
            self._store.begun(self.running, by=-1)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _start_next(self) -> None:
        if self._stopped or not self._restored.is_set() or self.running is not None or self._worker.ready is None:
            return
        job = self._waiting.take()
        if job is None:
            return
        self.running, self.last_node, self._story = job, None, _Story()
        # A job that ends sooner needs no note that it began, and a write less is a thread less to wake. Where an
        # interrupted job must not run again, that it began is known before it does anything.
        delay = _NOTED_AFTER if self._run_again else 0.0
        self._note = asyncio.get_running_loop().call_later(delay, self._store.begun, job)
        self._tell_status()
        extra = msgspec.json.decode(job.extra_data) | self._secrets.pop(job.prompt_id, {})
        prompt = msgspec.json.decode(job.prompt)
        log.info("Prompt %s begins: %d nodes", job.prompt_id, len(prompt))
        self._worker.send(messages.Execute(job.prompt_id, prompt, list(job.outputs), extra))

    def _on_event(self, job: Job, event: messages.Event) -> None:
        self._story.note(event)
        if event.type == "executing":
            self.last_node = event.data.get("node")
        if job.client_id is not None:
            self._audience.tell(job.client_id, event.type, event.data)
        elif event.broadcast:
            self._audience.tell(None, event.type, event.data)

    def _finish(self, entry: Finished) -> None:
        """Write the end down, and tell it after: what a client heard to be done never runs again."""
        self._forget_note()
        began, ended = entry.times()
        seconds = f" after {(ended - began) / 1000:.2f} s" if began is not None and ended is not None else ""
        log.info("Prompt %s: %s%s", entry.job.prompt_id, entry.status, seconds)
        self._ending = True
        self._write(entry, 0)

    def _write(self, entry: Finished, tries: int) -> None:
        written = self._store.finish(entry, self._history_limit)
        written.add_done_callback(partial(self._written, entry, tries))

    def _written(self, entry: Finished, tries: int, written: asyncio.Future[None]) -> None:
        """Go on, or wait until the disk takes the end: a queue that ran on would lose the ends of all that follows."""
        job = entry.job
        error = None if written.cancelled() else written.exception()
        if error is not None:
            wait = _RETRIES[min(tries, len(_RETRIES) - 1)]
            if self._stopped:
                log.error("The end of prompt %s was not written, so it will run again: %s", job.prompt_id, error)
                return
            if not isinstance(error, StoreError) or error.trouble != "other":
                log.error("The end of prompt %s cannot be written, and the queue waits: %s", job.prompt_id, error)
                asyncio.get_running_loop().call_later(wait, self._write, entry, tries + 1)
                return
            log.error("The end of prompt %s cannot be written: %s", job.prompt_id, error)
        elif tries:
            log.info("The end of prompt %s is written, and the queue goes on", job.prompt_id)
        self.running, self.last_node, self._ending = None, None, False
        self._tell_status()
        if job.client_id is not None:
            self._audience.tell(job.client_id, "executing", {"node": None, "prompt_id": job.prompt_id})
        self._start_next()

    async def _drop(self, jobs: list[Job]) -> int:
        if jobs:
            try:
                await self._store.remove(jobs)
            except StoreError:
                for job in jobs:  # they are still on disk, and would run after the next start
                    self._waiting.put(job)
                self._start_next()
                raise
            for job in jobs:
                self._secrets.pop(job.prompt_id, None)
            self._tell_status()
        return len(jobs)

    def _forget_note(self) -> bool:
        """Cancel the note of an attempt; False if it is already written."""
        note, self._note = self._note, None
        if note is None or note.when() <= asyncio.get_running_loop().time():
            return False
        note.cancel()
        return True

    def _tell_status(self) -> None:
        self._audience.tell(None, "status", status(self.remaining))


class _Story:
    """What is known of the running job, in case the worker cannot tell its end."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.outputs: dict[str, Any] = {}
        self.meta: dict[str, Any] = {}
        self.executed: list[str] = []

    def note(self, event: messages.Event) -> None:
        data = event.data
        if event.type in _KEPT_EVENTS:
            self.events.append((event.type, data))
        elif event.type == "executed" and data.get("output") is not None:
            node, shown = data.get("node"), data.get("display_node")
            if isinstance(node, str):
                self.outputs[node] = data["output"]
                about = {"node_id": node, "display_node": shown, "parent_node": None, "real_node_id": node}
                self.meta[node] = about
                self.executed.append(node)


def status(remaining: int) -> dict[str, Any]:
    """The data of a `status` message."""
    return {"status": {"exec_info": {"queue_remaining": remaining}}}


def _make_job(asked: Submission, number: Number, checked: messages.Validated) -> tuple[Job, dict[str, Any]]:
    extra = dict(asked.extra_data)
    secrets = {key: extra.pop(key) for key in messages.SECRETS if key in extra}
    create_time = time.time_ns() // 1_000_000
    extra["create_time"] = create_time
    client = extra.get("client_id")
    job = Job(
        number=number,
        prompt_id=asked.prompt_id,
        prompt=encode(checked.prompt),
        extra_data=encode(extra),
        outputs=tuple(checked.outputs),
        create_time=create_time,
        client_id=client if isinstance(client, str) else None,
        workflow_id=_workflow_id(extra),
    )
    return job, secrets


def _workflow_id(extra: dict[str, Any]) -> str | None:
    value: Any = extra
    for key in ("extra_pnginfo", "workflow", "id"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _not_again(job: Job, run_again: bool) -> Finished:
    """The end of a job that ran when the engine died, and is not run again."""
    stamp = time.time_ns() // 1_000_000
    if not run_again:
        log.warning("Prompt %s ran when the engine ended; it is marked as interrupted", job.prompt_id)
        stopped: dict[str, Any] = {
            "prompt_id": job.prompt_id,
            "node_id": None,
            "node_type": None,
            "executed": [],
            "timestamp": stamp,
        }
        return Finished(job, "interrupted", {}, {}, [("execution_interrupted", stopped)])
    reason = f"The engine died {job.attempts} times while this prompt ran; it is not tried again."
    log.error("Prompt %s: %s", job.prompt_id, reason)
    return Finished(job, "error", {}, {}, [("execution_error", _death_message(job, reason, None, []))])


def _death_message(job: Job, reason: str, node: str | None, executed: list[str]) -> dict[str, Any]:
    """An `execution_error` in ComfyUI's shape for a job whose worker is gone."""
    first, *lines = reason.splitlines()
    # The last words are often about something else: shown as what they are, and not as the cause.
    many = f"{len(lines)} lines" if len(lines) > 1 else "line"
    rest = [f"The last {many} of the worker's log:", *lines] if lines else []
    place = msgspec.json.decode(job.prompt).get(node) or {}
    return {
        "prompt_id": job.prompt_id,
        "node_id": node,
        "node_type": place.get("class_type"),
        "executed": executed,
        "exception_message": f"{first}\n",
        "exception_type": "WorkerFailed",
        "traceback": [f"{line}\n" for line in rest],
        "current_inputs": {},
        "current_outputs": [],
        "timestamp": time.time_ns() // 1_000_000,
    }

"""Starts a worker process, talks to it, notices its death and starts it again."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from engine.worker import messages
from engine.worker.channel import BrokenStreamError, Channel

log = logging.getLogger(__name__)

LAST_LINES = 40  # of the worker's output, kept to explain a death
_BACKOFF = (0.2, 1.0, 3.0, 10.0, 30.0)  # seconds before a restart, by deaths in a row without an answer
_FAULT = " (a fault in native code: torch, a driver, or an extension of a node)"
_HINTS: dict[int, str] = {
    signal.SIGKILL: " (often: the system ran out of memory)",
    **dict.fromkeys((signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE), _FAULT),
}
_STOP_PATIENCE = 3.0  # seconds a worker gets to leave before it is killed
_LINE_LIMIT = 64 * 1024

Answer = TypeVar("Answer", messages.NodesDescribed, messages.Validated, messages.DevicesDescribed)
_Answer = messages.NodesDescribed | messages.Validated | messages.DevicesDescribed


class WorkerUnavailableError(Exception):
    """No worker can answer; the message says why and shows its last lines."""


def worker_command(options_json: str) -> list[str]:
    """The command line of a worker; ` --fd N` with its socket is added by the supervisor."""
    return [sys.executable, "-m", "engine.worker.main", options_json]


class Supervisor:
    """One worker: started again whenever it dies, until `stop`.

    `on_message` gets what the worker says on its own (events, previews, ends of prompts), in order;
    `on_ready` is called when it takes prompts; `on_death` with the reason after it is gone, before it
    is started again; `on_line` gets each line that it prints.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_message: Callable[[messages.FromWorker], None],
        on_ready: Callable[[messages.Ready], None],
        on_death: Callable[[str], None],
        on_line: Callable[[str], None],
    ) -> None:
        self._command = list(command)
        self._on_message = on_message
        self._on_ready = on_ready
        self._on_death = on_death
        self._on_line = on_line
        self.ready: messages.Ready | None = None
        self._change = asyncio.Event()  # set whenever a worker becomes ready or fails to
        self._failure: str | None = None  # why the newest start failed
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Future[_Answer]] = {}
        self._next_request = 0
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the worker in the background."""
        self._task = asyncio.create_task(self._keep_running(), name="worker supervisor")

    async def stop(self) -> None:
        """End the worker: politely, then by force. It is gone when this returns."""
        self._stopping = True
        self.send(messages.Shutdown())
        process = self._process
        if process is not None and self.ready is None:
            _signal(process, signal.SIGKILL)  # still importing: it would not hear, and holds nothing
        if process is not None and process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), _STOP_PATIENCE)
            except TimeoutError:
                log.warning("The worker did not leave within %.0f s and is killed", _STOP_PATIENCE)
                _signal(process, signal.SIGKILL)
                await process.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, message: messages.ToWorker) -> bool:
        """False if there is no worker to hear it."""
        return self._channel is not None and self._channel.send(messages.encode(message))

    async def wait_ready(self, timeout: float) -> messages.Ready:  # noqa: ASYNC109 - the wait is the purpose
        """Wait until the worker takes prompts. Raises `WorkerUnavailableError` if it cannot start or is too slow."""
        try:
            async with asyncio.timeout(timeout):
                while (ready := self.ready) is None:
                    if self._failure is not None:
                        raise WorkerUnavailableError(self._failure)
                    self._change.clear()
                    await self._change.wait()
                return ready
        except TimeoutError:
            raise WorkerUnavailableError(f"the worker is still starting after {timeout:.0f} s") from None

    async def describe_nodes(self, node: str | None, *, patience: float) -> bytes:
        """The JSON of `/object_info`. Raises `WorkerUnavailableError`."""
        make = lambda request: messages.DescribeNodes(request, node)  # noqa: E731
        return (await self._ask(make, messages.NodesDescribed, patience)).body

    async def describe_devices(self, *, patience: float) -> messages.DevicesDescribed:
        """Devices and memory. Raises `WorkerUnavailableError`."""
        return await self._ask(messages.DescribeDevices, messages.DevicesDescribed, patience)

    async def validate(
        self, prompt_id: str, prompt: dict[str, object], targets: list[str] | None, *, patience: float
    ) -> messages.Validated:
        """Check a prompt. Raises `WorkerUnavailableError`, and `OverflowError` for numbers beyond 64 bits."""
        make = lambda request: messages.Validate(request, prompt_id, prompt, targets)  # noqa: E731
        return await self._ask(make, messages.Validated, patience)

    async def _ask(self, make: Callable[[int], messages.ToWorker], kind: type[Answer], patience: float) -> Answer:
        if self.ready is None:
            await self.wait_ready(patience)
        request = self._next_request
        self._next_request += 1
        message = make(request)
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._answers[request] = future
        try:
            if not self.send(message):
                raise WorkerUnavailableError("the worker has just ended; try again")
            async with asyncio.timeout(patience):
                answer = await future
        except TimeoutError:
            raise WorkerUnavailableError(f"the worker did not answer within {patience:.0f} s") from None
        finally:
            self._answers.pop(request, None)
        if not isinstance(answer, kind):
            raise WorkerUnavailableError(f"the worker answered {type(answer).__name__} for {kind.__name__}")
        return answer

    # ── the life of the process ─────────────────────────────────────────────────────────────────

    async def _keep_running(self) -> None:
        deaths = 0
        while True:
            was_ready, reason = await self._run_once()
            if self._stopping:
                return
            deaths = 0 if was_ready else deaths + 1
            wait = _BACKOFF[min(deaths, len(_BACKOFF) - 1)]
            log.error("%s; it is started again in %.1f s", reason.splitlines()[0], wait)
            self._on_death(reason)
            await asyncio.sleep(wait)

    async def _run_once(self) -> tuple[bool, str]:
        """Start a worker and wait for its end: whether it had become ready, and why it ended."""
        self._lines.clear()
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ended: asyncio.Future[Exception | None] = loop.create_future()
        complaint: list[str] = []

        def on_end(error: Exception | None) -> None:
            if not ended.done():
                ended.set_result(error)

        def on_frame(data: bytes) -> None:
            try:
                message = messages.decode_from_worker(data)
            except msgspec.DecodeError as error:
                complaint.append(f"it sent a message that cannot be read: {error}")
                on_end(error)
                return
            self._receive(message)

        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--fd",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LINE_LIMIT,
                # Ctrl+C in the terminal is for the front, which then ends the worker in order.
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            theirs.close()
            return self._gone(False, f"The worker cannot be started: {error}")
        theirs.close()
        self._process = process
        _, channel = await loop.create_connection(lambda: Channel(on_frame, on_end), sock=ours)
        self._channel = channel
        output = asyncio.create_task(self._read_output(process.stdout), name="worker output")
        try:
            if isinstance(broken := await ended, BrokenStreamError):
                complaint.append(str(broken))
            # The line is gone, so nothing that it does can be heard any more: it must not linger on the device.
            try:
                code = await asyncio.wait_for(process.wait(), _STOP_PATIENCE)
            except TimeoutError:
                _signal(process, signal.SIGKILL)
                code = await process.wait()
            await asyncio.wait([output], timeout=1.0)
        finally:
            _signal(process, signal.SIGKILL)
            output.cancel()
            channel.close()
            self._channel = None
        return self._gone(self.ready is not None, _reason(code, complaint))

    def _gone(self, was_ready: bool, reason: str) -> tuple[bool, str]:
        text = "\n".join([reason, *self._lines])
        self.ready = None
        self._failure = None if was_ready else text
        error = WorkerUnavailableError(text)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(error)
        self._answers.clear()
        self._change.set()
        return was_ready, text

    def _receive(self, message: messages.FromWorker) -> None:
        if isinstance(message, messages.Ready):
            self.ready = message
            self._failure = None
            self._change.set()
            self._on_ready(message)
        elif isinstance(message, _Answer):
            future = self._answers.get(message.request)
            if future is not None and not future.done():
                future.set_result(message)
        else:
            if isinstance(message, messages.Log):
                self._lines.append(message.text.rstrip("\n"))
            self._on_message(message)

    async def _read_output(self, output: asyncio.StreamReader | None) -> None:
        """Pass on what the worker prints: lines, and progress bars that end in a carriage return."""
        if output is None:
            return
        pending = b""
        while data := await output.read(_LINE_LIMIT):
            *lines, pending = (pending + data).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            if len(pending) > _LINE_LIMIT:
                lines, pending = [*lines, pending], b""
            for line in lines:
                self._say(line)
        self._say(pending)

    def _say(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._lines.append(text)
            self._on_line(text)


def _reason(code: int, complaint: list[str]) -> str:
    if complaint:
        return f"The worker was stopped: {complaint[0]}"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = _HINTS.get(-code, "")
        return f"The worker was ended by {name}{hint}"
    return f"The worker ended with exit code {code}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        try:
            process.send_signal(number)
        except ProcessLookupError:
            return  # it ended in between

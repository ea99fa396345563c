"""Starts, watches and stops `python -m engine` on this machine.

The engine runs in a session of its own, with its output in a file: it can stay when we leave, a later run finds it by
the note that we leave in the state folder, and its last lines can be shown after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import msgspec
import psutil

from comfytui.settings.files import state_dir, write_whole
from comfytui.settings.servers import ENGINE_TOKEN, TOKEN, split_token

NEEDED = ("aiohttp", "torch", "diffusers", "transformers", "safetensors")
INSTALL = "pip install 'comfytui[engine]'"
LOG_LINES = 400
MAX_LINE = 4000  # bytes of one log line; the rest of a longer one is cut
MAX_BACKLOG = 256 * 1024  # bytes of an old log that are read when we come back to an engine
POLL = 0.15  # seconds between looks at the process and its log; each costs some ten microseconds
ANSWER = 2.0  # seconds to wait for an answer before a listener counts as something else
LOCAL = frozenset({"127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", ""})  # noqa: S104 -- addresses to compare with


class Phase(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"  # the process runs and does not answer yet
    READY = "ready"
    STOPPING = "stopping"
    CRASHED = "crashed"


class Status(msgspec.Struct, frozen=True):
    """The engine at one moment."""

    phase: Phase
    port: int
    since: float  # seconds since the epoch, when the phase began
    pid: int | None = None
    found: bool = False  # True: it ran already, left by an earlier run of ours
    text: str = ""  # why it is in this phase, for a person
    log: tuple[str, ...] = ()  # the last lines, oldest first, cleaned


class Listener(msgspec.Struct, frozen=True):
    """Who holds a port of this machine."""

    port: int
    pid: int | None = None  # None: a process that we may not look at
    name: str = ""
    comfyui: bool = False  # it answers as ComfyUI's API does

    def __str__(self) -> str:
        who = f"{self.name or 'a process'} (pid {self.pid})" if self.pid else "a process of another user"
        return f"port {self.port} is taken by {who}" + (", which answers as ComfyUI does" if self.comfyui else "")


class Left(msgspec.Struct, frozen=True):
    """The engine that an earlier run of ours left at a port; `alive` False: it has ended without being stopped."""

    pid: int
    since: float  # seconds since the epoch, when its process began
    alive: bool


class EngineError(RuntimeError):
    """The engine cannot be started, or has ended. The message says what to do."""


class PortTaken(EngineError):  # noqa: N818 -- the name says what happened
    """Somebody else listens there."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        other = f"http://127.0.0.1:{listener.port}"
        fix = f"Connect to it with --server {other}" if listener.comfyui else "Stop it, or choose another port"
        super().__init__(f"{listener}. {fix}.")


def missing() -> tuple[str, ...]:
    """The packages that the engine needs and that are not installed; looked for, not imported."""
    return tuple(name for name in NEEDED if importlib.util.find_spec(name) is None)


async def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something at this port answers `/system_stats` as ComfyUI does, or is an engine that wants its token."""
    try:
        async with asyncio.timeout(ANSWER):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                # HTTP/1.0: an answer without chunks, ended by the end of the connection.
                writer.write(f"GET /system_stats HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
                await writer.drain()
                answer = await reader.read(65536)
                while len(answer) < 1 << 20 and (more := await reader.read(65536)):
                    answer += more
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 401" in head[:16]:
        return b'realm="comfytui"' in head
    if b" 200" not in head[:16]:
        return False
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("system"), dict) and "devices" in found


async def who_listens(port: int) -> Listener | None:
    """Who listens at this port for connections to 127.0.0.1; None if nobody does."""
    pid, name, seen = await asyncio.to_thread(_holder, port)
    if not seen and not await _connects(port):
        return None
    return Listener(port, pid, name, await answers(port))


class LocalEngine:
    """One engine at one port. Use it from one event loop.

    `clean` is applied to every log line: what an engine prints may come from a model file or a custom node.
    `command` replaces `python -m engine` (the flags are appended all the same).
    """

    def __init__(
        self,
        port: int = 8188,
        arguments: Sequence[str] = (),
        *,
        clean: Callable[[str], str],
        folder: Path | None = None,
        command: Sequence[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.port = port
        # A token goes by the environment: other users of the machine can read the arguments of a process.
        self.arguments, self._token = split_token(arguments)
        self._clean = clean
        self._folder = folder or state_dir()
        self._command = tuple(command) if command is not None else None
        self._clock = clock
        self._callbacks: list[Callable[[Status], None]] = []
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._partial = b""
        self._log: BinaryIO | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._process: psutil.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._status = Status(Phase.STOPPED, port, clock())

    @property
    def status(self) -> Status:
        """The newest status."""
        return self._status

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self._folder / f"engine-{self.port}.log"

    def subscribe(self, callback: Callable[[Status], None]) -> Callable[[], None]:
        """Call `callback` with each new status; returns what ends it."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    async def start(self) -> Status:
        """Start the engine, or find the one that an earlier run left; returns when the process exists.

        Raises EngineError if the engine is not installed, PortTaken if somebody else has the port.
        """
        if self._watcher is not None and not self._watcher.done():
            return self._status
        self._lines.clear()
        self._partial = b""
        if not self._adopted():
            if (listener := await who_listens(self.port)) is not None:
                raise PortTaken(listener)
            self._spawn()
        self._watcher = asyncio.create_task(self._watch(), name=f"engine-{self.port}")
        return self._status

    def left(self) -> Left | None:
        """What an earlier run left here, if it did, whether it still runs or not."""
        told = _noted(self._note())
        return None if told is None else Left(*told, _left_behind(self._note()) is not None)

    async def adopt(self) -> bool:
        """Take over the engine that an earlier run left, as `start` does; False if there is none, and nothing is started."""
        if self._watcher is None or self._watcher.done():
            if not self._adopted():
                self._forget()  # the note of one that has ended
                return False
            self._watcher = asyncio.create_task(self._watch(), name=f"engine-{self.port}")
        return True

    def _adopted(self) -> bool:
        if (process := _left_behind(self._note())) is None:
            return False
        self._process = process
        self._open_log()
        self._set(Phase.STARTING, pid=process.pid, found=True, text="found the engine of an earlier run")
        return True

    async def wait_ready(self, timeout: float | None = None) -> Status:  # noqa: ASYNC109 -- the caller's patience
        """Return once it answers. Raises EngineError if it ends before, or time (seconds) is up."""
        try:
            async with asyncio.timeout(timeout):
                while self._status.phase is Phase.STARTING:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise EngineError(f"the engine did not answer within {timeout:g} s. Its log: {self.log_path}") from None
        if self._status.phase is not Phase.READY:
            raise EngineError(self._status.text or "the engine has stopped")
        return self._status

    async def stop(self, grace: float = 10.0) -> None:
        """End it: politely, and after `grace` seconds without asking. Nothing happens if it does not run."""
        process = self._process
        await self._end_watch()
        if process is not None and _alive(process):
            self._set(Phase.STOPPING, pid=process.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
            if not await self._gone(process, grace):
                # Its session is its own, so the group is the engine and its workers, and nobody else.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await self._gone(process, 5.0)
        self._read_log()
        self._forget()
        self._set(Phase.STOPPED, text="stopped")

    async def restart(self) -> Status:
        """Stop it if it runs, and start it."""
        await self.stop()
        return await self.start()

    async def leave(self) -> None:
        """Let it run on without us; the next `start` at this port finds it."""
        await self._end_watch()
        self._close_log()
        if self._child is not None:
            # We leave on purpose: keep Popen from warning that the child still runs when it is collected.
            self._child.returncode = 0
        self._child = self._process = None

    def _spawn(self) -> None:
        command = self._command
        if command is None:
            if absent := missing():
                raise EngineError(f"the local engine is not installed ({', '.join(absent)} missing): {INSTALL}")
            command = (sys.executable, "-m", "engine")
        env = _environment() if self._command is None else dict(os.environ)
        env.pop(TOKEN, None)  # of other servers: custom nodes in the engine have no business with it
        if self._token:
            env[ENGINE_TOKEN] = self._token
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self.log_path.exists():
                self.log_path.replace(self.log_path.with_suffix(".old.log"))
            with self.log_path.open("wb") as log:
                self._child = subprocess.Popen(
                    [*command, "--port", str(self.port), *self.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=env,
                )
        except OSError as error:
            raise EngineError(f"the engine cannot be started: {error.strerror or error} ({error.filename})") from error
        self._open_log()
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended already: the watch finds that
            self._process = psutil.Process(self._child.pid)
            note = {"pid": self._child.pid, "created": self._process.create_time()}
            # Without the note it cannot be found again, which only matters when it is left running.
            with contextlib.suppress(OSError):
                write_whole(self._note(), json.dumps(note).encode())
        self._set(Phase.STARTING, pid=self._child.pid, text="starting")

    async def _watch(self) -> None:
        """Follow the process and its log until it ends; ask whether it answers until it does."""
        while True:
            ended = self._ended()
            news = self._read_log()
            if ended:
                self._forget()
                self._set(Phase.CRASHED, text=self._obituary())
                return
            if self._status.phase is Phase.STARTING and await answers(self.port):
                self._set(Phase.READY, pid=self._status.pid, found=self._status.found)
            elif news:
                self._tell(msgspec.structs.replace(self._status, log=tuple(self._lines)))
            await asyncio.sleep(POLL)

    def _ended(self) -> bool:
        if self._child is not None:
            return self._child.poll() is not None
        return self._process is None or not _alive(self._process)

    def _obituary(self) -> str:
        code = self._child.returncode if self._child is not None else None
        if code is None:
            how = "the engine has ended"
        elif code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            how = f"the engine was killed by {name}"
            if code == -signal.SIGKILL:
                how += ", perhaps for want of memory"
        else:
            how = f"the engine ended with code {code}"
        last = next((line.strip() for line in reversed(self._lines) if line.strip()), "")
        return f"{how}: {last}" if last else how

    async def _gone(self, process: psutil.Process, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()  # collects it, else it stays as a zombie
            if not _alive(process):
                return True
            await asyncio.sleep(0.03)
        return False

    async def _end_watch(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None

    def _forget(self) -> None:
        """It has ended: close its log, and remove the note unless that tells of another engine by now."""
        self._close_log()
        other = _left_behind(self._note())
        if other is None or other.pid == self._status.pid:
            with contextlib.suppress(OSError):  # a note of a process that is gone misleads nobody
                self._note().unlink(missing_ok=True)
        self._process = None

    def _note(self) -> Path:
        return self._folder / f"engine-{self.port}.json"

    def _open_log(self) -> None:
        with contextlib.suppress(OSError):  # an engine without a readable log is still an engine
            self._log = self.log_path.open("rb")
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - MAX_BACKLOG))

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _read_log(self) -> bool:
        """Take in what was written since; True if there are new lines."""
        if self._log is None or not (data := self._log.read(MAX_BACKLOG)):
            return False
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE:
            lines, self._partial = [*lines, self._partial], b""
        for line in lines:
            # A progress bar redraws its line with \r: what counts is its last state.
            shown = line.rstrip(b"\r").rpartition(b"\r")[2][:MAX_LINE]
            self._lines.append(self._clean(shown.decode("utf-8", "replace")))
        return bool(lines)

    def _set(self, phase: Phase, *, pid: int | None = None, found: bool = False, text: str = "") -> None:
        since = self._status.since if phase is self._status.phase else self._clock()
        self._tell(Status(phase, self.port, since, pid, found, text, tuple(self._lines)))

    def _tell(self, status: Status) -> None:
        self._status = status
        self._changed.set()
        for callback in tuple(self._callbacks):
            callback(status)


def _environment() -> dict[str, str]:
    """So that `-m engine` is the package beside ours, whatever lies in the folder where the user happens to be."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "engine" / "__main__.py").is_file():
        raise EngineError(f"the engine is missing from the installation. Install it again: {INSTALL}")
    env = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    if not {"site-packages", "dist-packages"} & set(root.parts):  # a checkout, which need not be installed
        env["PYTHONPATH"] = os.pathsep.join(part for part in (str(root), os.environ.get("PYTHONPATH")) if part)
    return env


def _noted(note: Path) -> tuple[int, float] | None:
    """(pid, when it began) of the process that a note tells of; None if there is none that can be read."""
    try:
        told = json.loads(note.read_bytes()[:1000])
        return int(told["pid"]), float(told["created"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _left_behind(note: Path) -> psutil.Process | None:
    """The process that a note tells of, if it is still that one: process ids are used again."""
    if (told := _noted(note)) is None:
        return None
    try:
        process = psutil.Process(told[0])
        same = abs(process.create_time() - told[1]) < 1.0
    except (ValueError, OverflowError, psutil.Error):
        return None
    return process if same and _alive(process) else None


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _holder(port: int) -> tuple[int | None, str, bool]:
    """(pid, name, whether a listener was seen at all)."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):  # macOS shows other people's sockets to root only
        return None, "", False
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.laddr.ip in LOCAL:
            if each.pid is None:
                return None, "", True
            with contextlib.suppress(psutil.Error):
                return each.pid, psutil.Process(each.pid).name(), True
            return each.pid, "", True
    return None, "", False


async def _connects(port: int) -> bool:
    try:
        async with asyncio.timeout(ANSWER):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True

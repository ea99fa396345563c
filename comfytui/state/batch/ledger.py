"""What a batch has done, kept beside its job file: lines that are only ever added, on the disk before anything is sent."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec

from comfytui.client.errors import NotKept

VERSION = 1
MAX_FILE = 4 << 30  # bytes; a million jobs have a tenth of it
FRESH = "--restart begins anew, and forgets what is done"


class Head(msgspec.Struct, frozen=True, tag="batch", tag_field="line"):
    """The first line: which batch this is. Random seeds are drawn from `batch`."""

    batch: str
    version: int = VERSION
    at: float = 0.0


class Sent(msgspec.Struct, frozen=True, tag="sent", tag_field="line"):
    """A job is about to be sent as `id` (or, in a second line, was accepted under another one; then `mark` is ours)."""

    key: str
    id: str
    server: str  # its place
    attempt: int = 1
    mark: str = ""
    at: float = 0.0


State = Literal["done", "failed", "interrupted", "returned"]


class End(msgspec.Struct, frozen=True, tag="end", tag_field="line", omit_defaults=True):
    """How it ended. returned: it was taken out of the queue again, and may be sent anew.

    `passing`: it failed for a reason that can pass, too often; another run of the batch tries it again.
    """

    key: str
    id: str
    state: State
    server: str = ""
    attempts: int = 1
    seconds: float | None = None
    error: str = ""
    kind: str = ""  # of an error: node | refused | lost | memory | server
    passing: bool = False
    files: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    at: float = 0.0


_Line = Head | Sent | End
_DECODER = msgspec.json.Decoder(_Line)
_ENCODER = msgspec.json.Encoder()


class LedgerError(Exception):
    """The file beside the job file cannot be used; the message says why and what to do."""


class Ledger:
    """The file, open and locked: two runs of one batch would do everything twice.

    `batch`: the name of this batch. `sent` and `ended`: by key, the last line of each kind.
    """

    def __init__(self, path: Path, *, restart: bool = False) -> None:
        """Open, or begin. Blocks. Raises LedgerError."""
        self.path = path
        self.batch = uuid.uuid4().hex
        self.sent: dict[str, Sent] = {}
        self.ended: dict[str, End] = {}
        self._waiting: deque[tuple[bytes, asyncio.Future[None] | None]] = deque()  # a thread takes from it
        self._writer: asyncio.Task[None] | None = None
        self._disk = (
            threading.Lock()
        )  # held while lines are taken and written: they reach the file in their order, once
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"{path} cannot be opened: {error.strerror or error}") from error
        try:
            self._begin(restart)
        except BaseException:
            os.close(self._file)
            raise

    def _begin(self, restart: bool) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LedgerError(f"{self.path} is in use: this batch runs already, in another terminal") from error
        try:
            if restart:
                os.ftruncate(self._file, 0)
            elif os.fstat(self._file).st_size:
                self._load()
            if not os.fstat(self._file).st_size:
                self._write(_ENCODER.encode(Head(self.batch, at=time.time())) + b"\n")
                folder = os.open(self.path.parent, os.O_RDONLY)  # the name of a new file must reach the disk too
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except OSError as error:
            raise LedgerError(f"{self.path} cannot be used: {error.strerror or error}") from error

    def _load(self) -> None:
        """Read what was written. A last line without its end was cut off by a crash: nothing had been sent for it yet."""
        if os.fstat(self._file).st_size > MAX_FILE:
            raise LedgerError(f"{self.path} is too large to be ours; {FRESH}")
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._file, whole)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                found = _DECODER.decode(line)
            except (msgspec.DecodeError, ValueError) as error:
                raise LedgerError(f"{self.path}, line {number}: {error}; {FRESH}") from error
            match found:
                case Head():
                    if number != 1 or found.version != VERSION:
                        raise LedgerError(f"{self.path}, line {number}: of another version; {FRESH}")
                    self.batch = found.batch
                case Sent():
                    self.sent[found.key] = found
                    self.ended.pop(found.key, None)
                case End():
                    self.ended[found.key] = found
        if whole and not data.startswith(b'{"line":"batch"'):
            raise LedgerError(f"{self.path} is no state of a batch; {FRESH}")

    # Writing ---------------------------------------------------------------------------------------------------------

    async def send(self, line: Sent) -> None:
        """Write it down, and return when it is on the disk: only then may the job be sent. Raises NotKept.

        Lines of several jobs reach the disk together: a second one does not wait for a disk of its own.
        """
        self.sent[line.key] = line
        self.ended.pop(line.key, None)
        future = asyncio.get_running_loop().create_future()
        self._add(_ENCODER.encode(line) + b"\n", future)
        await future

    def end(self, line: End) -> None:
        """Write it down soon. Should we be killed before, the job is found on its server."""
        self.ended[line.key] = line
        self._add(_ENCODER.encode(line) + b"\n", None)

    async def flush(self) -> None:
        """Return when all is on the disk. Raises NotKept."""
        future = asyncio.get_running_loop().create_future()
        self._add(b"", future)
        await future

    def close(self) -> None:
        """Write what is left, and give the file back. Blocks. Raises NotKept."""
        _, problem = self._write_waiting()  # after the thread that may be writing still, cancelled or not
        with contextlib.suppress(OSError):
            os.close(self._file)
        if problem is not None:
            raise problem

    def _add(self, data: bytes, future: asyncio.Future[None] | None) -> None:
        self._waiting.append((data, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._waiting:
            # In a thread: a disk may take long, and events go on coming. Cancelled, the thread still ends its write.
            futures, problem = await asyncio.shield(asyncio.to_thread(self._write_waiting))
            for future in futures:
                if not future.done():
                    future.set_result(None) if problem is None else future.set_exception(problem)

    def _write_waiting(self) -> tuple[list[asyncio.Future[None]], NotKept | None]:
        """Write the lines that wait, and return who waits for them. A thread that comes after `close` finds none."""
        with self._disk:
            taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
            problem: NotKept | None = None
            data = b"".join(line for line, _ in taken)
            try:
                if data:
                    self._write(data)
            except OSError as error:
                problem = self._not_kept(error)
            return [future for _, future in taken if future is not None], problem

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)

    def _not_kept(self, error: OSError) -> NotKept:
        return NotKept(f"{self.path} cannot be written: {error.strerror or error}. Nothing more was sent.")

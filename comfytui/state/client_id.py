"""The id by which a server knows this program: the same one at the next start, and never that of another program.

ComfyUI tells the progress of a job to the client id that submitted it. Who leaves and comes back under the same id is told
of the job that still runs. Two programs under one id would take each other's events away, so an id is locked while it is used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from pathlib import Path

MANY = 16  # programs at once for one server; more get an id that is not kept


class ClientId:
    """An id and the lock on it, which ends with the process."""

    def __init__(self, text: str, folder: Path | None = None, server: str = "", handle: int | None = None) -> None:
        self.text = text
        self._folder = folder
        self._server = server
        self._handle = handle

    def in_use(self, other: str) -> bool:
        """Whether another program that runs has this id."""
        if self._folder is None or other == self.text:
            return False
        for path in _files(self._folder, self._server):
            try:
                handle = os.open(path, os.O_RDWR)
            except OSError:
                continue
            try:
                if _read(handle) == other:
                    return not _locked(handle)
            finally:
                os.close(handle)
        return False

    def release(self) -> None:
        """Let the next program have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def claim(folder: Path, server: str) -> ClientId:
    """The first id for this server that no other program uses; a passing one if the folder cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _files(folder, server):
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            if not _locked(handle):
                os.close(handle)
                continue
            text = _read(handle)
            if text is None:
                text = str(uuid.uuid4())
                os.ftruncate(handle, 0)
                os.pwrite(handle, text.encode(), 0)
            return ClientId(text, folder, server, handle)
    except OSError:
        pass  # nothing but comfort is lost
    return ClientId(str(uuid.uuid4()))


def _files(folder: Path, server: str) -> list[Path]:
    name = hashlib.blake2b(server.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return [folder / f"{name}-{number}" for number in range(MANY)]


def _locked(handle: int) -> bool:
    """Take the lock, if nobody has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(handle: int) -> str | None:
    try:
        return str(uuid.UUID(os.pread(handle, 64, 0).decode()))
    except ValueError:
        return None

"""The workflow files that are listed: looked for on the disk and on the server, then read little by little, off the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.client.errors import ClientError
from comfytui.tui import library
from comfytui.tui.library import Entry
from comfytui.workflow import document
from comfytui.workflow.document import Document

if TYPE_CHECKING:
    from comfytui.client.userdata import UserData

AT_ONCE = 25  # files that are read before the loop gets its turn
TOLD = 0.3  # seconds between two times that news of what was read is told


class Shelf:
    """Owns the entries. `changed` is called in the loop when there are others."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._opened: dict[str, Entry] = {}  # by hand, in this run
        self._disk: dict[str, Entry] = {}
        self._server: dict[str, Entry] = {}
        self._disk_notes: tuple[str, ...] = ()
        self._server_note = ""
        self.searched = asyncio.Event()  # the disk was, at least once

    @property
    def entries(self) -> dict[str, Entry]:
        """All by key: those opened by hand, of the disk, of the server."""
        return {**self._disk, **self._opened, **self._server}

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be searched."""
        return (*self._disk_notes, *([self._server_note] if self._server_note else ()))

    @property
    def unread(self) -> int:
        """How many files of the disk are still to be read."""
        return sum(entry.unread for entry in self._disk.values())

    async def find(self, folders: Sequence[tuple[str, Path]], recent: Sequence[Path]) -> None:
        """Look for files, tell of them, and read them: those used last first."""
        known = (*self._opened.values(), *self._disk.values())
        found = await asyncio.to_thread(library.scan, folders, recent, known)
        self._disk = {entry.key: entry for entry in found.entries}
        self._disk_notes = found.notes
        self._opened = {key: entry for key, entry in self._opened.items() if key not in self._disk}
        self.searched.set()
        self._changed()
        first = {str(path): place for place, path in enumerate(recent)}
        waiting = [entry for entry in self._disk.values() if entry.unread]
        waiting.sort(key=lambda entry: first.get(entry.key, len(first)))
        told = time.monotonic()
        for start in range(0, len(waiting), AT_ONCE):
            for entry in await asyncio.to_thread(library.filled, waiting[start : start + AT_ONCE]):
                self._disk[entry.key] = entry
                if entry.empty:
                    del self._disk[entry.key]
            if time.monotonic() - told > TOLD:
                told = time.monotonic()
                self._changed()
        if waiting:
            self._changed()

    async def find_on_server(self, userdata: UserData) -> None:
        """List the server's own files; none is fetched. What goes wrong is a note."""
        try:
            files = await userdata.files()
            self._server_note = ""
        except ClientError as error:
            files = ()
            self._server_note = f"the server's own: {error}"
        listed = library.server_entries(files, self._server.values())
        self._server = {entry.key: entry for entry in listed}
        self._changed()

    def forget_server(self) -> None:
        """Another server has other files."""
        if self._server or self._server_note:
            self._server, self._server_note = {}, ""
            self._changed()

    def put(self, entry: Entry) -> None:
        """An entry that was read meanwhile, or opened by hand: then it is new."""
        for entries in (self._disk, self._server):
            if entry.key in entries:
                entries[entry.key] = entry
                return
        self._opened = {entry.key: entry, **self._opened}

    async def fill(self, entry: Entry, userdata: UserData | None) -> Entry:
        """The entry, read. Raises ClientError for one of the server's."""
        if not entry.unread:
            return entry
        if not entry.on_server:
            (read,) = await asyncio.to_thread(library.filled, [entry])
        elif userdata is None:
            return entry
        else:
            read = await asyncio.to_thread(library.of_bytes, entry, await userdata.read(entry.on_server))
        self.put(read)
        return read

    async def document(self, entry: Entry, userdata: UserData | None) -> Document:
        """The workflow itself, read anew: it may have changed. Raises WorkflowError and ClientError."""
        if entry.on_server and userdata is not None:
            data = await userdata.read(entry.on_server)
            return await asyncio.to_thread(document.parse, data, entry.path.name)
        return await asyncio.to_thread(document.read, entry.path)


def used_by(entries: Iterable[Entry], model: str) -> list[Entry]:
    """The entries that name a model's file, in whatever folder it lies."""
    wanted = model.replace("\\", "/").rpartition("/")[2].lower()
    return [e for e in entries if any(m.replace("\\", "/").rpartition("/")[2].lower() == wanted for m in e.models)]

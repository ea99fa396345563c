"""The encoded pictures of jobs: fetched once, small, a few at a time, only while somebody wants them; only so many kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from comfytui.client.errors import ClientError

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import Output

KEPT_BYTES = 48 * 1024 * 1024
KEPT = 4000  # of them: names and sentences weigh little, and would add up for ever
AT_ONCE = 3  # requests; previews and the queue share the server and the link with them
SMALLER = "webp;80"  # a tenth of the PNG's bytes, and nobody sees it in a terminal

Done = Callable[[], None]
Key = tuple[str, "Output"]  # the server's address, and the file on it: names repeat from server to server


class PictureStore:
    """Pictures by output. `want` returns what is there, or fetches it and calls back in the loop.

    Whoever wants pictures is known by its callback; `only` says what it still wants, and what nobody wants any more is
    not fetched to its end. A request that was scrolled past while it waited for its turn is never sent.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES, kept: int = KEPT) -> None:
        self._kept: OrderedDict[Key, bytes | str] = OrderedDict()
        self._limits = (kept_bytes, kept)
        self._size = 0
        self._wanted: dict[Key, dict[Done, None]] = {}  # on its way → who waits for it
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    @property
    def quiet(self) -> bool:
        """Whether no picture is on its way."""
        return not self._tasks

    @property
    def size(self) -> tuple[int, int]:
        """Bytes that are kept, and of how many."""
        return self._size, len(self._kept)

    def get(self, connection: Connection, output: Output) -> bytes | str | None:
        """The bytes; or a sentence why there are none; or None while they are not here."""
        key = (connection.target.url, output)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def want(self, connection: Connection, output: Output, done: Done) -> bytes | str | None:
        """As `get`; what is not here is fetched, and `done` is called when that has ended."""
        found = self.get(connection, output)
        if found is None:
            key = (connection.target.url, output)
            self._wanted.setdefault(key, {})[done] = None
            if key not in self._tasks:
                task = asyncio.create_task(self._fetch(connection, key), name=f"picture {output.filename}")
                self._tasks[key] = task
                task.add_done_callback(lambda ended: self._ended(key, ended))
        return found

    def only(self, done: Done, outputs: Collection[Output]) -> None:
        """Of what `done` waits for, only these are wanted now."""
        for key in [k for k, waiting in self._wanted.items() if done in waiting and k[1] not in outputs]:
            waiting = self._wanted[key]
            del waiting[done]
            if not waiting:
                del self._wanted[key]
                if (task := self._tasks.pop(key, None)) is not None:
                    task.cancel()

    def forget_failures(self) -> None:
        """The server answers again: what could not be fetched may be asked for once more."""
        for key in [k for k, data in self._kept.items() if isinstance(data, str)]:
            self._size -= len(self._kept.pop(key))

    async def _fetch(self, connection: Connection, key: Key) -> None:
        try:
            async with self._gate:
                data: bytes | str = await connection.fetch(key[1], preview=SMALLER)
        except ClientError as error:
            # Shown in the picture's place, where the user looks for it; a thumbnail is no reason for a message.
            data = str(error)
        if self._tasks.get(key) is not asyncio.current_task():
            return  # nobody waits for it any more, or it was asked for anew
        self._keep(key, data)
        for done in self._wanted.pop(key, ()):
            done()

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    def _keep(self, key: Key, data: bytes | str) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._size -= len(old)
        self._kept[key] = data
        self._size += len(data)
        most, count = self._limits
        while (self._size > most or len(self._kept) > count) and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone)

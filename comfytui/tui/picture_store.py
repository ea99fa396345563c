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


class PictureStore:
    """Pictures by output. `want` returns what is there, or fetches it and calls back in the loop.

    Whoever wants pictures is known by its callback; `only` says what it still wants, and what nobody wants any more is
    not fetched to its end. A request that was scrolled past while it waited for its turn is never sent.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES, kept: int = KEPT) -> None:
        self._kept: OrderedDict[Output, bytes | str] = OrderedDict()
        self._limits = (kept_bytes, kept)
        self._size = 0
        self._wanted: dict[Output, dict[Done, None]] = {}  # on its way → who waits for it
        self._tasks: dict[Output, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    @property
    def quiet(self) -> bool:
        """Whether no picture is on its way."""
        return not self._tasks

    @property
    def size(self) -> tuple[int, int]:
        """Bytes that are kept, and of how many."""
        return self._size, len(self._kept)

    def get(self, output: Output) -> bytes | str | None:
        """The bytes; or a sentence why there are none; or None while they are not here."""
        found = self._kept.get(output)
        if found is not None:
            self._kept.move_to_end(output)
        return found

    def want(self, connection: Connection, output: Output, done: Done) -> bytes | str | None:
        """As `get`; what is not here is fetched, and `done` is called when that has ended."""
        found = self.get(output)
        if found is None:
            self._wanted.setdefault(output, {})[done] = None
            if output not in self._tasks:
                task = asyncio.create_task(self._fetch(connection, output), name=f"picture {output.filename}")
                self._tasks[output] = task
                task.add_done_callback(lambda ended: self._ended(output, ended))
        return found

    def only(self, done: Done, outputs: Collection[Output]) -> None:
        """Of what `done` waits for, only these are wanted now."""
        for output in [o for o, waiting in self._wanted.items() if done in waiting and o not in outputs]:
            waiting = self._wanted[output]
            del waiting[done]
            if not waiting:
                del self._wanted[output]
                if (task := self._tasks.pop(output, None)) is not None:
                    task.cancel()

    def forget_failures(self) -> None:
        """The server answers again: what could not be fetched may be asked for once more."""
        for output in [o for o, data in self._kept.items() if isinstance(data, str)]:
            self._size -= len(self._kept.pop(output))

    def clear(self) -> None:
        """Another server: forget everything."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._kept.clear()
        self._wanted.clear()
        self._size = 0

    async def _fetch(self, connection: Connection, output: Output) -> None:
        try:
            async with self._gate:
                data: bytes | str = await connection.fetch(output, preview=SMALLER)
        except ClientError as error:
            # Shown in the picture's place, where the user looks for it; a thumbnail is no reason for a message.
            data = str(error)
        if self._tasks.get(output) is not asyncio.current_task():
            return  # nobody waits for it any more, or it was asked for anew
        self._keep(output, data)
        for done in self._wanted.pop(output, ()):
            done()

    def _ended(self, output: Output, task: asyncio.Task[None]) -> None:
        if self._tasks.get(output) is task:
            del self._tasks[output]

    def _keep(self, output: Output, data: bytes | str) -> None:
        if (old := self._kept.pop(output, None)) is not None:
            self._size -= len(old)
        self._kept[output] = data
        self._size += len(data)
        most, count = self._limits
        while (self._size > most or len(self._kept) > count) and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone)

"""The encoded pictures of jobs: fetched once, small, a few at a time, and only so many kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from comfytui.client.errors import ClientError

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import Output

KEPT_BYTES = 48 * 1024 * 1024
AT_ONCE = 3  # requests; previews and the queue share the server and the link with them
SMALLER = "webp;80"  # a tenth of the PNG's bytes, and nobody sees it in a terminal


class PictureStore:
    """Pictures by output. `want` returns what is there, or fetches it and calls back in the loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Output, bytes | str] = OrderedDict()
        self._size = 0
        self._coming: dict[Output, list[Callable[[], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)

    @property
    def quiet(self) -> bool:
        """Whether no picture is on its way."""
        return not self._tasks

    def get(self, output: Output) -> bytes | str | None:
        """The bytes; or a sentence why there are none; or None while they are not here."""
        found = self._kept.get(output)
        if found is not None:
            self._kept.move_to_end(output)
        return found

    def want(self, connection: Connection, output: Output, done: Callable[[], None]) -> bytes | str | None:
        """As `get`; what is not here is fetched, and `done` is called when that has ended."""
        found = self.get(output)
        if found is None:
            waiting = self._coming.setdefault(output, [])
            waiting.append(done)
            if len(waiting) == 1:
                task = asyncio.create_task(self._fetch(connection, output), name=f"picture {output.filename}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return found

    def clear(self) -> None:
        """Another server: forget everything."""
        for task in self._tasks:
            task.cancel()
        self._kept.clear()
        self._coming.clear()
        self._size = 0

    async def _fetch(self, connection: Connection, output: Output) -> None:
        try:
            async with self._gate:
                data: bytes | str = await connection.fetch(output, preview=SMALLER)
        except ClientError as error:
            # Shown in the picture's place, where the user looks for it; a thumbnail is no reason for a message.
            data = str(error)
        except asyncio.CancelledError:
            self._coming.pop(output, None)
            raise
        self._keep(output, data)
        for done in self._coming.pop(output, ()):
            done()

    def _keep(self, output: Output, data: bytes | str) -> None:
        self._kept[output] = data
        self._size += len(data)
        while self._size > KEPT_BYTES and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._size -= len(old)

"""Many servers: their connections by name, each running in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from comfytui.client.target import Target
from comfytui.state.connection import Connection
from comfytui.state.model import ServerState


class Fleet:
    """The servers that are connected. Use it in one event loop; `close` it, or use it as a context manager."""

    def __init__(self, make: Callable[[Target], Connection] = Connection) -> None:
        self._make = make
        self._connections: dict[str, Connection] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connections(self) -> Mapping[str, Connection]:
        """By name, in the order in which they were added."""
        return MappingProxyType(self._connections)

    def states(self) -> dict[str, ServerState]:
        """The newest state of each."""
        return {name: connection.state for name, connection in self._connections.items()}

    def add(self, name: str, target: Target) -> Connection:
        """Connect to a server. Raises ValueError for a name that is taken, BadTarget for an unusable target."""
        if name in self._connections:
            raise ValueError(f"there is a connection called {name!r} already")
        connection = self._make(target)
        self._connections[name] = connection
        self._tasks[name] = asyncio.create_task(connection.run(), name=f"connection to {target.label}")
        return connection

    async def remove(self, name: str) -> None:
        """Disconnect from a server. Raises KeyError for an unknown name."""
        connection, task = self._connections.pop(name), self._tasks.pop(name)
        await connection.close()
        await task

    async def close(self) -> None:
        """Disconnect from all of them."""
        await asyncio.gather(*(self.remove(name) for name in list(self._connections)))

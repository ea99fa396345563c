"""Many servers: their connections by name, each running in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState

# (name, what was known of the server, what is known now)
Heard = Callable[[str, "ServerState", "ServerState"], None]


class Member(NamedTuple):
    """One server of the fleet."""

    connection: Connection
    task: asyncio.Task[None]
    close: Callable[[], Awaitable[None]]  # ends the connection, and what it goes through
    unsubscribe: Callable[[], None]


class Fleet:
    """The servers that are connected. Use it in one event loop; `close` it, or use it as a context manager."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._ears: dict[object, Heard] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connections(self) -> Mapping[str, Connection]:
        """By name, in the order in which they were added."""
        return MappingProxyType({name: member.connection for name, member in self._members.items()})

    def get(self, name: str) -> Connection | None:
        """A server's connection; None if there is no such server."""
        member = self._members.get(name)
        return None if member is None else member.connection

    def states(self) -> dict[str, ServerState]:
        """The newest state of each."""
        return {name: member.connection.state for name, member in self._members.items()}

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` in the loop with each change of any server; returns what ends it."""
        token = object()
        self._ears[token] = heard
        return lambda: (self._ears.pop(token, None), None)[1]

    def add(self, name: str, connection: Connection, close: Callable[[], Awaitable[None]] | None = None) -> Connection:
        """Run a connection. `close` ends it, if more than itself must end. Raises ValueError for a name that is taken."""
        if name in self._members:
            raise ValueError(f"there is a connection called {name!r} already")
        known = connection.state

        def changed(state: ServerState) -> None:
            nonlocal known
            before, known = known, state
            for heard in tuple(self._ears.values()):
                heard(name, before, state)

        unsubscribe = connection.subscribe(changed)
        task = asyncio.create_task(connection.run(), name=f"connection to {connection.target.label}")
        self._members[name] = Member(connection, task, close or connection.close, unsubscribe)
        return connection

    async def remove(self, name: str) -> None:
        """Disconnect from a server. Raises KeyError for an unknown name."""
        member = self._members.pop(name)
        member.unsubscribe()
        await member.close()
        member.task.cancel()
        await asyncio.gather(member.task, return_exceptions=True)

    async def close(self) -> None:
        """Disconnect from all of them."""
        await asyncio.gather(*(self.remove(name) for name in list(self._members)))

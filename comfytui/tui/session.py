"""What the dashboard is connected to: its servers, which of them is shown, and the news of them, at most once a frame."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from comfytui.state.fleet import Fleet

if TYPE_CHECKING:
    from comfytui.opening import Opened
    from comfytui.settings.schema import Settings
    from comfytui.state.connection import Connection
    from comfytui.state.fleet import Heard
    from comfytui.state.model import ServerState

FRAME = 1 / 20  # seconds between two drawings: more is lost on a slow link, and on the eye
ELSEWHERE = 0.5  # seconds, for news of servers that are not shown


class Session:
    """Owns the servers. `on_change` is called in the loop, coalesced: the newest state wins.

    name     of the server that is shown; empty before there is one
    opened   by name, the servers that the settings or an address named
    failures by name, why a server could not even be tried (a bad address, a missing secret)
    """

    def __init__(self, settings: Callable[[], Settings], on_change: Callable[[], None]) -> None:
        self._settings = settings  # asked each time: they can be changed while the program runs
        self.fleet = Fleet()
        self.name = ""
        self.opened: dict[str, Opened] = {}
        self.failures: dict[str, str] = {}
        self.engine_stopped = False  # our own engine ended; `r` starts it again
        self.notice = ""  # what our own engine is doing, while it is not ready, for the status line
        self.engine_message: list[tuple[str, str]] = []  # the same with its log, as lines and their roles
        self.engine_log: tuple[str, ...] = ()
        self.on_switch: Callable[[], None] = lambda: None  # another server is shown
        self._read_only: bool | None = None  # what the user chose; None: as the command line says
        self._on_change = on_change
        self._flush: asyncio.TimerHandle | None = None
        self._flushed = 0.0
        self.fleet.subscribe(self._heard)

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings()

    @property
    def connection(self) -> Connection | None:
        """The server that is shown."""
        return self.fleet.get(self.name)

    @property
    def state(self) -> ServerState | None:
        """The newest state of the server that is shown, None without one."""
        connection = self.connection
        return None if connection is None else connection.state

    @property
    def failure(self) -> str | None:
        """Why the server that is meant could not be tried at all."""
        return self.failures.get(self.name)

    @property
    def quiet(self) -> bool:
        """Whether everything that is new has been told."""
        return self._flush is None

    @property
    def others(self) -> tuple[int, int]:
        """How many servers are live beside the one that is shown, of how many that are meant to be."""
        from comfytui.state.model import Phase

        states = [state for name, state in self.fleet.states().items() if name != self.name]
        failed = sum(name != self.name for name in self.failures)
        return sum(state.link.phase is Phase.LIVE for state in states), len(states) + failed

    def watch(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` with each change of any server, shown or not, at once; returns what ends it."""
        return self.fleet.subscribe(heard)

    # Which servers

    def attach(
        self, connection: Connection, name: str = "", close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Use a connection, keep it running until `detach`, and show it."""
        name = name or connection.target.label
        if self.fleet.get(name) is not connection:
            self._add(name, connection, close)
        self.show(name)

    def show(self, name: str) -> None:
        """Let the screens show this server. It may be one that could not be tried: then they say why."""
        if name != self.name and (old := self.connection) is not None:
            old.attention = False
        self.name = name
        self.on_switch()
        self.changed()

    async def connect(self, server: str | None = None) -> None:
        """Connect to an address, a name in the settings, or (None) what the settings say, and show it.

        Returns at once; whether the server is there shows in the state. A bad address shows in `failure`.
        """
        self.show(await self.open(server))

    async def connect_others(self) -> None:
        """Connect to all servers of the settings that want it, beside the one that is shown."""
        wanted = [name for name, profile in self.settings.servers.items() if profile.connect]
        if not wanted:
            return
        from comfytui.state.opening import WAY

        if WAY.get().replay:
            return
        # At once: a secret may come from a command that takes its time.
        await asyncio.gather(*(self.open(name, beside=True) for name in wanted if self.fleet.get(name) is None))
        self.changed()

    async def leave(self, name: str) -> None:
        """Disconnect from one server; if it is the one that is shown, the next one is."""
        self.failures.pop(name, None)
        self.opened.pop(name, None)
        if self.fleet.get(name) is not None:
            await self.fleet.remove(name)
        if name == self.name:
            self.show(next(iter(self.fleet.connections), ""))
        self.changed()

    async def detach(self) -> None:
        """Leave all servers."""
        await self.fleet.close()
        self.opened.clear()

    async def open(self, server: str | None, *, beside: bool = False) -> str:
        """Connect to a server, unless it is connected already, without showing it; returns its name.

        `beside`: nobody asked for this one, so COMFYTUI_TOKEN is not for it.
        """
        from comfytui.settings.servers import meant

        name, profile = meant(self.settings, server)
        if (there := self.fleet.get(name)) is not None:
            before = self.opened.get(name)
            if before is None or before.profile.url == profile.url:
                there.retry_now()
                return name
            await self.fleet.remove(name)  # the same address with another password
        # Imported in a thread: HTTP and WebSocket libraries cost more than the whole first frame.
        await asyncio.to_thread(_import)
        from comfytui.client.errors import ClientError
        from comfytui.opening import open_profile

        self.failures.pop(name, None)
        try:
            opened = await open_profile(self.settings, server, variable=not beside)
        except (ClientError, ValueError) as error:
            self.failures[name] = str(error)
            return name
        if self.fleet.get(name) is not None:  # somebody else was faster
            await opened.close()
            return name
        self.opened[name] = opened
        self._add(name, opened.connection, opened.close)
        return name

    def _add(self, name: str, connection: Connection, close: Callable[[], Awaitable[None]] | None) -> None:
        self.failures.pop(name, None)
        if self._read_only is not None:  # it is the program's: another server is no safer
            connection.read_only = self._read_only or connection.read_only
        self.fleet.add(name, connection, close)

    def set_read_only(self, on: bool) -> None:
        """Let nothing change any server; or allow it again, but where a server's profile forbids it only on the shown."""
        self._read_only = on
        for name, connection in self.fleet.connections.items():
            opened = self.opened.get(name)
            connection.read_only = on or (name != self.name and opened is not None and opened.profile.read_only)

    # News

    def changed(self, within: float = FRAME) -> None:
        """Something is new: tell it with the next frame, or `within` so many seconds after the last one."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, self._flushed + within - time.monotonic())
        if self._flush is not None:
            if self._flush.when() <= when:
                return
            self._flush.cancel()
        self._flush = loop.call_at(when, self._tell)

    def _heard(self, name: str, old: ServerState, new: ServerState) -> None:
        self.changed(FRAME if name == self.name else ELSEWHERE)

    def _tell(self) -> None:
        self._flush = None
        self._flushed = time.monotonic()
        self._on_change()


def _import() -> None:
    """What a connection needs."""
    import comfytui.opening  # noqa: F401 -- imported for the time that it takes

"""What the dashboard is connected to: the connection, its task, and the news of it, at most once a frame."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfytui.settings.schema import Settings
    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState

FRAME = 1 / 20  # seconds between two drawings: more is lost on a slow link, and on the eye


class Session:
    """Owns the connection. `on_change` is called in the loop, coalesced: the newest state wins."""

    def __init__(self, settings: Settings, on_change: Callable[[], None]) -> None:
        self.settings = settings
        self.connection: Connection | None = None
        self.failure: str | None = None  # why there is no connection at all (a bad address, a missing secret)
        self.engine_stopped = False  # our own engine ended; `r` starts it again
        self.notice = ""  # what our own engine is doing, while it is not ready, for the status line
        self.engine_message: list[tuple[str, str]] = []  # the same with its log, as lines and their roles
        self.engine_log: tuple[str, ...] = ()
        self._read_only: bool | None = None  # what the user chose; None: as the command line says
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._flushed = 0.0

    @property
    def state(self) -> ServerState | None:
        """The newest state, None without a server."""
        return None if self.connection is None else self.connection.state

    @property
    def quiet(self) -> bool:
        """Whether everything that is new has been told."""
        return self._flush is None

    def attach(self, connection: Connection) -> None:
        """Use a connection, and keep it running until `detach`."""
        self.connection = connection
        self.failure = None
        if self._read_only is not None:  # it is the program's: another server is no safer
            connection.read_only = self._read_only
        self._unsubscribe = connection.subscribe(self._changed)
        self._task = asyncio.create_task(connection.run(), name="connection")
        self.changed()

    def set_read_only(self, on: bool) -> None:
        """Let nothing change this server, or the next ones; or allow it again."""
        self._read_only = on
        if self.connection is not None:
            self.connection.read_only = on

    async def connect(self, server: str | None) -> None:
        """Connect to an address, a name in the settings, or (None) what the settings say.

        Returns at once; whether the server is there shows in the state. A bad address shows in `failure`.
        """
        # Imported here: HTTP and WebSocket libraries cost more than the whole first frame.
        make = await asyncio.to_thread(_import)
        await self.detach()
        try:
            self.attach(make(self.settings, server))
        except ValueError as error:
            self.failure = str(error)
            self.changed()

    async def detach(self) -> None:
        """Leave the server."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        connection, self.connection = self.connection, None
        task, self._task = self._task, None
        if connection is not None:
            await connection.close()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def changed(self) -> None:
        """Something is new: tell it with the next frame."""
        if self._flush is not None:
            return
        loop = asyncio.get_running_loop()
        self._flush = loop.call_later(max(0.0, self._flushed + FRAME - time.monotonic()), self._tell)

    def _changed(self, _: ServerState) -> None:
        self.changed()

    def _tell(self) -> None:
        self._flush = None
        self._flushed = time.monotonic()
        self._on_change()


def _import() -> Callable[[Settings, str | None], Connection]:
    """Import what a connection needs (in a thread, after the first frame); returns what makes one."""
    from comfytui.client.errors import ClientError
    from comfytui.client.target import Target
    from comfytui.settings.servers import chosen
    from comfytui.state.opening import open_connection

    def make(settings: Settings, server: str | None) -> Connection:
        """Raises ValueError with a sentence for the user."""
        try:
            profile = chosen(settings, server)
            target = Target.parse(
                profile.url,
                headers=profile.headers,
                token=profile.token or None,
                verify=profile.ca or profile.verify,
            )
        except ClientError as error:
            raise ValueError(str(error)) from error
        return open_connection(target)

    return make

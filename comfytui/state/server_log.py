"""One server's log, followed only while somebody looks at it: a slow link carries no lines for nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum

from comfytui.client.errors import BadAnswer, ClientError, Denied, Missing, NotComfyUI
from comfytui.client.http import Http
from comfytui.client.messages import LogPiece, Logs
from comfytui.state.logs import Log

EVERY = 5.0  # seconds between two looks at a server that has a log but tells no news of it
PATIENCE = (
    30.0  # seconds for all of a log: a server that sends a byte now and then never runs into the client's timeout
)
HELD_BACK = 5000  # pieces that may come while the past is being read

_NO_ROUTE = (Missing, NotComfyUI, BadAnswer, Denied)


class Told(StrEnum):
    """How much the server tells of its log."""

    IDLE = "idle"  # nobody looks, or there is no connection
    ASKING = "asking"
    LIVE = "live"  # each line as it is written
    ASKED = "asked"  # it has no news of its log: the last lines are asked for every few seconds
    NOTHING = "nothing"  # `problem` says why


class ServerLog:
    """Subscribes, reads what was before, and joins both; again after each reconnect, without lines twice."""

    def __init__(self, http: Http, client_id: str) -> None:
        self.log = Log()
        self.told = Told.IDLE
        self.problem = ""
        self.missing = False  # it has no log to show at all: asking again would help nobody
        self._http = http
        self._client_id = client_id
        self._watchers: dict[object, Callable[[], None]] = {}
        self._live = False  # the connection stands
        self._subscribed = False  # the server sends lines now, as far as we know
        self._held: deque[LogPiece] | None = None  # came while the past was being read
        self._last: LogPiece | None = None  # the newest piece we have
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def follow(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Have the log kept up to date until the returned function is called; `on_change` runs in the loop.

        It is called for each event, of which there may be thousands a second: do little in it.
        """
        token = object()
        self._watchers[token] = on_change
        self._kick()

        def stop() -> None:
            if self._watchers.pop(token, None) is not None and not self._watchers:
                self._kick()

        return stop

    def again(self) -> None:
        """Ask the server once more, for what it refused."""
        self.told = Told.IDLE
        self._kick()

    # What the connection tells us ------------------------------------------------------------------------------------

    def connected(self) -> None:
        """There is a new event stream: a server that was told of us before knows us no more."""
        self._live, self._subscribed = True, False
        self.told = Told.IDLE
        if self.watched:
            self._kick()

    def dropped(self) -> None:
        """The event stream has ended."""
        self._live = self._subscribed = False
        self._held = None
        self._say(Told.IDLE)
        self._wake.set()

    def heard(self, event: Logs) -> None:
        """Lines came. They are dropped while nobody looks: what was unsubscribed may still be on its way."""
        if not self.watched:
            return
        if self._held is not None:
            self._held.extend(event.pieces)
            return
        self._take(event.pieces)

    async def stop(self) -> None:
        """The connection is closed for good."""
        self._watchers.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # The work --------------------------------------------------------------------------------------------------------

    def _kick(self) -> None:
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="server log")

    async def _work(self) -> None:
        """Bring about what is wanted now; ends when nothing is left to do. One task, so that no two requests cross."""
        while True:
            self._wake.clear()
            wanted = self.watched and self._live
            if wanted and self.told is Told.IDLE:
                await self._begin()
            elif not self.watched and (self._subscribed or self.told is not Told.IDLE):
                await self._end()
            elif wanted and self.told is Told.ASKED:
                try:
                    async with asyncio.timeout(EVERY):
                        await self._wake.wait()
                except TimeoutError:
                    await self._begin()
            elif not self._wake.is_set():
                return

    async def _begin(self) -> None:
        if self.told is not Told.ASKED:
            self._say(Told.ASKING)
        self._held = deque(maxlen=HELD_BACK)  # lines that come before the past has come belong after it
        told = Told.LIVE
        try:
            async with asyncio.timeout(PATIENCE):
                if not self._subscribed:
                    try:
                        await self._http.subscribe_logs(self._client_id, on=True)
                        self._subscribed = True
                    except _NO_ROUTE:
                        told = Told.ASKED
                past = await self._http.logs()
        except (ClientError, TimeoutError) as error:
            self._held = None
            late = f"The server did not send its log within {PATIENCE:g} s. Is it overloaded?"
            self.problem = late if isinstance(error, TimeoutError) else str(error)
            self.missing = isinstance(error, _NO_ROUTE)
            self._say(Told.NOTHING)
            return
        if not self._live:  # the link broke meanwhile
            return
        held, self._held = self._held or (), None
        self.problem = ""
        self._take(self._unknown(past.pieces))
        last = self._last
        self._take([piece for piece in held if last is None or piece.stamp > last.stamp])
        self._say(told)

    def _unknown(self, past: Sequence[LogPiece]) -> Sequence[LogPiece]:
        """Of the server's last lines those that we do not have. If lines fell out between, the log says so."""
        last = self._last
        if last is None or not past:
            return past
        for place in range(len(past) - 1, -1, -1):
            if past[place] == last:
                return past[place + 1 :]
        newer = [piece for piece in past if piece.stamp > last.stamp]
        # None newer: another server's log, or its clock was set back. Better some lines twice than none of them.
        self.log.say("lines are missing here: the server keeps only the last ones")
        return newer or past

    async def _end(self) -> None:
        self.told = Told.IDLE
        if not self._subscribed:
            return
        self._subscribed = False
        try:
            await self._http.subscribe_logs(self._client_id, on=False)
        except ClientError:
            return  # the link broke, and with it the subscription; else its lines are dropped as they come

    def _take(self, pieces: Sequence[LogPiece]) -> None:
        if pieces:
            self._last = pieces[-1]
            self.log.feed(pieces)
            self._tell()

    def _say(self, told: Told) -> None:
        if told is not self.told:
            self.told = told
            self._tell()

    def _tell(self) -> None:
        for watcher in tuple(self._watchers.values()):
            watcher()

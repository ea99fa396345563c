"""The line to the user's terminal, seen from the event loop: who may draw now, and who waits until it has drained."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from comfytui.tui.terminal.pace import SETTLED, Plan, plan

if TYPE_CHECKING:
    from textual.app import App

    from comfytui.tui.terminal.driver import PacedDriver


class Link:
    """Holds the drawing back while the terminal is behind, and lets it go on when it has caught up.

    While it is held, widgets change as always and nothing is composed: what is drawn afterwards is the newest state,
    once. So a key that is held down over a slow link scrolls as far as it was pressed and not a line further.
    """

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._driver: PacedDriver | None = None
        self._hold = contextlib.ExitStack()
        self.held = False
        self._lost = False  # something was composed while it was held, and not written
        self._waiting: list[Callable[[], None]] = []
        self._queued = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.again: Callable[[], None] = _nobody  # called in the loop when the program goes on after a stop

    def attach(self, driver: object) -> None:
        """Use the books of this driver; another kind (none, a test's) is an endless link."""
        from comfytui.tui.terminal.driver import PacedDriver

        if isinstance(driver, PacedDriver):
            self._driver = driver
            self._loop = asyncio.get_running_loop()
            driver.moved = self._moved
            driver.resumed = self._resumed
            driver.ask()

    @property
    def driver(self) -> PacedDriver | None:
        """The terminal's driver, None for another kind."""
        return self._driver

    @property
    def rate(self) -> float | None:
        """Bytes a second that the terminal drains; None while unknown."""
        return None if self._driver is None else self._driver.pace.rate

    @property
    def round_trip(self) -> float | None:
        """Seconds from us to the terminal and back; None while unknown."""
        return None if self._driver is None else self._driver.pace.round_trip

    @property
    def waiting(self) -> int:
        """Bytes that are written and not drawn."""
        return 0 if self._driver is None else max(0, self._driver.pace.waiting)

    @property
    def plan(self) -> Plan:
        """What pictures may cost now."""
        return plan(self.rate)

    @property
    def clear(self) -> bool:
        """Whether nothing is on its way: a picture may be sent."""
        return not self.held and self.waiting <= SETTLED

    def when_clear(self, call: Callable[[], None]) -> None:
        """Call once, in the event loop, when nothing is on its way (never at once)."""
        self._waiting.append(call)
        if self._driver is not None:
            self._driver.ask()  # else nothing tells us: what is under way may be too little for a question
        self._wake()

    async def drained(self) -> None:
        """Wait until nothing is on its way to the terminal."""
        if self.clear:
            return
        done = asyncio.get_running_loop().create_future()

        def call() -> None:
            if not done.done():
                done.set_result(None)

        self.when_clear(call)
        try:
            await done
        finally:
            self.forget(call)

    def forget(self, call: Callable[[], None]) -> None:
        """Take back what was asked of `when_clear`."""
        self._waiting = [each for each in self._waiting if each != call]

    def write(self, sequence: str) -> None:
        """Send the terminal what draws nothing: a clipboard, a question."""
        if self._driver is not None:
            self._driver.write(sequence)

    def displayed(self) -> None:
        """Something was composed: hold what follows if the terminal is behind."""
        if self.held:
            self._lost = True
        elif self._driver is not None and self._driver.behind:
            self.held = True
            self._hold.enter_context(self._app.batch_update())
            self._driver.ask()

    # From the driver's threads

    def _moved(self) -> None:
        if (self.held or self._waiting) and not self._queued:
            self._wake()

    def _wake(self) -> None:
        self._queued = True
        with contextlib.suppress(RuntimeError):  # the loop has ended: so has the program
            (self._loop or asyncio.get_running_loop()).call_soon_threadsafe(self._catch_up)

    # In the loop

    def _catch_up(self) -> None:
        self._queued = False
        driver = self._driver
        if self.held and driver is not None:
            if driver.pace.waiting <= driver.pace.window // 2:
                self._release()
            else:
                driver.ask()
        if self._waiting:
            if self.clear:
                calls, self._waiting = self._waiting, []
                for call in calls:
                    call()
            elif driver is not None:
                driver.ask()

    def _release(self) -> None:
        self.held = False
        self._hold.close()
        if not self._app.is_running or not self._app.screen_stack:
            return
        if self._lost:  # a layout that was composed and thrown away: nobody else would draw it again
            self._lost = False
            self._app.screen.refresh()
        self._app.screen.check_idle()

    def _resumed(self) -> None:
        """After a stop the shell has drawn over everything."""
        if self.held:
            self._release()
        if self._app.is_running and self._app.screen_stack:
            self._app.screen.refresh()
            self.again()


def _nobody() -> None:
    pass

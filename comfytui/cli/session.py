"""Opens the connection that a command needs, and ends everything in order, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from contextvars import ContextVar
from typing import Any

from comfytui.cli import diagnostics
from comfytui.client import sanitize
from comfytui.local_engine import EngineError, LocalEngine, PortTaken, who_listens
from comfytui.opening import Opened, open_profile
from comfytui.settings import files
from comfytui.settings.schema import Settings
from comfytui.state.connection import Connection

REPLAYED: ContextVar[str] = ContextVar("replayed", default="")  # where a recording answers instead of a server
CONNECT = 15.0  # seconds until a silent server counts as absent
TUNNELLED = 45.0  # the same behind a tunnel, which is opened first
AGAIN = 1.5  # seconds for one more try after a failure: a script wants to know soon
START = 180.0  # seconds for the engine to answer; it needs about one, a cold disk much more


@contextlib.asynccontextmanager
async def connected(
    server: str | None, *, local: bool = False, remember: bool = False, variable: bool = True
) -> AsyncIterator[Connection]:
    """A live connection. With `local`, an engine is started if none listens, and stopped at the end.

    `remember`: jobs that are submitted are known to later programs, to be sent again should the server forget them.
    `variable` False: COMFYTUI_TOKEN is not for this server (see `servers.chosen`).
    """
    settings = files.load()
    server = REPLAYED.get() or server
    async with contextlib.AsyncExitStack() as stack:
        if local and not REPLAYED.get():
            server = await stack.enter_async_context(_engine(settings))
        opened = await open_profile(settings, server, remember=remember, variable=variable)
        yield await stack.enter_async_context(_live(opened))


def run(command: Coroutine[Any, Any, None]) -> None:
    """Run a command's coroutine. SIGTERM ends it as ctrl-C does, so that an engine that it started ends too."""

    async def main() -> None:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await command

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextlib.asynccontextmanager
async def _live(opened: Opened) -> AsyncIterator[Connection]:
    connection = opened.connection
    running = asyncio.create_task(connection.run())
    try:
        await _wait_live(connection, CONNECT if opened.tunnel is None else TUNNELLED)
        yield connection
    finally:
        await opened.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _wait_live(connection: Connection, patience: float) -> None:
    """Wait for the first connection; the dashboard would go on trying, a command gives up. Raises ClientError."""
    failed = asyncio.Event()
    unsubscribe = connection.subscribe(lambda state: failed.set() if state.link.attempts else None)
    waits = [asyncio.create_task(connection.wait_live(patience)), asyncio.create_task(failed.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if waits[0].done():
            await waits[0]
        else:
            await connection.wait_live(AGAIN)
    finally:
        unsubscribe()
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


@contextlib.asynccontextmanager
async def _engine(settings: Settings) -> AsyncIterator[str]:
    """The URL of an engine on this machine: the one that listens, else one of ours for as long as this lasts."""
    port = settings.engine.port
    listener = await who_listens(port)
    if listener is not None:
        if not listener.comfyui:
            raise PortTaken(listener)
        diagnostics.say(f"{listener}: using it")
        yield f"http://127.0.0.1:{port}"
        return
    engine = LocalEngine(port, settings.engine.arguments, clean=sanitize.line)
    diagnostics.say("starting the local engine …")
    await engine.start()
    try:
        await engine.wait_ready(START)
        yield engine.url
    except EngineError:
        for text in engine.status.log[-8:]:
            diagnostics.say(f"  {text}")
        raise
    finally:
        await engine.stop()

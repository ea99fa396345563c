"""The servers of the settings: whether each answers, how fast, which version it is, and what keeps us out; all at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

from comfytui.cli.doctor.findings import Finding, State
from comfytui.client import sanitize
from comfytui.client.errors import ClientError, Denied, Unreachable
from comfytui.opening import open_profile
from comfytui.settings import servers
from comfytui.settings.schema import Settings, SettingsError

if TYPE_CHECKING:
    from comfytui.state.connection import Connection

SECTION = "servers"
SECONDS = 6.0  # for one server that is reached directly
TUNNELLED = 20.0  # the same behind a tunnel, which is opened first
MOST = 50


async def facts(settings: Settings, server: str | None) -> list[Finding]:
    """Every server of the settings, and the one that is meant (`server`, the environment's or the settings')."""
    meant, _ = servers.meant(settings, server)
    names = list(dict.fromkeys([meant, *servers.names(settings)]))[:MOST]
    given = server if server is not None and meant not in settings.servers else None
    asked = [
        _ask(settings, given if name == meant and given else name, name, named(settings, server)) for name in names
    ]
    return list(await asyncio.gather(*asked))


def named(settings: Settings, server: str | None) -> bool:
    """Whether anybody has named a server: else it is our default that is absent, which is no fault."""
    return bool(server or os.environ.get(servers.VARIABLE) or settings.server != Settings().server)


async def _ask(settings: Settings, server: str, name: str, is_named: bool) -> Finding:
    shown = sanitize.line(name)
    bad = State.WRONG if is_named or name in settings.servers else State.NOTE
    try:
        async with asyncio.timeout(TUNNELLED + SECONDS):
            return await _told(settings, server, shown, bad)
    except TimeoutError:
        return Finding(SECTION, shown, "did not answer in time", bad)
    except SettingsError as error:
        return Finding(SECTION, shown, str(error), State.WRONG)
    except Denied as error:
        return Finding(SECTION, shown, f"lets us not in: {error}", State.WRONG)
    except (ClientError, OSError, ValueError) as error:
        fix = () if bad is State.WRONG else ("comfytui --local", "comfytui --server HOST:PORT")
        return Finding(SECTION, shown, str(error), bad, "to have one" if fix else "", fix)


async def _told(settings: Settings, server: str, shown: str, bad: State) -> Finding:
    """Ask twice: the first answer pays for opening the line, the second tells the latency. Raises ClientError."""
    opened = await open_profile(settings, server, remember=False)
    try:
        connection = opened.connection
        running = asyncio.create_task(connection.run())
        try:
            await _live(connection, SECONDS if opened.tunnel is None else TUNNELLED)
            start = time.perf_counter()
            await connection.refresh_stats()
            took = time.perf_counter() - start
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    finally:
        await opened.close()
    stats = connection.state.stats
    version = stats.version if stats is not None and stats.version else "version unknown"
    devices = ", ".join(sanitize.line(each.name) for each in stats.devices) if stats is not None else ""
    said = f"{opened.label}: ComfyUI {sanitize.line(version)}, {max(1, round(took * 1000))} ms"
    return Finding(SECTION, shown, said + (f", {devices}" if devices else ""))


async def _live(connection: Connection, patience: float) -> None:
    """Wait for the connection, and no longer than for its first failure. Raises ClientError."""
    failed = asyncio.Event()
    unsubscribe = connection.subscribe(lambda state: failed.set() if state.link.attempts else None)
    live, failure = asyncio.create_task(connection.wait_live(patience)), asyncio.create_task(failed.wait())
    try:
        await asyncio.wait((live, failure), return_when=asyncio.FIRST_COMPLETED)
        if not live.done():
            raise Unreachable(connection.state.link.error or "does not answer")
        await live
    finally:
        unsubscribe()
        for each in (live, failure):
            each.cancel()
        await asyncio.gather(live, failure, return_exceptions=True)

"""Many servers at once: switching among eight that are connected, beside two; and what an idle minute of eight writes.

The servers are scripted ones in this process; each has a history, so that there is something to draw.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from benchmarks.result import Result
from comfytui.settings.schema import Settings
from comfytui.state.model import Link, Phase
from comfytui.tui.app import Dashboard
from tests.support.replay import FakeComfy
from tests.support.terminal import Terminal
from tests.tui import sample
from tests.tui.support import settle

MANY, FEW = 8, 2
SWITCHES = 24
SECONDS = 20  # of idleness


async def _switch(count: int, screen: str) -> float:
    """Milliseconds until another server is drawn, the median; each has a busy queue and a history of 500."""
    app = Dashboard(Settings(images="truecolor"), clock=sample.clock)

    async def connect(_: str | None) -> None:
        for number in range(count):
            state = sample.busy(4 + number)
            url = f"http://box-{number}:8188"
            connection = sample.StubConnection(replace(state, link=Link(url=url, phase=Phase.LIVE, latency=0.012)))
            app.session.attach(connection, f"box-{number}")  # type: ignore[arg-type]

    app.session.connect = connect  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await app.action_show(screen)
        await settle(pilot)
        taken = []
        for number in range(SWITCHES):
            begin = time.perf_counter()
            app.session.show(f"box-{(number + 1) % count}")
            app._news()  # else with the next frame, at most 50 ms later
            app.screen._compositor.render_strips()  # what would be sent
            taken.append(time.perf_counter() - begin)
            await settle(pilot)
        return statistics.median(taken) * 1e3


@contextmanager
def _served(count: int) -> Iterator[list[str]]:
    """The addresses of so many servers, which run in a thread."""
    loop, stop, urls = asyncio.new_event_loop(), asyncio.Event(), list[str]()
    ready = threading.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(count):
                urls.append((await stack.enter_async_context(FakeComfy())).url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield urls
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def _idle(count: int, screen: str) -> float:
    """Bytes that reach the terminal in a minute."""
    with _served(count) as urls, tempfile.TemporaryDirectory() as home:
        profiles = "".join(f'[servers.box-{n}]\nurl = "{url}"\n' for n, url in enumerate(urls))
        Path(home, "settings.toml").write_text(f'server = "box-0"\n{profiles}', "utf-8")
        own = dict.fromkeys(("HOME", "COMFYTUI_CONFIG_DIR", "COMFYTUI_STATE_DIR"), home)
        with Terminal([sys.executable, "-m", "comfytui"], 120, 40, env=own) as terminal:
            terminal.wait_for(rf"\+{count - 1}")
            terminal.press(screen)
            terminal.settle(8.0)  # its first answers came while the program was busy with its start
            return terminal.count(SECONDS) * 60 / SECONDS


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["COMFYTUI_STATE_DIR"] = os.environ["COMFYTUI_CONFIG_DIR"] = home
        for screen in ("live", "queue", "history", "servers"):
            few, many = (asyncio.run(_switch(count, screen)) for count in (FEW, MANY))
            yield Result(f"switch among {MANY} servers: {screen}", many, "ms", few, f"among {FEW}", "about 1")
    for screen, name in (("1", "live"), ("6", "servers")):
        yield Result(f"idle with {MANY} servers, {name}", _idle(MANY, screen), "bytes a minute", target="0")

"""Models that are being fetched for a server on this machine: begun from the list of what is missing, told in the status line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from comfytui.client import sanitize
from comfytui.client.errors import ClientError
from comfytui.tui.wording import duration, file_size

if TYPE_CHECKING:
    from comfytui.fetching.download import Progress
    from comfytui.state.connection import Connection
    from comfytui.tui.app import Dashboard
    from comfytui.workflow.told_models import ToldModel

TOLD = 0.1  # of a file: between two messages
EVERY = 60.0  # seconds between two messages on a slow line


class Fetches:
    """What comes just now, by address. The dashboard has one; it ends with it, and what came is gone on with next time."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._coming: dict[str, str] = {}  # address → how far it is
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def how_far(self, url: str) -> str:
        """How far a file is that comes just now; "" for another."""
        return self._coming.get(url, "")

    async def ask(self, model: ToldModel) -> None:
        """Ask whether to fetch a model, and begin; or to stop, if it is coming. Only from a worker."""
        from comfytui.fetching.download import size_of
        from comfytui.fetching.errors import FetchError
        from comfytui.fetching.place import path_of

        dashboard, connection = self._dashboard, self._dashboard.session.connection
        if model.url in self._tasks:
            if await dashboard.confirm(f"Stop fetching {_name(model)}?", "stop it", detail="What came is kept."):
                self._tasks[model.url].cancel()
            return
        if connection is None:
            dashboard.report("no server is connected")
            return
        try:
            path = await path_of(connection, model)
            size = await size_of(model.url)
        except (FetchError, ClientError) as error:
            dashboard.report(sanitize.line(str(error), 1000))
            return
        checked = "Its SHA-256 is told, and checked." if model.sha256 else "The workflow tells no hash to check it by."
        host = sanitize.line(urlsplit(model.url).hostname or "")
        question = f"Fetch {_name(model)} ({file_size(size)}) from {host}?"
        if await dashboard.confirm(question, "fetch it", detail=f"Into {sanitize.line(str(path))}. {checked}"):
            self._begin(connection, model, path)

    def _begin(self, connection: Connection, model: ToldModel, path: Path) -> None:
        if model.url in self._tasks:
            return
        self._coming[model.url] = "begins"
        task = asyncio.create_task(self._fetch(connection, model, path), name=f"fetch {path.name}")
        self._tasks[model.url] = task
        task.add_done_callback(lambda _: self._ended(model.url))
        self._dashboard.say(f"fetching {_name(model)}: M shows how far it is")

    def _ended(self, url: str) -> None:
        self._tasks.pop(url, None)
        self._coming.pop(url, None)

    async def _fetch(self, connection: Connection, model: ToldModel, path: Path) -> None:
        from comfytui.fetching.download import fetch
        from comfytui.fetching.errors import FetchError

        clock = asyncio.get_running_loop().time
        share, at = 0.0, clock()

        def tell(progress: Progress) -> None:
            nonlocal share, at
            text = how_far(progress)
            self._coming[model.url] = text
            now = progress.done / progress.total if progress.total else 0.0
            if now >= share + TOLD or clock() >= at + EVERY:
                share, at = now, clock()
                self._dashboard.remark(f"{_name(model)}: {text}")

        try:
            await fetch(model.url, path, sha256=model.sha256, progress=tell)
        except FetchError as error:
            self._dashboard.report(sanitize.line(str(error), 1000))
            return
        except asyncio.CancelledError:
            self._dashboard.remark(f"{_name(model)}: stopped; the next time goes on from here")
            raise
        self._dashboard.say(f"{_name(model)} was fetched into {sanitize.line(str(path.parent))}")
        connection.model_files.forget()
        try:
            await connection.load_object_info(force=True)
        except ClientError as error:
            self._dashboard.report(f"the nodes could not be asked for again: {error}")

    async def close(self) -> None:
        """Stop all of it; what came is kept."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def how_far(progress: Progress) -> str:
    """2.1 GB of 7.0 GB, 30 %, 2 min left."""
    parts = [f"{file_size(progress.done)} of {file_size(progress.total)}"]
    if progress.total:
        parts.append(f"{progress.done * 100 // progress.total} %")
    if progress.left is not None:
        parts.append(f"{duration(progress.left)} left")
    return ", ".join(parts)


def _name(model: ToldModel) -> str:
    return sanitize.line(model.name.rpartition("/")[2], 80)

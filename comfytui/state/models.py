"""One server's model files, asked for folder by folder when somebody looks, and kept until the server is another."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeVar

from comfytui.client.errors import ClientError, Missing
from comfytui.client.http import Http
from comfytui.client.model_files import ModelFile, ModelFolder, ModelRoutes
from comfytui.state.model import ServerState

Value = TypeVar("Value")

SLOW = 0.15  # seconds an exchange takes from which folders that nobody looks at are not asked for
KEPT = 200  # models whose metadata and picture are kept


class Models:
    """What is known of them. `folders` and `files` hold what has been asked for; every method may raise ClientError."""

    def __init__(self, http: Http, state: Callable[[], ServerState]) -> None:
        self.folders: tuple[ModelFolder, ...] | None = None
        self.files: dict[str, tuple[ModelFile, ...]] = {}  # by the folder's raw name
        self.problems: dict[str, str] = {}  # folder → why it could not be listed
        self._routes = ModelRoutes(http)
        self._state = state
        self._version = ""
        self._metadata: OrderedDict[ModelFile, Mapping[str, str]] = OrderedDict()
        self._pictures: OrderedDict[ModelFile, bytes | None] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    @property
    def slow(self) -> bool:
        """Whether the link is such that only what is looked at should be asked for."""
        latency = self._state().link.latency
        return latency is not None and latency > SLOW

    def check_version(self) -> None:
        """Another version of the server may have other folders: forget all that is known."""
        stats = self._state().stats
        version = stats.version if stats is not None else ""
        if version and self._version and version != self._version:
            self.forget()
        self._version = version or self._version

    def forget(self) -> None:
        """Ask for everything again when it is looked at next."""
        self.folders = None
        self.files.clear()
        self.problems.clear()
        self._metadata.clear()
        self._pictures.clear()

    async def load_folders(self) -> tuple[ModelFolder, ...]:
        self.check_version()
        async with self._lock(""):
            if self.folders is None:
                self.folders = await self._routes.folders()
            return self.folders

    async def load(self, folder: ModelFolder) -> tuple[ModelFile, ...]:
        """The files of a folder. What goes wrong is also in `problems`."""
        async with self._lock(folder.raw):
            if folder.raw not in self.files:
                try:
                    found = await self._routes.files(folder)
                except ClientError as error:
                    self.problems[folder.raw] = str(error)
                    raise
                self.problems.pop(folder.raw, None)
                self.files[folder.raw] = found
            return self.files[folder.raw]

    async def metadata(self, file: ModelFile) -> Mapping[str, str]:
        """What the file says of itself, {} if nothing."""
        if file not in self._metadata:
            _keep(self._metadata, file, await self._routes.metadata(file))
        return self._metadata[file]

    async def picture(self, file: ModelFile) -> bytes | None:
        """Its preview, None without one."""
        if file not in self._pictures:
            try:
                data = await self._routes.picture(file)
            except Missing:
                data = None
            _keep(self._pictures, file, data)
        return self._pictures[file]

    def _lock(self, name: str) -> asyncio.Lock:
        return self._asking.setdefault(name, asyncio.Lock())


def _keep(kept: OrderedDict[ModelFile, Value], file: ModelFile, value: Value) -> None:
    kept[file] = value
    while len(kept) > KEPT:
        kept.popitem(last=False)

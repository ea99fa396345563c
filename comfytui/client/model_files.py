"""What lies in a server's model folders: `/experiment/models`, or `/models` where a server is older, and `/view_metadata`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer, Missing, NotComfyUI
from comfytui.client.readers import decode, mapping, number, sequence, text

if TYPE_CHECKING:
    from comfytui.client.http import Http

Read = TypeVar("Read")
Result = TypeVar("Result")

MAX_FOLDERS = 500
MAX_FILES = 50_000  # of one folder
MAX_PICTURE = 8 << 20  # bytes of a preview; ComfyUI makes small ones
MAX_METADATA = 2 << 20  # bytes; ComfyUI reads headers of up to 1 MB
MAX_KEYS = 500  # of the metadata
MAX_VALUE = 100_000  # characters of one value: frequencies of a training's tags are JSON of that size
IN_THREAD = 256 * 1024  # bytes of JSON from which decoding would be felt as a pause of the screen


class ModelFolder(msgspec.Struct, frozen=True):
    """A kind of models. `raw` is the name to ask for; `paths` are on the server, empty where it does not tell."""

    name: str
    paths: tuple[str, ...] = ()
    raw: str = ""


class ModelFile(msgspec.Struct, frozen=True):
    """A file in a model folder. `name` is relative to it, clean; `raw` is what nodes and the server call it.

    size: bytes, None where the server does not tell
    modified: seconds, the server's clock, None as well
    place: which of the folder's paths it lies in
    """

    name: str
    raw: str
    folder: str
    size: int | None = None
    modified: float | None = None
    place: int | None = None

    @property
    def below(self) -> str:
        """The folder within the model folder, with slashes; "" for none."""
        return self.name.replace("\\", "/").rpartition("/")[0]

    @property
    def base(self) -> str:
        """The name without folders."""
        return self.name.replace("\\", "/").rpartition("/")[2]


class ModelRoutes:
    """The requests; each raises ClientError."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._old = False  # the server has only the older routes

    async def folders(self) -> tuple[ModelFolder, ...]:
        """The kinds of models, in the server's order."""
        try:
            found = await self._ask("/experiment/models", _folders)
        except (Missing, NotComfyUI, BadAnswer):
            self._old = True
            return await self._ask("/models", _folders)
        self._old = False
        return found

    async def files(self, folder: ModelFolder) -> tuple[ModelFile, ...]:
        """What is in a folder, by name. Raises Missing if there is no such folder any more."""
        route = f"/{'' if self._old else 'experiment/'}models/{_segment(folder.raw)}"
        try:
            return await self._ask(route, lambda value: _files(value, folder.raw))
        except Missing as error:
            label = self._http.target.label
            raise Missing(f"{label} has no model folder {folder.name} (any more).", where=error.where) from error

    async def metadata(self, file: ModelFile) -> Mapping[str, str]:
        """What a safetensors file says of itself; empty if it says nothing, is of another kind, or says too much."""
        try:
            data = await self._http.exchange(
                "GET", f"/view_metadata/{_segment(file.folder)}", {"filename": file.raw}, limit=MAX_METADATA
            )
        except Missing:  # every problem is a 404
            return {}
        return await _in_thread(data, _metadata)

    async def picture(self, file: ModelFile) -> bytes:
        """The preview that lies beside a model, or in it. Raises Missing without one."""
        if self._old or file.place is None:
            raise Missing("This server has no pictures of models.", where=self._http.target.url)
        name = quote(file.raw.replace("\\", "/"), safe="/", errors="replace")
        route = f"/experiment/models/preview/{_segment(file.folder)}/{file.place}/{name}"
        return await self._http.exchange("GET", route, limit=MAX_PICTURE)

    async def _ask(self, route: str, reader: Callable[[Any], tuple[Read, ...]]) -> tuple[Read, ...]:
        try:
            return await _in_thread(await self._http.exchange("GET", route), reader)
        except BadAnswer as error:
            raise BadAnswer(f"{self._http.target.label}{route}: {error}", where=self._http.target.url) from error


async def _in_thread(data: bytes, reader: Callable[[Any], Result]) -> Result:
    """Decode and read; in a thread when it is long."""

    def work() -> Result:
        return reader(decode(data))

    return await asyncio.to_thread(work) if len(data) > IN_THREAD else work()


def _folders(value: Any) -> tuple[ModelFolder, ...]:
    """`[{"name", "folders": [path…]}]`, or names alone."""
    if not isinstance(value, list):
        raise BadAnswer("the answer is not a list of folders")
    found: dict[str, ModelFolder] = {}
    for each in value[:MAX_FOLDERS]:
        raw = each if isinstance(each, str) else mapping(each).get("name")
        if isinstance(raw, str) and raw and raw not in found:
            paths = sequence(mapping(each).get("folders"))[:50]
            found[raw] = ModelFolder(sanitize.line(raw, 100), tuple(text(path) for path in paths), raw)
    return tuple(found.values())


def _files(value: Any, folder: str) -> tuple[ModelFile, ...]:
    """`[{"name", "size", "modified", "pathIndex"}]`, or names alone."""
    if not isinstance(value, list):
        raise BadAnswer("the answer is not a list of files")
    found: dict[tuple[str, int | None], ModelFile] = {}
    for each in value[:MAX_FILES]:
        about = mapping(each)
        raw = each if isinstance(each, str) else about.get("name")
        if not isinstance(raw, str) or not raw:
            continue
        place = about.get("pathIndex")
        place = place if isinstance(place, int) and 0 <= place < 10_000 else None
        found[raw, place] = ModelFile(
            sanitize.line(raw), raw, folder, _count(about.get("size")), number(about.get("modified")) or None, place
        )
    return tuple(sorted(found.values(), key=lambda file: file.name.lower()))


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e18 else None


def _metadata(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise BadAnswer("the answer is no metadata")
    found: dict[str, str] = {}
    for key, said in list(value.items())[:MAX_KEYS]:
        words = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        found.setdefault(sanitize.line(str(key), 200), sanitize.block(words, MAX_VALUE))
    return found


def _segment(name: str) -> str:
    return quote(name, safe="", errors="replace")

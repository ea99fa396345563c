"""The files that a server keeps for its user, `/userdata`: the web page's workflows among them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer, ClientError, Exists, Missing
from comfytui.client.readers import decode

if TYPE_CHECKING:
    from comfytui.client.http import Http

WORKFLOWS: Final = "workflows"  # the folder of the web page's workflows
MAX_FILES: Final = 20_000
MAX_FILE: Final = 64 << 20  # bytes of one file
MAX_NAME: Final = 200  # characters


class UserFile(msgspec.Struct, frozen=True):
    """One file. `path` is raw, relative to the folder that was listed, with slashes: what the server is asked for."""

    path: str
    size: int = 0  # bytes
    modified: float = 0.0  # seconds


class BadName(ClientError):  # noqa: N818 -- as its siblings
    """A name that no file can have; nothing was sent."""


class UserData:
    """Its methods raise ClientError; those that change something raise ReadOnly where nothing may be changed."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def files(self, folder: str = WORKFLOWS) -> tuple[UserFile, ...]:
        """The files below a folder, by name; none if the folder does not exist yet."""
        query = {"dir": folder, "recurse": "true", "full_info": "true"}
        try:
            found = decode(await self._http.exchange("GET", "/userdata", query))
        except Missing:  # the folder, or (of servers that are years old) the route
            return ()
        if not isinstance(found, list):
            raise BadAnswer("The server's list of user files is not one.", where=self._http.target.url)
        read = (_file(each) for each in found[:MAX_FILES])
        return tuple(sorted((each for each in read if each is not None), key=lambda each: each.path.lower()))

    async def read(self, path: str, folder: str = WORKFLOWS) -> bytes:
        """The bytes of a file. Raises Missing, TooLarge."""
        try:
            return await self._http.exchange("GET", _route(folder, path), limit=MAX_FILE)
        except Missing as error:
            raise Missing(f"{sanitize.line(path)} is no longer on the server.", where=error.where) from error

    async def write(self, path: str, value: Any, *, overwrite: bool = False, folder: str = WORKFLOWS) -> None:
        """Write a value as JSON; folders are made. Raises Exists unless it may be overwritten, BadName."""
        checked(path)
        query = {"overwrite": "true" if overwrite else "false"}
        try:
            await self._http.exchange("POST", _route(folder, path), query, body=value)
        except Exists as error:
            raise _taken(path, error) from error

    async def delete(self, path: str, folder: str = WORKFLOWS) -> None:
        """Delete a file. Raises Missing."""
        try:
            await self._http.exchange("DELETE", _route(folder, path))
        except Missing as error:
            raise Missing(f"{sanitize.line(path)} is no longer on the server.", where=error.where) from error

    async def rename(self, path: str, to: str, folder: str = WORKFLOWS) -> None:
        """Give a file another name, never that of another file. Raises Missing, Exists, BadName."""
        checked(to)
        route = f"{_route(folder, path)}/move/{quote(posixpath.join(folder, to), safe='', errors='replace')}"
        try:
            await self._http.exchange("POST", route, {"overwrite": "false"})
        except Exists as error:
            raise _taken(to, error) from error
        except Missing as error:
            raise Missing(f"{sanitize.line(path)} is no longer on the server.", where=error.where) from error


def checked(path: str) -> str:
    """A relative path as somebody typed it, if a file can have it. Raises BadName with what is wrong."""
    parts = path.split("/")
    if not path or len(path) > MAX_NAME:
        raise BadName(f"A name has 1 to {MAX_NAME} characters.")
    if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise BadName(f"{sanitize.line(path)} leads elsewhere: give a name, or folder/name.")
    if sanitize.line(path) != path or parts[-1].startswith("."):
        raise BadName(f"{sanitize.line(path)} holds what a name cannot: control characters, or a dot at its start.")
    return path


def _taken(path: str, error: Exists) -> Exists:
    return Exists(f"The server has a file {sanitize.line(path)} already. Give another name.", where=error.where)


def _route(folder: str, path: str) -> str:
    """One segment: the slashes of the path are encoded too."""
    return f"/userdata/{quote(posixpath.join(folder, path), safe='', errors='replace')}"


def _file(value: Any) -> UserFile | None:
    if isinstance(value, str):
        return UserFile(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("path"), str) or not value["path"]:
        return None
    return UserFile(value["path"].replace("\\", "/"), int(_number(value.get("size"))), _number(value.get("modified")))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15 else 0.0

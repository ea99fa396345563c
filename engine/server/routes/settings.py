"""`/settings`: what a web front end keeps for its user."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.server import limits, users
from engine.server.bodies import BadBodyError, answer, encode, read, read_object
from engine.server.services import services

_changing = threading.Lock()  # one change at a time: each begins with what the one before has written


async def show(request: web.Request) -> web.Response:
    """`GET /settings`."""
    return answer(await asyncio.to_thread(_load, _path(request)))


async def one(request: web.Request) -> web.Response:
    """`GET /settings/{id}`: the bare value, `null` if it is not set."""
    found = await asyncio.to_thread(_load, _path(request))
    return answer(found.get(request.match_info["setting"]))


async def merge(request: web.Request) -> web.Response:
    """`POST /settings`: keys that are not named stay."""
    body = await read_object(request)
    await asyncio.to_thread(_change, _path(request), dict(body))
    return web.Response()


async def change(request: web.Request) -> web.Response:
    """`POST /settings/{id}` with the bare value."""
    value = await read(request)
    await asyncio.to_thread(_change, _path(request), {request.match_info["setting"]: value})
    return web.Response()


def _change(path: Path, changes: Mapping[str, Any]) -> None:
    """Write what changes, to the disk: a disk that is busy with models takes seconds, hence never on the event loop.

    Raises `BadBodyError` where the settings would grow beyond the bound, and `OSError`.
    """
    with _changing:
        settings = {**_load(path), **changes}
        size = len(encode(settings))
        if size > limits.SETTINGS:
            raise BadBodyError(f"the settings would have {size} bytes; {limits.SETTINGS} are the limit")
        users.write_json(path, settings)


def _path(request: web.Request) -> Path:
    return users.folder(request, services(request)) / "comfy.settings.json"


def _load(path: Path) -> dict[str, Any]:
    found = users.read_json(path, {})
    return found if isinstance(found, dict) else {}

"""`/settings`: what a web front end keeps for its user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from engine.server import limits, users
from engine.server.bodies import BadBodyError, answer, encode, read, read_object
from engine.server.services import services


async def show(request: web.Request) -> web.Response:
    """`GET /settings`."""
    return answer(_load(request))


async def one(request: web.Request) -> web.Response:
    """`GET /settings/{id}`: the bare value, `null` if it is not set."""
    return answer(_load(request).get(request.match_info["setting"]))


async def merge(request: web.Request) -> web.Response:
    """`POST /settings`: keys that are not named stay."""
    body = await read_object(request)
    _save(request, _load(request) | dict(body))
    return web.Response()


async def change(request: web.Request) -> web.Response:
    """`POST /settings/{id}` with the bare value."""
    value = await read(request)
    _save(request, _load(request) | {request.match_info["setting"]: value})
    return web.Response()


def _save(request: web.Request, settings: dict[str, Any]) -> None:
    """Raises `BadBodyError` where they would grow beyond the bound, and `OSError`."""
    size = len(encode(settings))
    if size > limits.SETTINGS:
        raise BadBodyError(f"the settings would have {size} bytes; {limits.SETTINGS} are the limit")
    users.write_json(_path(request), settings)


def _path(request: web.Request) -> Path:
    return users.folder(request, services(request)) / "comfy.settings.json"


def _load(request: web.Request) -> dict[str, Any]:
    found = users.read_json(_path(request), {})
    return found if isinstance(found, dict) else {}

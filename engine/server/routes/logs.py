"""`/internal/logs` and `/internal/files`: the last lines of the log, and the newest files."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from aiohttp import web

from engine.server.bodies import BadBodyError, answer, read_object
from engine.server.services import services

SIZE = {"cols": 80, "rows": 24}  # of the terminal that the lines were made for; there is none


async def text(request: web.Request) -> web.Response:
    """`GET /internal/logs`: a JSON string."""
    return answer("".join(f"{entry['t']} - {entry['m']}" for entry in services(request).journal.entries))


async def entries(request: web.Request) -> web.Response:
    """`GET /internal/logs/raw`."""
    return answer({"entries": list(services(request).journal.entries), "size": SIZE})


async def subscribe(request: web.Request) -> web.Response:
    """`PATCH /internal/logs/subscribe`: `logs` messages on the client's socket, from now or no longer."""
    body = await read_object(request)
    client = body.get("clientId")
    if not isinstance(client, str) or not client:
        raise BadBodyError("clientId must be a string")
    subscribers = services(request).journal.subscribers
    if body.get("enabled"):
        if services(request).hub.get(client) is not None:  # who is not connected has nothing to receive it on
            subscribers.add(client)
    else:
        subscribers.discard(client)
    return web.Response()


async def files(request: web.Request) -> web.Response:
    """`GET /internal/files/{type}`: names at the top of the folder, newest first."""
    kind = request.match_info["kind"]
    if kind not in ("output", "input", "temp"):
        return answer({"error": "Invalid directory type"}, status=400)
    return answer(await asyncio.to_thread(_newest, services(request).folders.by_type(kind)))


def _newest(folder: Path) -> list[str]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                    if entry.is_file():
                        found.append((entry.stat().st_mtime, entry.name))
    except FileNotFoundError:
        return []
    return [name for _, name in sorted(found, reverse=True)]

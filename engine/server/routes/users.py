"""`/users`."""

from __future__ import annotations

import asyncio

from aiohttp import web

from engine.server import users
from engine.server.bodies import answer, read_object
from engine.server.services import services


async def show(request: web.Request) -> web.Response:
    """`GET /users`: who there is, or that there is only one."""
    shared = services(request)
    if shared.options.multi_user:
        return answer({"storage": "server", "users": users.everyone(shared)})
    return answer({"storage": "server", "migrated": (shared.folders.user / users.DEFAULT).is_dir()})


async def add(request: web.Request) -> web.Response:
    """`POST /users`: the id of the new user as a JSON string."""
    body = await read_object(request)
    try:
        return answer(await asyncio.to_thread(users.add, services(request), body.get("username")))
    except users.UserError as error:
        return answer({"error": str(error)}, status=400)

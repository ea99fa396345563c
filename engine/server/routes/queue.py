"""`/queue`: what runs, what waits, and taking it out again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from engine.jobs.job import Job
from engine.server import streaming
from engine.server.bodies import raw, read_object, strings
from engine.server.services import services

_PAGE = 64  # jobs that are sent in one piece


async def show(request: web.Request) -> web.StreamResponse:
    """`GET /queue`; what waits is in the order in which it will run. A long one is not copied as a whole."""
    dispatcher = services(request).dispatcher
    running = b"" if dispatcher.running is None else dispatcher.running.item()
    waiting = dispatcher.waiting()
    if len(waiting) > _PAGE:
        return await streaming.send(request, _pieces(running, waiting))
    return raw(b'{"queue_running":[%s],"queue_pending":[%s]}' % (running, b",".join(job.item() for job in waiting)))


async def _pieces(running: bytes, waiting: list[Job]) -> AsyncIterator[bytes]:
    before = b'{"queue_running":[%s],"queue_pending":[' % running
    for job in waiting:
        yield before + job.item()
        before = b","
    yield b"]}"


async def change(request: web.Request) -> web.Response:
    """`POST /queue`: `clear` first, then `delete`. What runs is not touched."""
    body = await read_object(request)
    dispatcher = services(request).dispatcher
    gone = strings(body["delete"], "delete") if "delete" in body else []
    if body.get("clear"):
        await dispatcher.clear()
    if gone:
        await dispatcher.delete(gone)
    return web.Response()


async def delete(request: web.Request) -> web.Response:
    """`DELETE /queue/{id}`: ComfyUI has no such route, but many expect it. 404 if nothing waits by this id."""
    removed = await services(request).dispatcher.delete([request.match_info["prompt_id"]])
    return web.Response(status=200 if removed else 404)

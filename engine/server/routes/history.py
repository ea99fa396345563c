"""`/history`: what ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from engine.jobs.store import Stretch
from engine.server import streaming
from engine.server.bodies import BadBodyError, encode, raw, read_object, strings
from engine.server.services import services

_PIECE = 64  # entries in memory at a time, when all are asked for


async def show(request: web.Request) -> web.StreamResponse:
    """`GET /history?max_items&offset`, oldest first; what is longer than a page is sent in pieces."""
    limit, offset = _integer(request, "max_items"), _integer(request, "offset")
    if limit is not None and limit <= 0:
        return raw(b"{}")
    store = services(request).store
    where = await store.stretch(limit, -1 if offset is None else offset)
    if where.length > _PIECE:
        return await streaming.send(request, _pieces(request, where))
    found = await store.history_after(where.after, where.length)
    return raw(b"{%s}" % b",".join(b"%s:%s" % (encode(name), entry) for _, name, entry in found))


async def one(request: web.Request) -> web.Response:
    """`GET /history/{prompt_id}`: `{}` if there is none."""
    prompt_id = request.match_info["prompt_id"]
    entry = await services(request).store.entry(prompt_id)
    return raw(b"{}" if entry is None else b"{%s:%s}" % (encode(prompt_id), entry))


async def change(request: web.Request) -> web.Response:
    """`POST /history`: `clear`, `delete`."""
    body = await read_object(request)
    gone = strings(body["delete"], "delete") if "delete" in body else []
    store = services(request).store
    if body.get("clear"):
        await store.forget(None)
    if gone:
        await store.forget(gone)
    return web.Response()


async def delete(request: web.Request) -> web.Response:
    """`DELETE /history/{prompt_id}`: ComfyUI has no such route, but many expect it. 404 if there is none."""
    store, prompt_id = services(request).store, request.match_info["prompt_id"]
    known = await store.row(prompt_id) is not None
    await store.forget([prompt_id])
    return web.Response(status=200 if known else 404)


async def _pieces(request: web.Request, where: Stretch) -> AsyncIterator[bytes]:
    store, after, left = services(request).store, where.after, where.length
    before = b"{"
    while left > 0 and (piece := await store.history_after(after, min(left, _PIECE))):
        for _, name, entry in piece:
            yield b"%s%s:%s" % (before, encode(name), entry)
            before = b","
        after, left = piece[-1][0], left - len(piece)
    yield b"{}" if before == b"{" else b"}"


def _integer(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError as error:
        raise BadBodyError(f"{name} must be an integer, not {text[:40]!r}") from error
    return max(min(value, 2**53), -1)

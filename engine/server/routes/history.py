"""`/history`: what ended."""

from __future__ import annotations

from aiohttp import web

from engine.jobs.store import Stretch
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
        return await _stream(request, where)
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


async def _stream(request: web.Request, where: Stretch) -> web.StreamResponse:
    store, left = services(request).store, where.length
    piece = await store.history_after(where.after, _PIECE)
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    await response.prepare(request)
    before = b"{"
    while piece:
        for _, name, entry in piece:
            await response.write(b"%s%s:%s" % (before, encode(name), entry))
            before = b","
        left -= len(piece)
        piece = await store.history_after(piece[-1][0], min(left, _PIECE)) if left > 0 else []
    await response.write(b"{}" if before == b"{" else b"}")
    await response.write_eof()
    return response


def _integer(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError as error:
        raise BadBodyError(f"{name} must be an integer, not {text[:40]!r}") from error
    return max(min(value, 2**53), -1)

"""Answers that are too long for the memory: sent in pieces while they are read."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web

log = logging.getLogger(__name__)

_BATCH = 64 * 1024  # bytes in one write: a chunk for each entry would cost more than the entry


async def send(request: web.Request, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send JSON as `pieces` bring it; a client that reads slowly slows them.

    What they raise before the first one is the caller's to answer. After that the status is out, and an error can only
    be told by breaking off: the connection ends in the middle of a chunk, which no client takes for a whole answer.
    """
    waiting = await anext(pieces, b"")
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    await response.prepare(request)
    if request.method == "HEAD":
        await response.write_eof()
        return response
    try:
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= _BATCH:
                await response.write(waiting)
                waiting = b""
        await response.write(waiting)
        await response.write_eof()
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s is broken off", request.method, request.path)
        if request.transport is not None:
            request.transport.abort()
    return response

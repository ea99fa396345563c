"""The route `/ws`: who connects, what it can do, and what it missed."""

from __future__ import annotations

import asyncio
import logging
import uuid

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from engine.jobs.dispatch import status
from engine.server import limits
from engine.server.access import token
from engine.server.hub import Socket, event
from engine.server.services import Services, services
from engine.server.wire import Wire

log = logging.getLogger(__name__)
_MAX_SID = 256
_GOODBYE = 1.0  # seconds for a client to answer the end of the connection


async def connect(request: web.Request) -> web.WebSocketResponse:
    """Serve one socket until it closes; 503 where there are too many."""
    shared = services(request)
    if shared.hub.open >= limits.SOCKETS:
        log.warning("A WebSocket is refused: %d are open, which is the limit", shared.hub.open)
        raise web.HTTPServiceUnavailable(
            text=f"{limits.SOCKETS} WebSockets are open, which is the limit; try again when some have closed"
        )
    shared.hub.open += 1
    try:
        return await _serve(request, shared)
    finally:
        shared.hub.open -= 1


async def _serve(request: web.Request, shared: Services) -> web.WebSocketResponse:
    transport = request.transport
    if transport is None:
        raise web.HTTPBadRequest(text="the connection is gone")
    # Previews are compressed pictures, and over SSH the text is compressed by the tunnel: deflating each
    # frame here would cost more than the event itself.
    line = web.WebSocketResponse(
        compress=False, timeout=_GOODBYE, protocols=token.chosen(request), max_msg_size=limits.SOCKET_MESSAGE
    )
    await line.prepare(request)
    socket = Socket(request.query.get("clientId", "")[:_MAX_SID] or uuid.uuid4().hex, Wire(transport))
    shared.hub.add(socket)
    _greet(socket, shared)
    pump = asyncio.create_task(socket.pump(), name="socket out")
    listen = asyncio.create_task(_listen(line, socket, shared), name="socket in")
    lost = asyncio.create_task(socket.lost.wait(), name="socket lost")
    stopping = asyncio.create_task(shared.hub.stopping.wait(), name="server stopping")
    tasks = [pump, listen, lost, stopping]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if (error := task.exception()) is not None and not isinstance(error, ConnectionError):
                log.error("A socket failed", exc_info=error)
    finally:
        shared.hub.remove(socket)
        if shared.hub.get(socket.sid) is None:
            shared.journal.subscribers.discard(socket.sid)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if socket.lost.is_set():
            transport.abort()  # a closing handshake would wait for a client that reads nothing
        elif shared.hub.stopping.is_set():
            await line.close(code=WSCloseCode.GOING_AWAY)
    return line


def _greet(socket: Socket, shared: Services) -> None:
    """The first frames: the state of the queue, and for a client that comes back, where its prompt is."""
    dispatcher = shared.dispatcher
    data = {**status(dispatcher.remaining), "sid": socket.sid}
    socket.put(event("status", data))
    running = dispatcher.running
    if running is not None and running.client_id == socket.sid and dispatcher.last_node is not None:
        socket.put(event("executing", {"node": dispatcher.last_node}))


async def _listen(line: web.WebSocketResponse, socket: Socket, shared: Services) -> None:
    """Read what the client says: only its feature flags mean anything."""
    async for message in line:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            said = msgspec.json.decode(message.data)
        except (msgspec.DecodeError, RecursionError):
            log.debug("A client sent a text that is not JSON")
            continue
        if isinstance(said, dict) and said.get("type") == "feature_flags" and isinstance(said.get("data"), dict):
            socket.flags = said["data"]
            socket.put(event("feature_flags", shared.features()))

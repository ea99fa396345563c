"""`/object_info`: what the nodes are, as the worker knows them."""

from __future__ import annotations

from aiohttp import web

from engine.server.bodies import raw, refusal
from engine.server.routes.prompt import PATIENCE
from engine.server.services import services
from engine.worker.supervisor import WorkerUnavailableError


async def every(request: web.Request) -> web.Response:
    """`GET /object_info`: choices of files are listed afresh by the worker."""
    return await _describe(request, None)


async def one(request: web.Request) -> web.Response:
    """`GET /object_info/{class}`: `{}` for a class that is not there."""
    return await _describe(request, request.match_info["node_class"])


async def _describe(request: web.Request, node: str | None) -> web.Response:
    try:
        return raw(await services(request).worker.describe_nodes(node, patience=PATIENCE))
    except WorkerUnavailableError as error:
        message, _, details = str(error).partition("\n")
        return refusal("worker_unavailable", f"The nodes cannot be listed: {message}", details, status=503)

"""Who may call: pages of other sites may not, unless `--enable-cors-header` lets them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ALLOWED = {
    "Access-Control-Allow-Methods": "POST, GET, DELETE, PUT, OPTIONS, PATCH",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Allow-Credentials": "true",
}
_lookups: dict[str, bool] = {}


def cors(origin: str) -> Middleware:
    """Middleware: pages of `origin` (`*` for any) may call."""
    headers = {"Access-Control-Allow-Origin": origin, **_ALLOWED}

    @web.middleware
    async def allow(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(headers=headers)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(headers)
            raise
        if not response.prepared:  # a socket or a stream has sent its headers already
            response.headers.update(headers)
        return response

    return allow


@web.middleware
async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: a browser's page from elsewhere must not reach a server on this machine.

    Only requests with an `Origin` come from pages; command-line clients send none. A server that
    others reach by its name is not guarded, because a proxy may change the name.
    """
    if request.method == "OPTIONS":
        return web.Response()
    origin, host = request.headers.get("Origin"), request.headers.get("Host")
    if origin and host and not _same(host, origin) and await _is_loopback(_host_name(host)):
        return web.Response(status=403)
    return await handler(request)


def _same(host: str, origin: str) -> bool:
    """Whether the origin's address is the host's; a port that one side leaves out is not compared."""
    try:
        ours, theirs = urlsplit(f"//{host.lower()}"), urlsplit(origin.lower())
        ports = ours.port, theirs.port
    except ValueError:
        return False  # `null`, or no address at all
    if ours.hostname != theirs.hostname:
        return False
    return None in ports or ports[0] == ports[1]


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _is_loopback(name: str) -> bool:
    """Whether a host name leads to this machine alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        pass  # a name, not a number
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if name not in _lookups:
        if len(_lookups) > 256:
            _lookups.clear()
        _lookups[name] = await _look_up(name)
    return _lookups[name]


async def _look_up(name: str) -> bool:
    try:
        found = await asyncio.wait_for(
            asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM), timeout=2.0
        )
    except (OSError, UnicodeError, TimeoutError):
        return False
    return all(ipaddress.ip_address(str(address[4][0]).split("%")[0]).is_loopback for address in found)

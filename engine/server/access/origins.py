"""From which pages the engine may be called: its own, those of `--allowed-host`, and what `--enable-cors-header` names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.server.access.hosts import ANY, Authority, Hosts, parse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ALLOWED = {
    "Access-Control-Allow-Methods": "POST, GET, DELETE, PUT, OPTIONS, PATCH",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Allow-Credentials": "true",
}


def check(hosts: Hosts, allowed: str | None) -> Middleware:
    """Middleware: a browser's page from elsewhere is refused with an empty 403, as ComfyUI does.

    Only requests with an `Origin` or a `Sec-Fetch-Site` come from pages; command-line clients send neither. `allowed`
    is the origin that may call besides (`*` for any, None for none). Every OPTIONS is answered here, without a word
    about what is behind it: a preflight carries no credentials.
    """
    headers = {} if allowed is None else {"Access-Control-Allow-Origin": allowed, **_ALLOWED}

    @web.middleware
    async def only_our_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(headers=headers)
        if not _may(request, hosts, allowed):
            return web.Response(status=403)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(headers)
            raise
        if not response.prepared:  # a socket or a stream has sent its headers already
            response.headers.update(headers)
        return response

    return only_our_pages


def _may(request: web.Request, hosts: Hosts, allowed: str | None) -> bool:
    origin, host = request.headers.get("Origin"), request.headers.get("Host")
    if allowed == ANY:
        return True
    if origin is None:
        # <img> and <script> of another site send no Origin, but browsers say where they come from. A link that
        # somebody clicked is a navigation, and shows our page to them alone.
        foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        return not foreign or request.headers.get("Sec-Fetch-Mode") == "navigate" or allowed is not None
    if allowed is not None and origin.lower() == allowed.lower().rstrip("/"):
        return True
    scheme, found, text = origin.partition("://")
    theirs = parse(text) if found and scheme.lower() in ("http", "https", "ws", "wss") else None
    if theirs is None:
        return False  # `null`, a file, an extension
    ours = None if host is None else parse(host)
    # A proxy that rewrites Host sends pages of its own name here; the owner has told us that name.
    return ours is None or _same(ours, theirs) or hosts.named(theirs)


def _same(ours: Authority, theirs: Authority) -> bool:
    """Whether the origin's address is the host's; a port that one side leaves out is not compared."""
    return ours.name == theirs.name and (None in (ours.port, theirs.port) or ours.port == theirs.port)

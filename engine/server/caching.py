"""How long a browser may keep an answer, by the ending of its path, as ComfyUI decides it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
_DAY, _HOUR = "public, max-age=86400", "public, max-age=3600"


@web.middleware
async def cache_control(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: add `Cache-Control` where the handler has none of its own."""
    response = await handler(request)
    if not response.prepared and "Cache-Control" not in response.headers:
        told = for_path(request.path, response.status)
        if told is not None:
            response.headers["Cache-Control"] = told
    return response


def for_path(path: str, status: int) -> str | None:
    """The header for an answer; None where it gets none.

    Scripts and styles are asked for again each time: an upgrade of the web front end keeps some of their names.
    """
    name = path.lower().rpartition("/")[2]
    if name.endswith((".js", ".css")) or (name.startswith("index") and name.endswith(".json")):
        return "no-cache"
    if not name.endswith(_PICTURES):
        return None
    if status == 404:
        return _HOUR
    if 200 <= status <= 206 or status in (301, 308):
        return _DAY
    return "no-cache" if status in (302, 303, 307) else None

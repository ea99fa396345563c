"""What a browser gets: ComfyUI's own web front end where its files are, and a small page of ours where they are not."""

from __future__ import annotations

import asyncio
import html
import importlib.util
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from engine.files.safe import UnsafeNameError, inside
from engine.options import Options
from engine.server.bodies import answer
from engine.server.routes.system import version
from engine.server.services import Services, services

PACKAGE = "comfyui-frontend-package"  # ComfyUI's web front end on PyPI: only files for browsers
# What a browser must be told rightly; the system's own table differs from one to the next, and answers say nosniff.
_KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_TEMPLATES = re.compile(r"templates/index(\.[A-Za-z-]{2,10})?\.json")
_FRESH = {"Cache-Control": "no-cache", "Pragma": "no-cache", "Expires": "0"}

ROOT: web.AppKey[Path | None] = web.AppKey("front_end")  # the folder that holds its index.html


def find(options: Options) -> Path | None:
    """The folder of the web front end: the one that was given, else the installed package's; None without either."""
    if options.front_end_root is not None:
        return Path(options.front_end_root).resolve()
    # Looked up, never imported: the package is under another licence, and only its files are served.
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        root = Path(place, "static").resolve()
        if (root / "index.html").is_file():
            return root
    return None


def installed_version() -> str | None:
    """Of the package; None without it."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None


async def index(request: web.Request) -> web.StreamResponse:
    """`GET /`."""
    root = request.config_dict[ROOT]
    if root is None:
        return web.Response(text=_page(services(request), request.host), content_type="text/html", headers=_FRESH)
    return web.FileResponse(root / "index.html", headers=_FRESH)


async def static(request: web.Request) -> web.StreamResponse:
    """Any path that no route has: a file of the web front end, or what a server of files says to it."""
    if request.method not in ("GET", "HEAD"):
        return web.Response(status=405, text="405: Method Not Allowed")
    root = request.config_dict[ROOT]
    name = request.match_info["anything"]
    path = await asyncio.to_thread(_pack_file, _web(request), name)
    if path is None and root is not None:
        path = await asyncio.to_thread(_file, root, name)
    if path is not None:
        kind = _KINDS.get(path.suffix.lower())
        return web.FileResponse(path, headers={} if kind is None else {"Content-Type": kind})
    if root is not None and _TEMPLATES.fullmatch(name):
        return answer(
            []
        )  # its example workflows are a package of their own; without it the dialog is empty, not broken
    return web.Response(status=404, content_type="application/octet-stream")


async def extensions(request: web.Request) -> web.Response:
    """`GET /extensions`: the scripts that the web front end loads beside its own."""
    root = request.config_dict[ROOT]
    own = [] if root is None else await asyncio.to_thread(_scripts, root)
    return answer([*own, *await asyncio.to_thread(_pack_scripts, _web(request))])


def _web(request: web.Request) -> Mapping[str, str]:
    """Pack → the folder of its scripts; none while the worker starts."""
    ready = services(request).worker.ready
    return {} if ready is None else ready.web


def _pack_file(folders: Mapping[str, str], name: str) -> Path | None:
    """`extensions/PACK/FILE` in the pack's folder of scripts."""
    place, _, rest = name.partition("/")
    pack, _, file = rest.partition("/")
    folder = folders.get(pack) if place == "extensions" else None
    return None if folder is None else _file(Path(folder), file)


def _pack_scripts(folders: Mapping[str, str]) -> list[str]:
    found = []
    for pack, folder in folders.items():
        root = Path(folder)
        found += sorted(f"/extensions/{quote(pack)}/{path.relative_to(root).as_posix()}" for path in root.rglob("*.js"))
    return found


def _file(root: Path, name: str) -> Path | None:
    try:
        path = inside(root, name)
    except UnsafeNameError:
        return None
    return path if path.is_file() else None


def _scripts(root: Path) -> list[str]:
    return sorted(f"/{path.relative_to(root).as_posix()}" for path in (root / "extensions").rglob("*.js"))


def _page(shared: Services, host: str) -> str:
    """The page of ours: no script, nothing from elsewhere, below 5 KB."""
    ready = shared.worker.ready
    state = f"ready, {ready.nodes} nodes" if ready is not None else "starting"
    name = html.escape(host[:200])
    scheme = "http" if shared.options.tls_certfile is None else "https"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>comfytui engine</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:3em auto;padding:0 1em}"
        "pre{padding:.6em 1em;border:1px solid #8886;overflow:auto}</style>"
        f"<h1>comfytui engine {html.escape(version())}</h1>"
        "<p>This server runs ComfyUI workflows and speaks ComfyUI's HTTP and WebSocket API.</p>"
        f"<p>Worker: {html.escape(state)}. Jobs that wait or run: {shared.dispatcher.remaining}.</p>"
        "<h2>The dashboard</h2><p>In a terminal, on this machine or on one that reaches it:</p>"
        f"<pre>comfytui --server {scheme}://{name}</pre>"
        "<h2>A web interface</h2><p>ComfyUI's own web front end is a package of its own. "
        "Install it beside the engine and start the engine again:</p>"
        f"<pre>pip install 'comfytui[web]'</pre><p>or give its folder with <code>--front-end-root DIR</code>.</p>"
        '<h2>Programs</h2><p>Every route is described in <a href="openapi.json">openapi.json</a>. '
        'Some to look at: <a href="system_stats">system_stats</a>, <a href="queue">queue</a>, '
        '<a href="history?max_items=5">history</a>, <a href="object_info">object_info</a>.</p></html>'
    )

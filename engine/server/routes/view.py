"""`/view` and `/view_metadata`: pictures and other files as they are, smaller, or by channel."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from engine.files.folders import Folders, ModelNotFoundError, split_annotation
from engine.files.safe import UnsafeNameError, clean, inside
from engine.server.services import services

# Types that a browser would run: they are sent as plain bytes.
_ACTIVE = frozenset(
    {"text/html", "text/html-sandboxed", "application/xhtml+xml", "text/javascript", "application/javascript"}
    | {"application/x-javascript", "text/css", "image/svg+xml", "text/xml", "application/xml"}
)
_MAX_HEADER = 1024 * 1024  # bytes of a safetensors header
_MAX_PIXELS = 256 * 1024 * 1024  # of a picture that is to be converted


async def view(request: web.Request) -> web.StreamResponse:
    """`GET /view`."""
    path = _find(services(request).folders, request)
    if isinstance(path, int):
        return web.Response(status=path)
    headers = {"Content-Disposition": f"filename={_quoted(path.name)}", "X-Content-Type-Options": "nosniff"}
    if "preview" in request.query:
        kind, body = await asyncio.to_thread(_preview, path, *_wanted(request))
        return web.Response(body=body, content_type=kind, headers=headers) if body else web.Response(status=404)
    channel = request.query.get("channel", "rgba")
    if channel in ("rgb", "a"):
        body = await asyncio.to_thread(_channel, path, channel)
        return web.Response(body=body, content_type="image/png", headers=headers) if body else web.Response(status=404)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers["Content-Type"] = "application/octet-stream" if kind in _ACTIVE else kind
    return web.FileResponse(path, headers=headers)


async def metadata(request: web.Request) -> web.Response:
    """`GET /view_metadata/{folder}?filename=`: 404 for everything that has none."""
    folders, kind = services(request).folders, request.match_info["folder"]
    name = request.query.get("filename", "")
    if not name.endswith(".safetensors") or not folders.knows(kind):
        return web.Response(status=404)
    try:
        path = folders.find_model(kind, name)
        found = await asyncio.to_thread(_safetensors_metadata, path)
    except (ModelNotFoundError, UnsafeNameError, OSError):
        return web.Response(status=404)
    return web.Response(status=404) if found is None else web.json_response(found)


def _find(folders: Folders, request: web.Request) -> Path | int:
    """The file that the query names, or the status that refuses it."""
    name = request.query.get("filename")
    if name is None:
        return 404
    name, kind = split_annotation(name, request.query.get("type", "output"))
    if kind not in ("output", "input", "temp") or not name or name[0] in "/\\" or ".." in name:
        return 400
    try:
        folder = inside(folders.by_type(kind), request.query.get("subfolder", ""))
    except UnsafeNameError:
        return 403
    try:
        path = inside(folder, clean(name).rpartition("/")[2])
    except UnsafeNameError:
        return 400
    return path if path.is_file() else 404


def _wanted(request: web.Request) -> tuple[str, int, bool]:
    """Format, quality and whether the alpha goes, of `preview=FORMAT[;QUALITY]` and `channel`."""
    kind, *rest = request.query["preview"].split(";")
    quality = min(int(rest[-1]), 100) if rest and rest[-1].isascii() and rest[-1].isdigit() else 90
    channel = request.query.get("channel", "")
    # JPEG has no alpha; every channel whose name holds an `a` wants it.
    if kind not in ("webp", "jpeg") or "a" in channel:
        kind = "webp"
    return kind, quality, kind == "jpeg" or channel == "rgb"


def _preview(path: Path, kind: str, quality: int, opaque: bool) -> tuple[str, bytes]:
    """Content type and bytes; empty if the file is no picture. Pixels are kept: no size is asked for."""
    from PIL import Image

    buffer = BytesIO()
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                return "", b""
            shown = picture.convert("RGB") if opaque else picture
            shown.save(buffer, kind.upper(), quality=quality)
    except (OSError, ValueError, Image.DecompressionBombError):
        return "", b""
    return f"image/{kind}", buffer.getvalue()


def _channel(path: Path, channel: str) -> bytes:
    """A PNG without alpha, or one that is black with the alpha; empty if the file is no picture."""
    from PIL import Image

    buffer = BytesIO()
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                return b""
            if channel == "rgb":
                shown = picture.convert("RGB")
            else:
                shown = Image.new("RGBA", picture.size)
                shown.putalpha(picture.convert("RGBA").getchannel("A"))
            shown.info.clear()  # without the prompt, too
            shown.save(buffer, "PNG")
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
    return buffer.getvalue()


def _safetensors_metadata(path: Path) -> dict[str, object] | None:
    """The `__metadata__` of a safetensors file; None without one or with a header over a megabyte."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER:
            return None
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            return None
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else None


def _quoted(name: str) -> str:
    """A file name as a quoted header value; what no header may carry is percent-encoded."""
    if name.isascii() and name.isprintable() and '"' not in name:
        return f'"{name}"'
    return f'"{quote(name)}"'

"""`/view` and `/view_metadata`: pictures and other files as they are, smaller, or by channel."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from aiohttp import web

from engine.files.decode import PictureError, opened
from engine.files.folders import Folders, ModelNotFoundError, split_annotation
from engine.files.safe import UnsafeNameError, clean, inside
from engine.server import content, limits
from engine.server.bodies import BadBodyError
from engine.server.services import services

_MAX_HEADER = 1024 * 1024  # bytes of a safetensors header
# Few at a time, whatever number of clients asks: one conversion may take gigabytes.
_decoders = ThreadPoolExecutor(limits.DECODING, thread_name_prefix="pictures")


async def view(request: web.Request) -> web.StreamResponse:
    """`GET /view`. Files as they are answer byte ranges (206, 416, `If-Range`), so that a video can be sought in."""
    path = _find(services(request).folders, request)
    if isinstance(path, int):
        return web.Response(status=path)
    channel = request.query.get("channel", "rgba")
    if "preview" not in request.query and channel not in ("rgb", "a"):
        return web.FileResponse(path, headers=content.headers(path.name))
    loop = asyncio.get_running_loop()
    try:
        if "preview" in request.query:
            kind, body = await loop.run_in_executor(_decoders, _preview, path, *_wanted(request))
        else:
            kind, body = "image/png", await loop.run_in_executor(_decoders, _channel, path, channel)
    except FileNotFoundError:
        return web.Response(status=404)
    except PictureError as error:
        raise BadBodyError(str(error)) from error
    place = {"Content-Disposition": f"filename={content.quoted(path.name)}"}
    return web.Response(body=body, content_type=kind, headers=place)


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
    """Content type and bytes. Pixels are kept: no size is asked for. Raises `PictureError`."""
    buffer = BytesIO()
    with opened(path, path.name) as picture:
        shown = picture.convert("RGB") if opaque else picture
        shown.save(buffer, kind.upper(), quality=quality)
    return f"image/{kind}", buffer.getvalue()


def _channel(path: Path, channel: str) -> bytes:
    """A PNG without alpha, or one that is black with the alpha. Raises `PictureError`."""
    from PIL import Image

    buffer = BytesIO()
    with opened(path, path.name) as picture:
        if channel == "rgb":
            shown = picture.convert("RGB")
        else:
            shown = Image.new("RGBA", picture.size)
            shown.putalpha(picture.convert("RGBA").getchannel("A"))
        shown.info.clear()  # without the prompt, too
        shown.save(buffer, "PNG")
    return buffer.getvalue()


def _safetensors_metadata(path: Path) -> dict[str, str] | None:
    """The `__metadata__` of a safetensors file, of which only text counts, as the format has it.

    None without one, or with a header over a megabyte.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER:
            return None
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            return None
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else None

"""`/models`, `/embeddings` and `/experiment/models`: what lies in the model folders."""

from __future__ import annotations

import asyncio
import logging
import re
from io import BytesIO
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.files import covers
from engine.files.decode import PictureError, opened
from engine.files.folders import FOLDER_TYPES, Folders
from engine.files.safe import UnsafeNameError, beside, inside
from engine.server.bodies import answer
from engine.server.services import services

log = logging.getLogger(__name__)

_HIDDEN = frozenset({"configs", "custom_nodes"})
_PICTURES = (".webp", ".png", ".jpg", ".jpeg", ".preview.png", ".preview.webp", ".preview.jpg", ".preview.jpeg")
_PREVIEW_SIDE = 512  # pixels


async def kinds(request: web.Request) -> web.Response:
    """`GET /models`."""
    return answer(_kinds(services(request).folders))


async def names(request: web.Request) -> web.Response:
    """`GET /models/{folder}`: 404 for an unknown kind."""
    folders, kind = services(request).folders, request.match_info["folder"]
    if not folders.knows(kind):
        return web.Response(status=404)
    return answer(await asyncio.to_thread(folders.list_models, kind))


async def embeddings(request: web.Request) -> web.Response:
    """`GET /embeddings`: names without extension."""
    found = await asyncio.to_thread(services(request).folders.list_models, "embeddings")
    return answer([name.rpartition(".")[0] for name in found])


async def kinds_with_folders(request: web.Request) -> web.Response:
    """`GET /experiment/models`."""
    folders = services(request).folders
    told = [(kind, [str(root) for root in folders.roots(kind)]) for kind in _kinds(folders) if kind not in _HIDDEN]
    return answer([{"name": kind, "folders": roots} for kind, roots in told])


async def files(request: web.Request) -> web.Response:
    """`GET /experiment/models/{folder}`."""
    folders, kind = services(request).folders, request.match_info["folder"]
    if kind in _HIDDEN or not folders.knows(kind):
        return web.Response(status=404)
    return answer(await asyncio.to_thread(_files, folders, kind))


async def preview(request: web.Request) -> web.Response:
    """`GET /experiment/models/preview/{folder}/{path_index}/{file}`: the picture that lies beside a model or in it."""
    folders, info = services(request).folders, request.match_info
    if not folders.knows(info["folder"]) or not re.fullmatch("[0-9]{1,4}", info["path_index"]):
        return web.Response(status=404)
    roots, index = folders.roots(info["folder"]), int(info["path_index"])
    if index >= len(roots):
        return web.Response(status=404)
    try:
        model = inside(roots[index], info["file"], follow=True)
    except UnsafeNameError:
        return web.Response(status=404)
    if model == roots[index]:  # no file is named, and what lies beside a folder of models is none of its pictures
        return web.Response(status=404)
    body = await asyncio.to_thread(_picture_of, model)
    return web.Response(body=body, content_type="image/webp") if body else web.Response(status=404)


async def folder_paths(request: web.Request) -> web.Response:
    """`GET /internal/folder_paths`."""
    folders = services(request).folders
    return answer({kind: [str(root) for root in folders.roots(kind)] for kind in _kinds(folders)})


def _kinds(folders: Folders) -> list[str]:
    """In the recorded order; kinds that a paths file added come last."""
    return [*FOLDER_TYPES, *(kind for kind in folders.models if kind not in FOLDER_TYPES)]


def _files(folders: Folders, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    roots = folders.roots(kind)
    for name in folders.list_models(kind):
        for index, root in enumerate(roots):
            try:
                state = (root / name).stat()
            except OSError:
                continue
            times = {"modified": state.st_mtime, "created": state.st_ctime}
            found.append({"name": name, "pathIndex": index, **times, "size": state.st_size})
            break
    return found


def _picture_of(model: Path) -> bytes:
    """A webp of `model.webp`, `model.preview.png` …, or of the picture inside the model; empty without one."""
    for suffix in _PICTURES:
        path = beside(model, model.stem + suffix)
        if path is not None and (shown := _webp(path, path.name)):
            return shown
    inner = covers.embedded(model)
    return b"" if inner is None else _webp(BytesIO(inner), f"the picture in {model.name}")


def _webp(source: Path | BytesIO, name: str) -> bytes:
    """A small one; empty for what is no picture."""
    buffer = BytesIO()
    try:
        with opened(source, name) as picture:
            picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
            picture.save(buffer, "WEBP")
    except (OSError, PictureError) as error:
        log.debug("No preview: %s", error)
        return b""
    return buffer.getvalue()

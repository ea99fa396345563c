"""`/userdata` and `/v2/userdata`: a user's own files, such as saved workflows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from engine.files.safe import UnsafeNameError, clean, inside
from engine.server import content, users
from engine.server.bodies import answer
from engine.server.services import services

_MAX_LISTED = 20_000


async def listing(request: web.Request) -> web.Response:
    """`GET /userdata?dir=`."""
    name = request.query.get("dir", "")
    if not name:
        return web.Response(status=400, text="Directory not provided")
    root = users.folder(request, services(request))
    try:
        folder = inside(root, name)
    except UnsafeNameError:
        return web.Response(status=403, text="Invalid directory")
    if not folder.is_dir():
        return web.Response(status=404, text="Directory not found")
    recurse, full, split = (_flag(request, flag) for flag in ("recurse", "full_info", "split"))
    paths = await asyncio.to_thread(lambda: sorted(_files(folder, recurse)))
    if full:
        return answer([info for path in paths if (info := _info(folder / path, path)) is not None])
    return answer([[path, *path.split("/")] for path in paths] if split else paths)


async def tree(request: web.Request) -> web.Response:
    """`GET /v2/userdata?path=`: files and folders below, folders first."""
    root = users.folder(request, services(request))
    try:
        folder = inside(root, unquote(request.query.get("path", "")))
    except UnsafeNameError:
        return web.Response(status=403, text="Invalid path requested")
    if not folder.exists():
        return web.Response(status=404, text="Requested path not found")
    if not folder.is_dir():
        return web.Response(status=400, text="Requested path is not a directory")
    return answer(await asyncio.to_thread(_tree, root, folder))


async def read(request: web.Request) -> web.StreamResponse:
    """`GET /userdata/{file}`."""
    path = _path(request, "file")
    if isinstance(path, int):
        return web.Response(status=path)
    if not path.is_file():
        return web.Response(status=404)
    return web.FileResponse(path, headers=content.headers(path.name, styles=True))


async def write(request: web.Request) -> web.Response:
    """`POST /userdata/{file}` with the bytes; folders are made."""
    path = _path(request, "file")
    if isinstance(path, int):
        return web.Response(status=path)
    if request.query.get("overwrite") == "false" and path.exists():
        return web.Response(status=409, text="File already exists")
    body = await request.read()
    if path.is_dir():
        return web.Response(status=400, text="The name is a folder")
    await asyncio.to_thread(users.write_file, path, body)
    return _told(request, path)


async def delete(request: web.Request) -> web.Response:
    """`DELETE /userdata/{file}`."""
    path = _path(request, "file")
    if isinstance(path, int):
        return web.Response(status=path)
    if not path.is_file():
        return web.Response(status=404)
    path.unlink()
    return web.Response(status=204)


async def move(request: web.Request) -> web.Response:
    """`POST /userdata/{file}/move/{dest}`."""
    source, target = _path(request, "file"), _path(request, "dest")
    for path in (source, target):
        if isinstance(path, int):
            return web.Response(status=path)
    if isinstance(source, int) or isinstance(target, int) or not source.is_file():
        return web.Response(status=404)
    if request.query.get("overwrite") == "false" and target.exists():
        return web.Response(status=409, text="File already exists")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    return _told(request, target)


def _path(request: web.Request, part: str) -> Path | int:
    """The file that a part of the URL names, or the status that refuses it."""
    name = request.match_info.get(part, "")
    try:
        # Some clients encode the name twice, so that proxies keep its slashes.
        path = inside(users.folder(request, services(request)), unquote(name) if "%" in name else name)
        return path if clean(name) else 400
    except UnsafeNameError:
        return 403


def _told(request: web.Request, path: Path) -> web.Response:
    name = path.relative_to(users.folder(request, services(request))).as_posix()
    return answer(_info(path, name) if _flag(request, "full_info") else name)


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name) == "true"


def _info(path: Path, name: str) -> dict[str, Any] | None:
    try:
        state = path.stat()
    except OSError:
        return None  # deleted since it was listed
    return {"path": name, "size": state.st_size, "modified": state.st_mtime, "created": state.st_ctime}


def _files(folder: Path, recurse: bool) -> Iterator[str]:
    """Names relative to `folder`, `/` between the parts; links to folders are not entered."""
    count = 0
    for place, folders, names in os.walk(folder):
        for name in names:
            count += 1
            if count > _MAX_LISTED:
                return
            yield (Path(place) / name).relative_to(folder).as_posix()
        if not recurse:
            folders.clear()


def _tree(root: Path, folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for place, folders, names in os.walk(folder):
        for name in folders:
            path = Path(place) / name
            entries.append({"name": name, "path": path.relative_to(root).as_posix(), "type": "directory"})
        for name in names:
            path = Path(place) / name
            if (info := _info(path, path.relative_to(root).as_posix())) is not None:
                told = {"name": name, "path": info["path"], "type": "file"}
                entries.append({**told, "size": info["size"], "modified": info["modified"]})
        if len(entries) > _MAX_LISTED:
            break
    return sorted(entries, key=lambda entry: (entry["type"] != "directory", entry["name"].lower()))

"""`/upload/image` and `/upload/mask`: files from clients into the input folder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import IO, Any, cast

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from engine.files import decode
from engine.files.decode import PictureError
from engine.files.folders import Folders
from engine.files.naming import force_folder
from engine.files.pictures import encode_png, read_text
from engine.files.safe import UnsafeNameError, clean, inside
from engine.server import limits
from engine.server.bodies import BadBodyError, answer, too_large
from engine.server.services import services

_PART = ".upload-"
_PIECE = 1024 * 1024
_MAX_SAME_NAME = 10_000


@dataclass(slots=True)
class _Form:
    """The fields of an upload; the file lies in an unnamed temporary one."""

    texts: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    file: IO[bytes] | None = None
    size: int = 0


async def image(request: web.Request) -> web.Response:
    """`POST /upload/image`."""
    shared = services(request)
    form = await _read_form(request, shared.options.max_upload_bytes)
    try:
        target = _target(shared.folders, form)
        if target is None or form.file is None:
            return web.Response(status=400)
        if (size := await asyncio.to_thread(_too_many_pixels, form.file, target.name)) is not None:
            raise BadBodyError(size)
        hashing = shared.options.default_hashing_function
        name = await asyncio.to_thread(_store, target.folder, target.name, form.file, target.overwrite, hashing)
        return _told(name, target)
    finally:
        _close(form)


async def mask(request: web.Request) -> web.Response:
    """`POST /upload/mask`: the alpha of the uploaded picture on the one that `original_ref` names."""
    shared = services(request)
    form = await _read_form(request, shared.options.max_upload_bytes)
    try:
        target = _target(shared.folders, form)
        if target is None or form.file is None:
            return web.Response(status=400)
        original = _original(shared.folders, form.texts.get("original_ref"))
        if original is None:  # refused or absent: the answer is the same and nothing is written
            return _told(target.name, target)
        name = await asyncio.to_thread(_store_masked, target, form.file, original)
        return _told(name, target)
    finally:
        _close(form)


@dataclass(frozen=True, slots=True)
class _Target:
    folder: Path
    name: str
    subfolder: str
    kind: str
    overwrite: bool


def _told(name: str, target: _Target) -> web.Response:
    return answer({"name": name, "subfolder": target.subfolder, "type": target.kind})


def _target(folders: Folders, form: _Form) -> _Target | None:
    """Where the upload goes; None if it may not. Raises `BadBodyError` for an unknown type."""
    kind = form.texts.get("type", "input")
    if kind not in ("input", "output", "temp"):
        raise BadBodyError(f"type must be input, output or temp, not {kind[:40]!r}")
    subfolder = form.texts.get("subfolder", "")
    if form.file is None or not form.filename:
        return None
    try:
        name = clean(form.filename)
        folder = inside(folders.by_type(kind), subfolder)
        path = inside(folder, name)
        path.relative_to(folder)
    except (UnsafeNameError, ValueError):
        return None
    if not path.name or path == folder:
        return None
    if path.name.startswith(_PART):  # half-written uploads have these names
        return None
    overwrite = form.texts.get("overwrite", "") in ("true", "1")
    return _Target(path.parent, path.name, subfolder, kind, overwrite)


async def _read_form(request: web.Request, limit: int) -> _Form:
    """Read the multipart body, the file straight to disk. Raises `BadBodyError`, and 413 over the limit."""
    form = _Form()
    try:
        reader = await request.multipart()
        total = parts = 0
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise BadBodyError("a part of the form is itself a form")
            parts += 1
            if parts > limits.FORM_PARTS:
                raise BadBodyError(f"the form has more than {limits.FORM_PARTS} parts, which is the limit")
            if part.name == "image" and form.file is None:
                form.filename = part.filename
                form.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the handler
                total = await _copy(part, form.file, limit, total)
                form.size = total
            else:
                text = await _text(part)
                if part.name:
                    form.texts[part.name] = text
    except (ValueError, AssertionError, KeyError, BadHttpMessage) as error:  # KeyError: it has no content type
        _close(form)
        raise BadBodyError(f"the body is not a multipart form: {error}") from error
    except BaseException:
        _close(form)
        raise
    return form


async def _text(part: BodyPartReader) -> str:
    """A text field. Raises `BadBodyError` for one over `limits.FORM_FIELD`."""
    found = b""
    while piece := await part.read_chunk(limits.FORM_FIELD):
        found += piece
        if len(found) > limits.FORM_FIELD:
            raise BadBodyError(f"the field {(part.name or '')[:40]!r} is over {limits.FORM_FIELD} bytes, the limit")
    return found.decode("utf-8", "replace")


async def _copy(part: BodyPartReader, file: IO[bytes], limit: int, total: int) -> int:
    while data := await part.read_chunk(_PIECE):
        total += len(data)
        if total > limit:
            raise too_large(total, limit, "(or more) uploaded (--max-upload-size)")
        # A megabyte into the page cache takes less time than a hop to a thread and back.
        file.write(data)
    return total


def _close(form: _Form) -> None:
    if form.file is not None:
        form.file.close()


def _too_many_pixels(file: IO[bytes], name: str) -> str | None:
    """Why a picture is refused: whoever decodes it would run out of memory. Other files than pictures are welcome."""
    file.seek(0)
    try:
        decode.size_of(file, name)
    except PictureError as error:
        return str(error)
    return None


def _store(folder: Path, name: str, source: IO[bytes], overwrite: bool, hashing: str) -> str:
    """Write the upload; the name it got: an equal file of the name is taken as it, another one gets a number."""
    folder.mkdir(parents=True, exist_ok=True)
    if overwrite:
        _write(folder / name, source)
        return name
    wanted = _digest(source, hashing)
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(_MAX_SAME_NAME):
        candidate = name if number == 0 else f"{stem} ({number}){suffix}"
        path = folder / candidate
        if not os.path.lexists(path):
            _write(path, source)
            return candidate
        if path.is_symlink() or not path.is_file():
            continue  # taken by something that is not to be read: a link, or a pipe, which would never end
        with path.open("rb") as present:
            if _digest(present, hashing) == wanted:
                return candidate
    raise BadBodyError(f"there are already {_MAX_SAME_NAME} files called {name[:80]!r}")


def _digest(file: IO[bytes], hashing: str) -> bytes:
    file.seek(0)
    return hashlib.file_digest(cast(BufferedRandom, file), hashing).digest()


def _write(path: Path, source: IO[bytes]) -> None:
    """Write beside the target and move it there, so that nobody reads half a picture.

    To the disk before the client is told that it is kept: a job that waits for it survives a power cut, and so must it.
    """
    source.seek(0)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_PART, delete=False) as file:
        part = Path(file.name)
        try:
            while data := source.read(_PIECE):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the rename, which could otherwise reach the disk first
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    force_folder(path.parent)  # the rename itself


def _original(folders: Folders, text: str | None) -> Path | None:
    """The picture that `original_ref` names; None if it may not be read. Raises `BadBodyError` without one."""
    if text is None:
        raise BadBodyError("original_ref is missing")
    try:
        reference: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBodyError(f"original_ref is not JSON: {error}") from error
    if not isinstance(reference, dict):
        raise BadBodyError("original_ref must be an object with a filename")
    kind = reference.get("type") or "output"
    name, subfolder = str(reference.get("filename") or ""), str(reference.get("subfolder") or "")
    if kind not in ("input", "output", "temp") or not name or name.startswith("/") or ".." in name:
        return None
    try:
        path = inside(inside(folders.by_type(kind), subfolder), name)
    except UnsafeNameError:
        return None
    return path if path.is_file() else None


def _store_masked(target: _Target, uploaded: IO[bytes], original: Path) -> str:
    uploaded.seek(0)
    try:
        with decode.opened(original, "the original") as below, decode.opened(uploaded, "the mask") as above:
            result = below.convert("RGBA")
            alpha = above.convert("RGBA").getchannel("A")
            if alpha.size != result.size:
                alpha = alpha.resize(result.size)
            result.putalpha(alpha)
    except PictureError as error:
        raise BadBodyError(str(error)) from error
    data = encode_png(result, read_text(original))
    with tempfile.TemporaryFile() as file:
        file.write(data)
        target.folder.mkdir(parents=True, exist_ok=True)
        path = target.folder / target.name
        _write(path, file)
    return target.name

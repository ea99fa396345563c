"""Users of the server and the folder each one owns. Without `--multi-user` there is one, `default`."""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
import uuid
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.files.naming import force_folder
from engine.files.safe import UnsafeNameError, inside
from engine.server import limits
from engine.server.services import Services

DEFAULT = "default"
RESERVED = "__"  # ids that begin with this belong to the system
_MAX_NAME = 128
_adding = threading.Lock()  # one at a time: two who choose the same name must not both get it


class DamagedFileError(OSError):
    """A user's file holds something else than it should. The file is kept: a person may still mend it."""


class UserError(Exception):
    """A user cannot be made; the message is the answer's."""


def current(request: web.Request, shared: Services) -> str:
    """The id of the user who asks. Raises 401 for an unknown one."""
    if not shared.options.multi_user:
        return DEFAULT
    name = request.headers.get("comfy-user", "")
    if name.startswith(RESERVED) or name not in everyone(shared):
        raise web.HTTPUnauthorized(text="Unknown user")
    return name


def folder(request: web.Request, shared: Services) -> Path:
    """The folder of the user who asks. Raises 401."""
    try:
        return inside(shared.folders.user, current(request, shared))
    except UnsafeNameError as error:
        raise web.HTTPUnauthorized(text=str(error)) from error


def everyone(shared: Services) -> dict[str, str]:
    """Id → name."""
    found = read_json(shared.folders.user / "users.json", {})
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def add(shared: Services, username: Any) -> str:
    """Make a user; the new id. Waits for the disk: not for the event loop. Raises `UserError`, and `OSError` if it cannot
    be kept."""
    name = username.strip()[:_MAX_NAME] if isinstance(username, str) else ""
    if not name:
        raise UserError("username not provided")
    if name.startswith(RESERVED):
        raise UserError("System User prefix not allowed")
    with _adding:
        users = everyone(shared)
        if len(users) >= limits.USERS:
            raise UserError(f"There are {limits.USERS} users, which is the limit")
        if name in users.values():
            raise UserError("Duplicate username.")
        user_id = f"{re.sub('[^a-zA-Z0-9_-]+', '-', name)}_{uuid.uuid4()}"
        users[user_id] = name
        write_json(shared.folders.user / "users.json", users)
    return user_id


def read_json(path: Path, default: Any) -> Any:
    """A file as JSON; `default` if it is not there. Raises `OSError`; a `DamagedFileError` names the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} is not JSON: {error}; mend or remove it") from error


def write_json(path: Path, value: Any) -> None:
    write_file(path, json.dumps(value, indent=4).encode())


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step: a full disk, a kill or a power cut leaves the old one whole. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the rename, which could otherwise reach the disk first
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    force_folder(path.parent)  # the rename itself

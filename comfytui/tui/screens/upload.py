"""A file of this disk for an input of a workflow: chosen, read within bounds, sent to the server's input folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from comfytui.client import sanitize
from comfytui.client.downloads import safe_name
from comfytui.client.errors import ClientError
from comfytui.tui.wording import file_size
from comfytui.workflow.errors import WorkflowError

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.tui.app import Dashboard

MAX_BYTES: Final = 512 << 20  # the server's own bound is mostly 100 MiB, and it says so
ENDINGS: Final = {
    "image": (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    "video": (".mp4", ".webm", ".mov", ".mkv", ".avi", ".gif", ".m4v"),
    "audio": (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".opus"),
    "file": ("",),
}
TOLD = 0.1  # of the bytes, between two words about how far it is

Tell = Callable[[str], None]


async def choose(dashboard: Dashboard, kind: str, typed: str = "") -> Path | None:
    """Let a file be chosen; `typed` is where to begin, if it looks like a path. Only from a worker."""
    from comfytui.tui.widgets.file_dialog import FileDialog

    start = typed if typed.startswith(("/", "~", "./", "../")) else ""
    hint = "it goes to the server's input folder; a file of the same name and content is not sent twice"
    return await dashboard.push_screen_wait(FileDialog(f"Upload {kind}", hint, ENDINGS[kind], start))


async def send(connection: Connection, path: Path, class_type: str, tell: Tell) -> str:
    """Upload a file; returns the value for the input of this class, which the server's catalogue offers from now on.

    `tell` is called in the loop with how far it is.

    Raises WorkflowError for a file that cannot be read, ClientError for what the server says.
    """
    name = sanitize.line(path.name)
    tell(f"reading {name}")
    data = await asyncio.to_thread(_read, path)
    told = -1.0

    def sent(count: int) -> None:
        nonlocal told
        share = count / (len(data) or 1)
        if share - told >= TOLD or share == 1:
            told = share
            tell(f"uploading {name}: {file_size(count)} of {file_size(len(data))}")

    value = await connection.upload(data, safe_name(path.name), sent=sent)
    tell("asking the server for its files")
    with contextlib.suppress(ClientError):  # without that route the value is known here alone, which is enough to run
        await connection.refresh_node(class_type)
    return value


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            said = f"{file_size(size)} is more than the {file_size(MAX_BYTES)} that can be sent"
            raise WorkflowError(
                said, name=path.name, fix="Choose a smaller file, or copy it to the server's input folder"
            )
        if not size:
            raise WorkflowError("the file is empty", name=path.name, fix="Choose another one")
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise WorkflowError(
            f"cannot be read: {error.strerror or error}", name=path.name, fix="Check the path"
        ) from error

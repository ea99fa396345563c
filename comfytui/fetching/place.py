"""Where a server on this machine keeps a kind of models: found out, and held against what lies there."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from comfytui.client.model_files import ModelFile, ModelFolder
from comfytui.client.target import Target
from comfytui.fetching.errors import FetchError
from comfytui.state.connection import Connection
from comfytui.workflow.told_models import ToldModel

COMPARED = 200  # files that are looked for


async def path_of(connection: Connection, model: ToldModel) -> Path:
    """Where the model belongs. Raises FetchError if the server is not on this machine or the folder cannot be used, ClientError."""
    place = f"{model.name}"
    if connection.read_only:
        raise FetchError(f"{place} is not fetched: nothing may be changed on this server (read-only)")
    if not is_local(connection.target):
        label = connection.target.label
        raise FetchError(f"{place} is not fetched: {label} is not on this machine. Run the command there that is told")
    if not model.directory:
        raise FetchError(f"{place} is not fetched: the workflow does not tell its folder")
    kind, _, below = model.directory.partition("/")
    folders = await connection.model_files.load_folders()
    folder = next((each for each in folders if kind in (each.raw, each.name)), None)
    if folder is None:
        raise FetchError(f"{place} is not fetched: the server has no model folder {kind!r}")
    if not folder.paths:
        raise FetchError(f"{place} is not fetched: the server does not tell where its models are; it is too old")
    files = await connection.model_files.load(folder)
    root, proven = await asyncio.to_thread(_usable, folder.paths, files)
    if root is not None and not proven and not await _known_elsewhere(connection, folder):
        root = None  # it is empty here as there, which proves nothing: the port may be forwarded from afar
    if root is None:
        told = ", ".join(folder.paths)
        raise FetchError(
            f"{place} is not fetched: the server keeps {kind} in {told}, which is not there for us, or is another machine's"
        )
    path = root / below / model.name if below else root / model.name
    if not path.resolve().is_relative_to(root.resolve()):  # a link below the folder may lead elsewhere
        raise FetchError(f"{place} is not fetched: {path} is outside of {root}")
    return path


def is_local(target: Target) -> bool:
    """Whether a server's address is this machine's own. Behind a tunnel it is not, whatever the address says."""
    if target.via is not None:
        return False
    host = urlsplit(target.url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _usable(paths: Sequence[str], files: Sequence[ModelFile]) -> tuple[Path | None, bool]:
    """The first folder that we may write to and that holds what the server says is in it, and whether that is anything."""
    for index, each in enumerate(paths):
        root = Path(each)
        if not root.is_absolute() or not root.is_dir() or not os.access(root, os.W_OK | os.X_OK):
            continue
        here = [file for file in files if file.place == index][:COMPARED]
        if all(_same(root, file) for file in here):
            return root, bool(here)
    return None, False


async def _known_elsewhere(connection: Connection, but: ModelFolder) -> bool:
    """Whether a file that the server lists in a folder of another kind lies here, with its size. Raises ClientError."""
    for folder in await connection.model_files.load_folders():
        if folder.raw == but.raw or not folder.paths:
            continue
        files = await connection.model_files.load(folder)
        placed = [file for file in files if file.place is not None and file.place < len(folder.paths)][:COMPARED]
        if placed:
            return await asyncio.to_thread(_all_here, folder, placed)
    return False


def _all_here(folder: ModelFolder, files: Sequence[ModelFile]) -> bool:
    return all(_same(Path(folder.paths[file.place or 0]), file) for file in files)


def _same(root: Path, file: ModelFile) -> bool:
    try:
        size = (root / file.raw).stat().st_size
    except (OSError, ValueError):
        return False
    return file.size is None or size == file.size

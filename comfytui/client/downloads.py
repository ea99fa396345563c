"""Writes results that a server named: never outside the folder, never over another file, never half."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO

MAX_NAME = 180  # bytes; file systems allow 255, and a number may be added
# Not allowed in names somewhere (Windows shares are common outputs), or awkward everywhere.
_AWKWARD = re.compile(r'[<>:"|?*\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(name: str) -> str:
    """A file name from whatever the server calls it: no folders, no hidden file, no control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    last = _AWKWARD.sub("_", last).encode("utf-8", "replace").decode().strip(" .")
    if not last or _DEVICES.fullmatch(last):
        last = f"result_{last}".rstrip("_")
    if len(last.encode()) > MAX_NAME:
        stem, dot, suffix = last.rpartition(".")
        if not stem or len(suffix) > 12:
            stem, dot, suffix = last, "", ""
        room = MAX_NAME - len((dot + suffix).encode())
        last = stem.encode()[:room].decode("utf-8", "ignore") + dot + suffix
    return last


def save(folder: Path, name: str, data: bytes) -> Path:
    """Write a new file and return its path; `a.png` becomes `a-1.png` if there is one.

    Raises OSError, with nothing left half written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, file = _create(folder, safe_name(name))
    try:
        with file:
            file.write(data)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return path


def replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and replace the one of that name; it is on the disk then. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _create(folder: Path, name: str) -> tuple[Path, BinaryIO]:
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    number = 0
    while True:
        path = folder / (name if number == 0 else f"{stem}-{number}{dot}{suffix}")
        try:
            return path, path.open("xb")  # x: two programs that save at once get different names
        except FileExistsError:
            number += 1

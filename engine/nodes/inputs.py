"""What nodes share that read a file of the input folder: whether it is there, and whether it is another one now."""

from __future__ import annotations

from typing import Any

from engine.files.folders import Folders
from engine.files.safe import UnsafeNameError


def exists(name: Any, folders: Folders, what: str) -> bool | str:
    """True, or what is wrong with the name of a `what` ("image", "video") file."""
    try:
        if isinstance(name, str) and folders.annotated_input(name).is_file():
            return True
    except UnsafeNameError as error:
        return f"Invalid {what} file: {name} ({error})"
    return f"Invalid {what} file: {name}"


def version(name: str, folders: Folders) -> tuple[int, int, int]:
    """Changes when the file does. Its state and not its contents: a stat costs microseconds, a hash a read."""
    state = folders.annotated_input(name).stat()
    return state.st_mtime_ns, state.st_size, state.st_ino

"""What is remembered between runs without having been decided: the last server, recent workflows, answers given once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from comfytui.settings.files import state_dir, write_whole

NAME = "memory.json"
RECENT = 30
MAX_BYTES = 1024 * 1024


class Memory(msgspec.Struct, frozen=True):
    """Unknown keys are ignored here, unlike in the settings: a newer version may have written the file."""

    last_server: str = ""
    recent_servers: tuple[str, ...] = ()  # newest first
    recent_workflows: tuple[str, ...] = ()  # paths, newest first; `server:NAME` for the server's own
    leave_engine_running: bool | None = None  # None: not asked yet
    last_output_dir: str = ""
    screen: str = ""  # the one that was shown last
    history_filter: str = ""
    history_order: str = ""
    history_lines: bool = False  # the table instead of the thumbnails
    workflows_order: str = ""


def recall(path: Path | None = None) -> Memory:
    """What was remembered; an empty memory if there is none, or it is damaged (nothing in it is worth an error)."""
    path = path or state_dir() / NAME
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
        return msgspec.json.decode(data, type=Memory)
    except (OSError, msgspec.DecodeError):  # ValidationError is a DecodeError
        return Memory()


def remember(path: Path | None = None, **changes: Any) -> Memory:
    """Change some of it, and return all of it. Of two programs that write at once, the later one wins.

    Raises TypeError for an unknown name. A disk that cannot be written to is no error: the next run asks again.
    """
    path = path or state_dir() / NAME
    memory = msgspec.structs.replace(recall(path), **changes)
    try:
        write_whole(path, msgspec.json.format(msgspec.json.encode(memory)))
    except OSError:
        return memory
    return memory


def remember_server(url: str, path: Path | None = None) -> Memory:
    """Put a server first among the recent ones. Give its URL without credentials."""
    recent = (url, *(each for each in recall(path).recent_servers if each != url))
    return remember(path, last_server=url, recent_servers=recent[:RECENT])


def remember_workflow(file: Path | str, path: Path | None = None) -> Memory:
    """Put a workflow file first among the recent ones: a path, or `server:NAME` for one of the server's own."""
    name = file if isinstance(file, str) and file.startswith("server:") else str(Path(file).absolute())
    recent = (name, *(each for each in recall(path).recent_workflows if each != name))
    return remember(path, recent_workflows=recent[:RECENT])

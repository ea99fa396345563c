"""What is remembered between runs without having been decided: the last server, recent workflows, answers given once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from comfytui.settings.files import state_dir, write_whole

NAME = "memory.json"
RECENT = 30
MAX_BYTES = 1024 * 1024

_WAITING: dict[Path, dict[str, Any]] = {}  # by file, what was changed and is not written yet
_LOCK = threading.Lock()  # for `_WAITING`
_FILES = threading.Lock()  # for reading, changing and writing a file in one go


# Whether nothing is recalled and nothing remembered: a recording is played back, and is nobody's last server.
RESTING: ContextVar[bool] = ContextVar("resting", default=False)
LONGEST_FILTER = 500  # characters


class ScreenMemory(msgspec.Struct, frozen=True):
    """One screen: the words of its filter, the panes that were chosen, and what else was (names of the screen's own)."""

    filter: str = ""
    panes: tuple[str, ...] = ()
    chosen: dict[str, str] = {}


class Memory(msgspec.Struct, frozen=True):
    """Unknown keys are ignored here, unlike in the settings: a newer version may have written the file."""

    last_server: str = ""
    recent_servers: tuple[str, ...] = ()  # newest first
    recent_workflows: tuple[str, ...] = ()  # paths, newest first; `server:NAME` for the server's own
    leave_engine_running: bool | None = None  # None: not asked yet
    last_output_dir: str = ""
    screen: str = ""  # the one that was shown last
    greeted: bool = False  # something has run: nobody needs the first steps any more
    history_filter: str = ""
    history_order: str = ""
    history_lines: bool = False  # the table instead of the thumbnails
    workflows_order: str = ""
    screens: dict[str, ScreenMemory] = {}  # by the screen's id


def recall(path: Path | None = None) -> Memory:
    """What was remembered; an empty memory if there is none, or it is damaged (nothing in it is worth an error)."""
    if RESTING.get():
        return Memory()
    path = path or state_dir() / NAME
    with _LOCK:
        waiting = dict(_WAITING.get(path, {}))
    memory = _read(path)
    return msgspec.structs.replace(memory, **waiting) if waiting else memory


def _read(path: Path) -> Memory:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
        return msgspec.json.decode(data, type=Memory)
    except (OSError, msgspec.DecodeError):  # ValidationError is a DecodeError
        return Memory()


def remember(path: Path | None = None, **changes: Any) -> Memory:
    """Change some of it, and return all of it. Of two programs that write at once, the later one wins.

    Called in an event loop, it returns at once, and the file is written behind it, in order, before the program ends:
    a disk on the network can take a second for what must not hold up a key. `recall` knows what is not written yet.
    Raises TypeError for an unknown name. A disk that cannot be written to is no error: the next run asks again.
    """
    path = path or state_dir() / NAME
    memory = msgspec.structs.replace(recall(path), **changes)
    if RESTING.get():
        return memory
    with _LOCK:
        _WAITING.setdefault(path, {}).update(changes)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _write(path)
    else:
        _writer().submit(_write, path)
    return memory


def _write(path: Path) -> None:
    """Write what waits for a file, with what another program may have put there meanwhile."""
    with _FILES:
        with _LOCK:
            changes = dict(_WAITING.get(path, {}))
        if not changes:  # an earlier turn has written it
            return
        memory = msgspec.structs.replace(_read(path), **changes)
        with contextlib.suppress(OSError):
            write_whole(path, msgspec.json.format(msgspec.json.encode(memory)))
        with _LOCK:
            still = {name: value for name, value in _WAITING.get(path, {}).items() if value is not changes.get(name)}
            if still:
                _WAITING[path] = still
            else:
                _WAITING.pop(path, None)


@lru_cache(maxsize=1)
def _writer() -> ThreadPoolExecutor:
    """One thread; Python waits for what it has to do before it ends."""
    return ThreadPoolExecutor(1, "remember")


def remember_server(url: str, path: Path | None = None) -> Memory:
    """Put a server first among the recent ones. Give its URL without credentials."""
    recent = (url, *(each for each in recall(path).recent_servers if each != url))
    return remember(path, last_server=url, recent_servers=recent[:RECENT])


def remember_workflow(file: Path | str, path: Path | None = None) -> Memory:
    """Put a workflow file first among the recent ones: a path, or `server:NAME` for one of the server's own."""
    name = file if isinstance(file, str) and file.startswith("server:") else str(Path(file).absolute())
    recent = (name, *(each for each in recall(path).recent_workflows if each != name))
    return remember(path, recent_workflows=recent[:RECENT])

"""Opens a server's connection with all that is remembered of it: the client id, the kept jobs, the learned times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path

import msgspec

from comfytui.client.recording import Recorder
from comfytui.client.target import Target
from comfytui.settings.files import state_dir
from comfytui.state.client_id import claim
from comfytui.state.connection import Connection
from comfytui.state.disk import NAME, Disk


class Way(msgspec.Struct, frozen=True):
    """How this program opens its connections; the command line says so once, for all of them."""

    recorder: Recorder | None = None
    replay: bool = False  # it is a recording that answers: nothing can be changed, and nothing is remembered
    read_only: bool = False


WAY: ContextVar[Way] = ContextVar("way", default=Way())  # noqa: B039 -- frozen


def open_connection(
    target: Target,
    *,
    folder: Path | None = None,
    remember: bool = True,
    ready: Callable[[bool], Awaitable[None]] | None = None,
) -> Connection:
    """A connection that remembers in `folder` (the user's state folder). Run and close it as any other.

    `ready` is awaited before each try (see `Connection`). Raises BadTarget for headers or a CA bundle that cannot be used.
    """
    way = WAY.get()
    if way.replay or not remember:
        connection = Connection(target, recorder=way.recorder, ready=ready)
    else:
        where = state_dir() if folder is None else folder
        owner = claim(where / "clients", target.place)
        connection = Connection(target, client_id=owner, disk=Disk(where / NAME), recorder=way.recorder, ready=ready)
    connection.read_only = way.read_only or way.replay
    return connection

"""Opens a server's connection with all that is remembered of it: the client id, the kept jobs, the learned times."""

from __future__ import annotations

from pathlib import Path

from comfytui.client.target import Target
from comfytui.settings.files import state_dir
from comfytui.state.client_id import claim
from comfytui.state.connection import Connection
from comfytui.state.disk import NAME, Disk


def open_connection(target: Target, *, folder: Path | None = None, read_only: bool = False) -> Connection:
    """A connection that remembers in `folder` (the user's state folder). Run and close it as any other.

    Raises BadTarget for headers or a CA bundle that cannot be used.
    """
    where = state_dir() if folder is None else folder
    connection = Connection(target, client_id=claim(where / "clients", target.url), disk=Disk(where / NAME))
    connection.read_only = read_only
    return connection

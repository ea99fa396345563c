"""The node catalogues of servers on disk: megabytes that are asked for once per version of a server, not at each start."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from typing import Any

from comfytui.client.catalogue import read_catalogue
from comfytui.client.errors import BadAnswer
from comfytui.state.disk import Disk

KEPT = 8  # servers
MAX_BYTES = 64 << 20  # unpacked, as the answer's own bound
FRESH = 24 * 3600.0  # seconds; nodes and models come and go without another version


class Catalogues:
    """Its methods block (a second for a full install: call them in a thread) and raise NotKept."""

    def __init__(self, disk: Disk, server: str) -> None:
        self._disk = disk
        self._server = server

    def load(self, version: str, now: float) -> Mapping[str, Any] | None:
        """The catalogue of this version of the server, cleaned again; None if there is none, or it is old or damaged."""
        row = self._disk.read(
            lambda db: db.execute(
                "SELECT body FROM catalogues WHERE server = ? AND version = ? AND at BETWEEN ? AND ?",
                (self._server, version, now - FRESH, now + FRESH),
            ).fetchone()
        )
        if row is None or not version:
            return None
        try:
            value = read_catalogue(zlib.decompressobj().decompress(row[0], MAX_BYTES))
        except (zlib.error, BadAnswer, TypeError):
            return None
        if not value or not all(isinstance(node, dict) for node in value.values()):
            return None
        return value

    def save(self, version: str, catalogue: Mapping[str, Any], now: float) -> None:
        """Keep one catalogue for the server, and of all servers the newest `KEPT`."""
        if not version:
            return
        packed = zlib.compress(json.dumps(dict(catalogue)).encode(), 1)

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO catalogues (server, version, at, size, body) VALUES (?, ?, ?, ?, ?)",
                (self._server, version, now, len(packed), packed),
            )
            db.execute(
                "DELETE FROM catalogues WHERE server NOT IN (SELECT server FROM catalogues ORDER BY at DESC LIMIT ?)",
                (KEPT,),
            )

        self._disk.write(work)

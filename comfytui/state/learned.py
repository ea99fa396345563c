"""What workflows took, kept on disk from one run of the program to the next, by server."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from comfytui.state.disk import Disk
from comfytui.state.model import Timing
from comfytui.state.times import LEARNED


class _Stored(msgspec.Struct, frozen=True):
    nodes: dict[str, float]
    total: float | None = None
    work: float | None = None
    model: str = ""


class Learned:
    """The learned times of one server. Its methods block and raise NotKept."""

    def __init__(self, disk: Disk, server: str) -> None:
        self._disk = disk
        self._server = server

    def load(self) -> dict[str, Timing]:
        """By shape, oldest first. What cannot be read is left out."""
        rows = self._disk.read(
            lambda db: db.execute(
                "SELECT shape, at, timing FROM timings WHERE server = ? ORDER BY at", (self._server,)
            ).fetchall()
        )
        found: dict[str, Timing] = {}
        for shape, at, packed in rows:
            try:
                stored = msgspec.json.decode(packed, type=_Stored)
            except msgspec.DecodeError:
                continue
            found[shape] = Timing(stored.nodes, stored.total, stored.work, stored.model, at)
        return found

    def save(self, timings: Mapping[str, Timing]) -> None:
        """Write these down, and forget the oldest beyond `LEARNED`. Of two programs, the later one wins for each shape."""
        rows = [
            (
                self._server,
                shape,
                timing.at,
                msgspec.json.encode(_Stored(dict(timing.nodes), timing.total, timing.work, timing.model)),
            )
            for shape, timing in timings.items()
        ]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO timings (server, shape, at, timing) VALUES (?, ?, ?, ?)", rows)
            db.execute(
                "DELETE FROM timings WHERE server = ? AND shape NOT IN "
                "(SELECT shape FROM timings WHERE server = ? ORDER BY at DESC LIMIT ?)",
                (self._server, self._server, LEARNED),
            )

        self._disk.write(work)

"""The requests that this side keeps on disk for one server: sent, held back, between two places, or lost."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from comfytui.client.errors import NotKept
from comfytui.state.disk import Disk

SENT = 2000  # requests kept of a server; those that wait for nothing are the first to go
BYTES = 64 << 20  # of them, packed
HELD = 5000  # jobs that can be held
MAX_BODY = 64 << 20  # of one request, unpacked
SECRETS = ("auth_token_comfy_org", "api_key_comfy_org")  # what others may have put there is not written down


class Place(StrEnum):
    """Where the job of a kept request is."""

    SENT = "sent"  # the server took it, and has not told its end
    HELD = "held"
    MOVING = "moving"  # taken out of the queue, to be submitted again at once
    LOST = "lost"


class Request(msgspec.Struct, frozen=True):
    """What has to be posted to have a job again. `body` has the raw graph and extra data; never shown."""

    prompt_id: str
    number: float
    body: Mapping[str, Any]
    name: str = ""
    mine: bool = True
    at: float = 0.0
    owner: str = ""  # the client that is moving it

    def __repr__(self) -> str:
        return f"Request({self.prompt_id!r})"


class Kept:
    """The kept requests of one server. Its methods block and raise NotKept."""

    def __init__(self, disk: Disk, server: str) -> None:
        self._disk = disk
        self._server = server

    def put(self, place: Place, requests: Iterable[Request]) -> None:
        """Write these down, all or none, replacing what was kept under their ids."""
        rows = [
            (
                *(self._server, item.prompt_id, place.value, item.number, item.owner, item.mine, item.name, item.at),
                *(len(packed := _packed(item.body)), packed),
            )
            for item in requests
        ]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR REPLACE INTO kept (server, id, place, number, owner, mine, name, at, size, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            if place is Place.HELD and self._count(db, Place.HELD) > HELD:
                raise NotKept(f"More than {HELD} jobs cannot be held. Nothing was changed; release some first.")
            if place is Place.SENT:
                self._prune(db)

        if rows:
            self._disk.write(work)

    def load(self, place: Place) -> tuple[Request, ...]:
        """The requests of this place, by number and then id. What cannot be read is left out, and stays."""
        rows = self._disk.read(
            lambda db: db.execute(
                "SELECT id, number, body, name, mine, at, owner FROM kept WHERE server = ? AND place = ? "
                "ORDER BY number, id",
                (self._server, place.value),
            ).fetchall()
        )
        return tuple(found for row in rows if (found := _request(row)) is not None)

    def take(self, ids: Sequence[str], place: Place, owner: str) -> tuple[Request, ...]:
        """Mark those that are still at `place` as being moved by `owner`; of two programs one gets each."""

        def work(db: sqlite3.Connection) -> list[str]:
            return [
                item
                for item in ids
                if db.execute(
                    "UPDATE kept SET place = 'moving', owner = ? WHERE server = ? AND id = ? AND place = ?",
                    (owner, self._server, item, place.value),
                ).rowcount
            ]

        taken = set(self._disk.write(work))
        return tuple(item for item in self.load(Place.MOVING) if item.prompt_id in taken)

    def set_place(self, ids: Iterable[str], place: Place) -> None:
        """These are elsewhere now."""
        rows = [(place.value, self._server, item) for item in ids]
        if rows:
            self._disk.write(
                lambda db: db.executemany("UPDATE kept SET place = ?, owner = '' WHERE server = ? AND id = ?", rows)
            )

    def renumber(self, numbers: Mapping[str, float]) -> None:
        """Other numbers for these."""
        rows = [(number, self._server, item) for item, number in numbers.items()]
        if rows:
            self._disk.write(lambda db: db.executemany("UPDATE kept SET number = ? WHERE server = ? AND id = ?", rows))

    def drop(self, ids: Iterable[str]) -> None:
        """These need not be kept any more."""
        rows = [(self._server, item) for item in ids]
        if rows:
            self._disk.write(lambda db: db.executemany("DELETE FROM kept WHERE server = ? AND id = ?", rows))

    @property
    def paused(self) -> bool:
        """Whether what is submitted is held; it outlives the program."""
        row = self._disk.read(
            lambda db: db.execute(
                "SELECT 1 FROM flags WHERE server = ? AND name = 'paused'", (self._server,)
            ).fetchone()
        )
        return row is not None

    def set_paused(self, paused: bool) -> None:
        what = "INSERT OR IGNORE INTO flags (server, name) VALUES (?, 'paused')"
        statement = what if paused else "DELETE FROM flags WHERE server = ? AND name = 'paused'"
        self._disk.write(lambda db: db.execute(statement, (self._server,)))

    def _count(self, db: sqlite3.Connection, place: Place) -> int:
        where = (self._server, place.value)
        return int(db.execute("SELECT count(*) FROM kept WHERE server = ? AND place = ?", where).fetchone()[0])

    def _prune(self, db: sqlite3.Connection) -> None:
        """Newest first, as many as fit. What is held or being moved exists nowhere else and is never dropped."""
        query = "SELECT id, size FROM kept WHERE server = ? AND place IN ('sent', 'lost') ORDER BY at DESC, id"
        total, gone = 0, []
        for count, (item, size) in enumerate(db.execute(query, (self._server,)).fetchall()):
            total += size
            if count >= SENT or total > BYTES:
                gone.append((self._server, item))
        db.executemany("DELETE FROM kept WHERE server = ? AND id = ?", gone)


def _packed(body: Mapping[str, Any]) -> bytes:
    extra = body.get("extra_data")
    if isinstance(extra, Mapping) and any(name in extra for name in SECRETS):
        body = {**body, "extra_data": {key: value for key, value in extra.items() if key not in SECRETS}}
    # json and not msgspec: raw graphs may hold NaN and lone surrogates, and must go back as they came
    return zlib.compress(json.dumps(body).encode(), 1)


def _request(row: tuple[Any, ...]) -> Request | None:
    prompt_id, number, packed, name, mine, at, owner = row
    try:
        unpacked = zlib.decompressobj()
        text = unpacked.decompress(packed, MAX_BODY)
        body = json.loads(text)
    except (zlib.error, ValueError, TypeError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("prompt"), dict):
        return None
    return Request(prompt_id, number, body, name, bool(mine), at, owner)

"""The database of what a program remembers about servers: one SQLite file, safe for several programs at once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from comfytui.client.errors import NotKept

T = TypeVar("T")
NAME = "servers.sqlite"
VERSION = 1
PATIENCE = 10.0  # seconds that another program may take to finish its own writing

SCHEMA = """
CREATE TABLE kept (
    server TEXT NOT NULL, id TEXT NOT NULL, place TEXT NOT NULL, number REAL NOT NULL, owner TEXT NOT NULL,
    mine INTEGER NOT NULL, name TEXT NOT NULL, at REAL NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (server, id)
) WITHOUT ROWID;
CREATE TABLE flags (server TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (server, name)) WITHOUT ROWID;
CREATE TABLE timings (
    server TEXT NOT NULL, shape TEXT NOT NULL, at REAL NOT NULL, timing BLOB NOT NULL, PRIMARY KEY (server, shape)
) WITHOUT ROWID;
CREATE TABLE marks (
    server TEXT NOT NULL, id TEXT NOT NULL, star INTEGER NOT NULL, note TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (server, id)
) WITHOUT ROWID;
CREATE TABLE catalogues (
    server TEXT PRIMARY KEY, version TEXT NOT NULL, at REAL NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
);
"""


class Disk:
    """One open database. Its methods block: call them in a thread where the disk may be slow.

    Each change is a transaction that has reached the disk when the call returns (`synchronous=FULL`): a few
    milliseconds, for which a job is not lost to a power cut. A file that is damaged or of a newer version is put aside.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` None: in memory, gone at the end. The file is made when it is first needed."""
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction of its own: all of it happens, or nothing. Raises NotKept."""
        with self._lock:
            try:
                connection = self._opened()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError) as error:
                raise self._problem(error) from error
            return result

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which changes nothing. Raises NotKept."""
        with self._lock:
            try:
                return work(self._opened())
            except (sqlite3.Error, OSError) as error:
                raise self._problem(error) from error

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _problem(self, error: Exception) -> NotKept:
        return NotKept(
            f"{self.path or 'the memory'} cannot be used: {error}. Is the disk full, or not ours to write to?"
        )

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._open()
            except _Unusable:
                self._put_aside()
                self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # made here, for our eyes only: prompts are in it
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            ":memory:" if self.path is None else self.path,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")  # of two programs that find it empty, one makes the tables
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
            if version > VERSION:
                raise _Unusable
        except sqlite3.OperationalError:  # locked, read-only, full: the file is as it should be
            connection.close()
            raise
        except (sqlite3.DatabaseError, _Unusable) as error:
            connection.close()
            raise _Unusable from error
        return connection

    def _put_aside(self) -> None:
        """Not deleted: what is in it may be wanted back."""
        if self.path is not None:
            for ending in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{ending}").replace(f"{self.path}.unusable{ending}")


class _Unusable(Exception):  # noqa: N818 -- caught in this module
    """No database of ours."""

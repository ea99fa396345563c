"""The file behind the job store: its tables and versions, and what is done when it cannot be used."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from engine.jobs.job import Job

if TYPE_CHECKING:
    from sqlite3 import Connection

log = logging.getLogger(__name__)

VERSION = 2
_BUSY = 5.0  # seconds to wait for another process that has the file locked
_NO_SEQ = 1 << 40  # more rows than there will ever be
_MAGIC = b"SQLite format 3\0"
_SIDES = ("-wal", "-shm")  # files beside the database that belong to it

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    number NOT NULL,           -- no type: 5.0 must stay what the client sent
    attempts INTEGER NOT NULL DEFAULT 0,
    job BLOB NOT NULL          -- msgpack of Job
);
CREATE INDEX waiting_id ON waiting (id);
"""
# Rows of the history are small and their bodies lie elsewhere, so that skipping fifty thousand of them to reach a page
# reads two megabytes and not the fifty thousand workflows.
_HISTORY = """
CREATE TABLE history (
    seq INTEGER PRIMARY KEY,   -- the order in which jobs ended
    id TEXT NOT NULL UNIQUE,
    number NOT NULL,
    status TEXT NOT NULL,      -- success | error | interrupted
    workflow_id TEXT,
    create_time INTEGER NOT NULL,
    start_time INTEGER,
    end_time INTEGER,
    duration INTEGER NOT NULL, -- ms; 0 if it has no start or no end
    outputs_count INTEGER NOT NULL
);
CREATE TABLE body (
    seq INTEGER PRIMARY KEY,
    preview BLOB,              -- JSON
    error BLOB,                -- JSON of the execution_error message
    item BLOB NOT NULL,        -- JSON array, as /queue shows it
    outcome BLOB NOT NULL      -- JSON members outputs, status, meta, without braces
);
CREATE TRIGGER history_gone AFTER DELETE ON history BEGIN DELETE FROM body WHERE seq = OLD.seq; END;
-- Kept and not counted: counting a hundred thousand rows takes longer than the rest of a page.
CREATE TABLE tally (status TEXT PRIMARY KEY, entries INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER tally_more AFTER INSERT ON history BEGIN
    INSERT INTO tally VALUES (NEW.status, 1) ON CONFLICT DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER tally_less AFTER DELETE ON history BEGIN
    UPDATE tally SET entries = entries - 1 WHERE status = OLD.status;
END;
CREATE INDEX history_created ON history (create_time);
CREATE INDEX history_duration ON history (duration);
CREATE INDEX status_created ON history (status, create_time);
CREATE INDEX status_duration ON history (status, duration);
CREATE INDEX workflow_created ON history (workflow_id, status, create_time) WHERE workflow_id IS NOT NULL;
CREATE INDEX workflow_duration ON history (workflow_id, status, duration) WHERE workflow_id IS NOT NULL;
"""
_LARGEST = """
SELECT MAX(ABS(number)) FROM (SELECT number FROM waiting UNION ALL SELECT number FROM history)
WHERE typeof(number) = 'integer'
"""
# Version 1 had the bodies in the rows of `history`, and no counter.
_FROM_1 = f"""
DROP INDEX history_created;
ALTER TABLE history RENAME TO old;
{_HISTORY}
INSERT INTO history SELECT seq, id, number, status, workflow_id, create_time, start_time, end_time,
    MAX(0, COALESCE(end_time - start_time, 0)), outputs_count FROM old;
INSERT INTO body SELECT seq, preview, error, item, outcome FROM old;
DROP TABLE old;
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta SELECT 'next_number', ({_LARGEST}) + 1 WHERE ({_LARGEST}) IS NOT NULL;
"""  # noqa: S608 - constants

Trouble = Literal["full", "locked", "readonly", "damaged", "other"]


class StoreError(Exception):
    """The store cannot be opened, or refused a write; the message names the file, the reason and what helps."""

    def __init__(self, message: str, trouble: Trouble = "other") -> None:
        super().__init__(message)
        self.trouble = trouble


def explain(path: Path | None, error: Exception) -> StoreError:
    """What SQLite or the system said, in words that help."""
    import sqlite3

    where = "the memory" if path is None else str(path)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells which call it was
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"{where}: the disk is full; free some space on it", "full")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"{where} is locked by another process; close the program that has it open", "locked")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        words = (
            f"{where} cannot be written ({error}); make it and its folder writable, or choose another --user-directory"
        )
        return StoreError(words, "readonly")
    if is_damage(error):
        return StoreError(f"{where} is damaged ({error})", "damaged")
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(f"{where}: {error}; the disk may be full, or failing", "full")
    return StoreError(f"{where}: {error}")


def is_damage(error: BaseException) -> bool:
    """The file is no database, or one that contradicts itself."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def open_database(path: Path | None) -> Connection:
    """Open the file, or make it; None is one in memory, which ends with the process.

    A damaged file is set aside, never deleted, and what can be read of it is taken over. Raises `StoreError`.
    """
    import sqlite3  # in the store's thread: 10 ms that the start of the server does not wait for

    if path is not None and (words := _damage_at_sight(path)):
        # Not even opened: SQLite would throw away the log beside a file that it cannot make sense of.
        return begin_anew(path, ValueError(words))
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if path is None or not is_damage(error):
            raise explain(path, error) from error
        return begin_anew(path, error)


def _damage_at_sight(path: Path) -> str:
    """What is wrong with the beginning of the file; empty if nothing is, or if there is no file."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError:
        return ""  # SQLite will say what the matter is
    if not head:
        log_beside = path.with_name(path.name + "-wal")
        return "it is empty, but has a log" if log_beside.exists() and log_beside.stat().st_size else ""
    return "" if head == _MAGIC else "it is not a database"


def begin_anew(path: Path, error: Exception) -> Connection:
    """A new file in the place of a damaged one, with what can be read of that. Raises `StoreError`."""
    import sqlite3

    try:
        aside = _set_aside(path)
        log.warning("%s is damaged (%s): it is kept as %s, and a new one is begun", path, error, aside.name)
        db = _connect(path)
    except (OSError, sqlite3.DatabaseError) as second:
        raise StoreError(f"{path} is damaged ({error}), and a new one cannot be made: {second}", "damaged") from second
    if not isinstance(error, sqlite3.DatabaseError):
        return db  # there is nothing in it that could be read
    try:
        waiting, history = _take_over(aside, db)
    except (sqlite3.DatabaseError, TypeError, ValueError) as second:  # whatever a damaged file may say
        if db.in_transaction:
            db.execute("ROLLBACK")
        log.warning("Nothing of %s could be read: %s", aside.name, second)
        return db
    log.warning("%d waiting jobs and %d entries of the history could be read and were taken over", waiting, history)
    return db


def _connect(path: Path | None) -> Connection:
    """Raises `sqlite3.DatabaseError`, and `StoreError` for a file that is whole and not ours."""
    import sqlite3

    # Transactions are ours: sqlite3's implicit ones would begin a second one inside a batch.
    target = ":memory:" if path is None else path
    db = sqlite3.connect(target, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if version > VERSION:
            raise StoreError(
                f"{path} was made by a newer version (format {version}, this one knows {VERSION}): "
                "update, or choose another --user-directory"
            )
        expected = {"waiting", "history"} if version else set()
        if not expected <= tables or (tables and not version):
            raise StoreError(
                f"{path} is a database, but not one of this engine (format {version}, tables "
                f"{', '.join(sorted(tables)) or 'none'}): move it away, or choose another --user-directory"
            )
        db.execute("PRAGMA journal_mode=WAL")
        if version == 0:
            _script(db, _SCHEMA + _HISTORY)
        elif version == 1:
            _script(db, _FROM_1)
        # Of the queue every page, as it will be needed; a history of gigabytes is not read at every start.
        (verdict,) = db.execute("PRAGMA quick_check('waiting')").fetchone()
        if verdict != "ok":
            damage = sqlite3.DatabaseError(verdict)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
    except BaseException:
        db.close()
        raise
    return db


def _script(db: Connection, statements: str) -> None:
    """All of it or nothing."""
    try:
        db.executescript(f"BEGIN IMMEDIATE; {statements} PRAGMA user_version={VERSION}; COMMIT;")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _set_aside(path: Path) -> Path:
    """Rename the file with what belongs to it; the new name. Raises `OSError`."""
    stem = f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    aside, count = path.with_name(stem), 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{stem}-{count}")
    # The log of the newest writes first: a new database beside an old log would throw the log away.
    for side in _SIDES:
        source = path.with_name(path.name + side)
        if source.exists():
            source.rename(aside.with_name(aside.name + side))
    path.rename(aside)
    return aside


def _take_over(aside: Path, db: Connection) -> tuple[int, int]:
    """Copy the rows that can be read: how many waiting jobs and entries of the history there were."""
    import sqlite3

    try:
        # Read-only: closing it must not write into what somebody may want to look at.
        old = sqlite3.connect(f"{aside.as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        return 0, 0
    try:
        db.execute("BEGIN")
        for row in _readable(old, "waiting", "seq, id, number, attempts, job"):
            if _is_job(row[4]):
                db.execute("INSERT INTO waiting VALUES (?, ?, ?, ?, ?)", row)
        columns = "seq, id, number, status, workflow_id, create_time, start_time, end_time, duration, outputs_count"
        for row in _readable(old, "history", columns):
            db.execute(f"INSERT OR IGNORE INTO history VALUES ({','.join('?' * 10)})", row)  # noqa: S608 - constants
        for row in _readable(old, "body", "seq, preview, error, item, outcome"):
            if _is_json(row[3]) and _is_json(b"{%s}" % row[4]):
                db.execute("INSERT INTO body VALUES (?, ?, ?, ?, ?)", row)
        # Without its other half neither can be shown.
        db.execute("DELETE FROM history WHERE seq NOT IN (SELECT seq FROM body)")
        db.execute("DELETE FROM body WHERE seq NOT IN (SELECT seq FROM history)")
        db.execute(f"INSERT INTO meta SELECT 'next_number', ({_LARGEST}) + 1 WHERE ({_LARGEST}) IS NOT NULL")
        (waiting,) = db.execute("SELECT COUNT(*) FROM waiting").fetchone()
        (history,) = db.execute("SELECT COUNT(*) FROM history").fetchone()
        db.execute("COMMIT")
    finally:
        old.close()
    return waiting, history


def _readable(old: Connection, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table that lie on whole pages. `columns` begin with `seq`."""
    import sqlite3

    last, skip = -1, 1
    while last < _NO_SEQ:
        sql = f"SELECT {columns} FROM {table} WHERE seq > ? ORDER BY seq"  # noqa: S608 - constants
        try:
            for row in old.execute(sql, (last,)):
                last, skip = row[0], 1
                yield row
        except sqlite3.DatabaseError:
            last += skip  # step over the damaged page, whose rows nobody can count
            skip *= 2
        else:
            return


def _is_job(body: Any) -> bool:
    try:
        msgspec.msgpack.decode(body, type=Job)
    except (msgspec.DecodeError, TypeError):
        return False
    return True


def _is_json(text: Any) -> bool:
    """Damage inside a body is none to SQLite."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError, RecursionError):
        return False
    return True

"""Jobs on disk: what was accepted and what ended survives the end of the process. SQLite, in its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from engine.jobs.job import Finished, HistoryRow, Job, encode
from engine.jobs.listing import preview_of, summarize_outputs

if TYPE_CHECKING:
    from sqlite3 import Connection

log = logging.getLogger(__name__)
Result = TypeVar("Result")

VERSION = 1
MAX_HISTORY = 10_000  # entries; the oldest make room
_BATCH = 256  # operations in one transaction, about
_DEFER = 0.02  # seconds that a write nobody waits for may wait for company

_SCHEMA = """
CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    number NOT NULL,           -- no type: 5.0 must stay what the client sent
    attempts INTEGER NOT NULL DEFAULT 0,
    job BLOB NOT NULL          -- msgpack of Job
);
CREATE INDEX waiting_id ON waiting (id);
CREATE TABLE history (
    seq INTEGER PRIMARY KEY,   -- the order in which jobs ended
    id TEXT NOT NULL UNIQUE,
    number NOT NULL,
    status TEXT NOT NULL,      -- success | error | interrupted
    workflow_id TEXT,
    create_time INTEGER NOT NULL,
    start_time INTEGER,
    end_time INTEGER,
    outputs_count INTEGER NOT NULL,
    preview BLOB,              -- JSON
    error BLOB,                -- JSON of the execution_error message
    item BLOB NOT NULL,        -- JSON array, as /queue shows it
    outcome BLOB NOT NULL      -- JSON members outputs, status, meta, without braces
);
CREATE INDEX history_created ON history (create_time);
"""


class StoreError(Exception):
    """The store cannot be opened, or refused a write; the message names the file and the reason."""


_ROW = "id, number, status, workflow_id, create_time, start_time, end_time, outputs_count, preview, error"
_OPERATION = Callable[["Connection"], Any]
_TASK = tuple[_OPERATION, asyncio.Future[Any]]


class JobStore:
    """One connection in one thread; operations run in the order they were asked for.

    Operations that wait together are committed together: a burst of prompts pays one commit and not
    one each. With WAL and synchronous=NORMAL a commit survives the death of the process, and a power
    cut may take back the last moments but never damages the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inbox: queue.SimpleQueue[list[_TASK] | None] = queue.SimpleQueue()
        self._deferred: list[_TASK] = []
        self._flush: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name="job store", daemon=True)

    def start(self) -> None:
        """Open in the background; every operation waits for it."""
        self._thread.start()

    async def opened(self) -> None:
        """Raises `StoreError` if the file cannot be opened or made."""
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Finish what was asked for, and close the file."""
        if self._thread.ident is None:
            return  # never started
        self._hand_over()
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    # ── waiting jobs ────────────────────────────────────────────────────────────────────────────

    async def load(self) -> tuple[list[Job], int]:
        """Waiting jobs in no special order, with the number the next job gets."""
        return await self._run(_load)

    async def add(self, job: Job) -> None:
        """Keep an accepted job. When this returns, it is on disk. Raises `StoreError` (a full disk)."""
        body = msgspec.msgpack.encode(job)

        def insert(db: Connection) -> None:
            db.execute("INSERT INTO waiting (id, number, job) VALUES (?, ?, ?)", (job.prompt_id, job.number, body))

        await self._run(insert)

    def begun(self, job: Job, by: int = 1) -> None:
        """Count an attempt at `job`, in the background: it may be the one that kills the engine.

        An orderly stop takes the attempt back with `by=-1`.
        """
        sql = "UPDATE waiting SET attempts = attempts + ? WHERE id = ? AND number = ?"
        self._later(lambda db: db.execute(sql, (by, job.prompt_id, job.number)))

    async def remove(self, jobs: Sequence[Job]) -> None:
        """Forget jobs that will not run. Raises `StoreError`."""
        rows = [(job.prompt_id, job.number) for job in jobs]
        await self._run(lambda db: db.executemany("DELETE FROM waiting WHERE id = ? AND number = ?", rows))

    # ── history ─────────────────────────────────────────────────────────────────────────────────

    def finish(self, entry: Finished) -> None:
        """Move a job to the history, in the background: operations after this one see it there."""
        self._later(_finisher(entry))

    async def history(self, max_items: int | None, offset: int) -> list[tuple[str, bytes]]:
        """Entries (id, JSON), oldest first: `max_items` from `offset`, or the newest ones if it is negative."""

        def read(db: Connection) -> list[tuple[str, bytes]]:
            limit = -1 if max_items is None else max_items
            if offset < 0 and max_items is not None:
                sql = "SELECT id, item, outcome FROM history ORDER BY seq DESC LIMIT ?"
                rows = db.execute(sql, (limit,)).fetchall()[::-1]
            else:
                sql = "SELECT id, item, outcome FROM history ORDER BY seq LIMIT ? OFFSET ?"
                rows = db.execute(sql, (limit, max(offset, 0))).fetchall()
            return [(row[0], _entry(row[1], row[2])) for row in rows]

        return await self._run(read)

    async def history_after(self, seq: int, count: int) -> list[tuple[int, str, bytes]]:
        """The next `count` entries after `seq` (seq, id, JSON): how a long history is read in pieces."""
        sql = "SELECT seq, id, item, outcome FROM history WHERE seq > ? ORDER BY seq LIMIT ?"

        def read(db: Connection) -> list[tuple[int, str, bytes]]:
            return [(row[0], row[1], _entry(row[2], row[3])) for row in db.execute(sql, (seq, count))]

        return await self._run(read)

    async def entry(self, prompt_id: str) -> bytes | None:
        """The JSON of one history entry."""
        sql = "SELECT item, outcome FROM history WHERE id = ?"
        row = await self._run(lambda db: db.execute(sql, (prompt_id,)).fetchone())
        return None if row is None else _entry(row[0], row[1])

    async def row(self, prompt_id: str) -> HistoryRow | None:
        sql = f"SELECT {_ROW} FROM history WHERE id = ?"  # noqa: S608 - names of columns
        row = await self._run(lambda db: db.execute(sql, (prompt_id,)).fetchone())
        return None if row is None else HistoryRow(*row)

    async def rows(self, statuses: Sequence[str], workflow_id: str | None) -> list[HistoryRow]:
        """Rows of the history with one of `statuses`, without their bodies."""
        marks = ",".join("?" * len(statuses))
        sql = f"SELECT {_ROW} FROM history WHERE status IN ({marks})"  # noqa: S608 - question marks
        values: list[str] = list(statuses)
        if workflow_id is not None:
            sql += " AND workflow_id = ?"
            values.append(workflow_id)
        return await self._run(lambda db: [HistoryRow(*row) for row in db.execute(sql, values)])

    async def forget(self, prompt_ids: Sequence[str] | None) -> None:
        """Delete entries of the history; None deletes all. Raises `StoreError`."""

        def delete(db: Connection) -> None:
            if prompt_ids is None:
                db.execute("DELETE FROM history")
            else:
                db.executemany("DELETE FROM history WHERE id = ?", [(one,) for one in prompt_ids])

        await self._run(delete)

    # ── the thread ──────────────────────────────────────────────────────────────────────────────

    async def _run(self, operation: Callable[[Connection], Result]) -> Result:
        await self.opened()
        future: asyncio.Future[Result] = self._loop.create_future()
        self._hand_over((operation, future))
        return await future

    def _later(self, operation: Callable[[Connection], Any]) -> None:
        future: asyncio.Future[Any] = self._loop.create_future()
        future.add_done_callback(_complain)
        self._deferred.append((operation, future))
        if self._flush is None:
            self._flush = self._loop.call_later(_DEFER, self._hand_over)

    def _hand_over(self, *tasks: _TASK) -> None:
        """Give the thread what waits and `tasks` after it: waking it costs more than a small write."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        batch = [*self._deferred, *tasks]
        self._deferred = []
        if batch:
            self._inbox.put(batch)

    def _work(self) -> None:
        try:
            db = _open(self.path)
        except StoreError as error:
            self._tell([(self._opened, None, error)])
            return
        self._tell([(self._opened, None, None)])
        with contextlib.closing(db):
            while self._transact(db):
                pass

    def _transact(self, db: Connection) -> bool:
        """Run what waits in one transaction; False when it is time to close."""
        batch: list[_TASK] = []
        going_on = True
        while going_on and len(batch) < _BATCH and (not batch or not self._inbox.empty()):
            tasks = self._inbox.get()
            going_on = tasks is not None
            batch += tasks or ()
        if not batch:
            return going_on
        results: list[tuple[asyncio.Future[Any], Any, StoreError | None]] = []
        try:
            db.execute("BEGIN")
            for operation, future in batch:
                results.append((future, *self._attempt(db, operation)))
            db.execute("COMMIT")
        except Exception as error:  # whatever it is, those who wait must hear of it
            with contextlib.suppress(Exception):
                db.execute("ROLLBACK")
            failure = StoreError(f"{self.path}: {error}")
            results = [(future, None, failure) for _, future in batch]
        self._tell(results)
        return going_on

    def _attempt(self, db: Connection, operation: _OPERATION) -> tuple[Any, StoreError | None]:
        """One operation inside the transaction: if it fails, the others of its batch still count."""
        db.execute("SAVEPOINT one")
        try:
            value = operation(db)
        except Exception as error:
            if not db.in_transaction:
                raise  # a full disk has ended the transaction: the batch fails as a whole
            db.execute("ROLLBACK TO one")
            return None, StoreError(f"{self.path}: {error}")
        db.execute("RELEASE one")
        return value, None

    def _tell(self, results: Sequence[tuple[asyncio.Future[Any], Any, StoreError | None]]) -> None:
        def settle() -> None:
            for future, value, error in results:
                if future.done():
                    continue  # whoever asked has gone
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(value)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle)


def _complain(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("The history could not be written: %s", error)


def _open(path: Path) -> Connection:
    """Open the file, or make it; a damaged one is set aside with a warning. Raises `StoreError`."""
    import sqlite3  # in this thread: 10 ms that the start of the server does not wait for

    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        damaged = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
        if not damaged:
            raise StoreError(f"cannot open {path}: {error}") from error
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        log.warning("%s is damaged (%s): it is kept as %s and a new one is begun", path, error, aside.name)
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _connect(path)
    except (OSError, sqlite3.DatabaseError) as error:
        raise StoreError(f"cannot make {path}: {error}") from error


def _connect(path: Path) -> Connection:
    import sqlite3

    # Transactions are ours: sqlite3's implicit ones would begin a second one inside a batch.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(
                f"{path} was made by a newer version (format {version}, this one knows {VERSION}): "
                "update, or choose another --user-directory"
            )
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def _load(db: Connection) -> tuple[list[Job], int]:
    jobs = []
    for body, attempts in db.execute("SELECT job, attempts FROM waiting"):
        job = msgspec.msgpack.decode(body, type=Job)
        jobs.append(msgspec.structs.replace(job, attempts=attempts))
    # Floats were chosen by clients and say nothing about the counter; "front" jobs are its negatives.
    sql = "SELECT MAX(ABS(number)) FROM (SELECT number FROM waiting UNION ALL SELECT number FROM history)"
    (largest,) = db.execute(sql + " WHERE typeof(number) = 'integer'").fetchone()
    return jobs, 0 if largest is None else int(largest) + 1


def _finisher(entry: Finished) -> Callable[[Connection], None]:
    job = entry.job
    start, end = entry.times()
    count, preview = summarize_outputs(entry.outputs)
    error = next((data for name, data in reversed(entry.messages) if name == "execution_error"), None)
    outcome = b'"outputs":%s,"status":%s,"meta":%s' % (
        encode(entry.outputs),
        encode(entry.status_object()),
        encode(entry.meta),
    )
    row = (
        *(job.prompt_id, job.number, entry.status, job.workflow_id, job.create_time, start, end, count),
        *(preview_of(preview), None if error is None else encode(error), job.item(), outcome),
    )

    insert = f"INSERT INTO history ({_ROW}, item, outcome) VALUES ({','.join('?' * 12)})"  # noqa: S608 - constants

    def move(db: Connection) -> None:
        db.execute("DELETE FROM waiting WHERE id = ? AND number = ?", (job.prompt_id, job.number))
        db.execute("DELETE FROM history WHERE id = ?", (job.prompt_id,))
        cursor = db.execute(insert, row)
        # Numbers of rows may have gaps, so that this keeps at most MAX_HISTORY and never deletes too few.
        db.execute("DELETE FROM history WHERE seq <= ?", ((cursor.lastrowid or 0) - MAX_HISTORY,))

    return move


def _entry(item: bytes, outcome: bytes) -> bytes:
    return b'{"prompt":%s,%s}' % (item, outcome)

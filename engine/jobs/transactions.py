"""Operations on the job database, in one thread and in order; those that wait together are committed together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from engine.jobs.database import StoreError, begin_anew, explain, is_damage, open_database

if TYPE_CHECKING:
    from sqlite3 import Connection

log = logging.getLogger(__name__)
Result = TypeVar("Result")

_BATCH = 256  # operations in one transaction, about


_Outcome: TypeAlias = tuple[asyncio.Future[Any], Any, StoreError | None]


class _Task(NamedTuple):
    operation: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    durable: bool


class Transactions:
    """One connection in one thread. A burst of prompts pays one commit, and not one each.

    In WAL mode a commit survives the death of the process. One that holds a `durable` operation is also forced to the
    disk, so that it survives a power cut; others reach it with the next of those, in order.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._inbox: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name="job store", daemon=True)
        self._forced: bool | None = None  # what SQLite was last told about forcing

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
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, operation: Callable[[Connection], Result], *, durable: bool = False) -> Result:
        """Raises `StoreError` for whatever goes wrong; the operation has then changed nothing."""
        await self.opened()
        return await self.begin(operation, durable=durable)

    def begin(self, operation: Callable[[Connection], Result], *, durable: bool = False) -> asyncio.Future[Result]:
        """Queue an operation behind those before it; the future has its result, or a `StoreError`."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._inbox.put(_Task(operation, future, durable))
        return future

    # ── the thread ──────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        try:
            db: Connection | None = open_database(self.path)
        except StoreError as error:
            self._refuse_all(error)
            return
        except Exception as error:
            log.exception("The job store cannot be opened")
            self._refuse_all(explain(self.path, error))
            return
        self._tell([(self._opened, None, None)])
        try:
            going_on = True
            while going_on:
                batch, going_on = self._next_batch()
                db = self._transact(db, batch)
        finally:
            with contextlib.suppress(Exception):  # a damaged file complains even now; what was committed is safe
                if db is not None:
                    db.close()

    def _refuse_all(self, error: StoreError) -> None:
        """The file cannot be opened: whoever asks, now or later, hears why."""
        self._tell([(self._opened, None, error)])
        while (task := self._inbox.get()) is not None:
            self._tell([(task.future, None, error)])

    def _next_batch(self) -> tuple[list[_Task], bool]:
        """What waits, at least one task; False when it is time to close."""
        batch: list[_Task] = []
        while len(batch) < _BATCH and (not batch or not self._inbox.empty()):
            task = self._inbox.get()
            if task is None:
                return batch, False
            batch.append(task)
        return batch, True

    def _transact(self, db: Connection | None, batch: list[_Task]) -> Connection | None:
        """Run a batch in one transaction; the connection to go on with, which is another one after damage."""
        if not batch:
            return db
        try:
            db = db or open_database(self.path)
            results = self._attempt_all(db, batch)
        except Exception as error:  # whatever it is, those who wait must hear of it
            with contextlib.suppress(Exception):
                if db is not None:
                    db.execute("ROLLBACK")
            db, results = self._after(db, batch, error)
        self._tell(results)
        return db

    def _after(
        self, db: Connection | None, batch: Sequence[_Task], error: Exception
    ) -> tuple[Connection | None, list[_Outcome]]:
        """What becomes of a batch that failed: after damage it is tried once more, in a new file."""
        if self.path is not None and db is not None and is_damage(error):
            try:
                db.close()
                db = None
                db = begin_anew(self.path, error)
                self._forced = None
                return db, self._attempt_all(db, batch)
            except Exception as second:
                log.exception("The job store cannot be mended")
                error = second
        failure = error if isinstance(error, StoreError) else explain(self.path, error)
        return db, [(task.future, None, failure) for task in batch]

    def _attempt_all(self, db: Connection, batch: Sequence[_Task]) -> list[_Outcome]:
        forced = any(task.durable for task in batch)
        if forced is not self._forced:
            db.execute(f"PRAGMA synchronous={'FULL' if forced else 'NORMAL'}")
            self._forced = forced
        results: list[_Outcome] = []
        db.execute("BEGIN")
        for task in batch:
            results.append((task.future, *self._attempt(db, task)))
        db.execute("COMMIT")
        return results

    def _attempt(self, db: Connection, task: _Task) -> tuple[Any, StoreError | None]:
        """One operation inside the transaction: if it fails, the others of its batch still count."""
        db.execute("SAVEPOINT one")
        try:
            value = task.operation(db)
        except Exception as error:
            if not db.in_transaction or is_damage(error):
                raise  # a full disk has ended the transaction: the batch fails as a whole
            db.execute("ROLLBACK TO one")
            db.execute("RELEASE one")
            return None, explain(self.path, error)
        db.execute("RELEASE one")
        return value, None

    def _tell(self, results: Sequence[_Outcome]) -> None:
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

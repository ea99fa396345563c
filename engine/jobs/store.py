"""Jobs on disk: what was accepted and what ended survives the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from engine.jobs.database import StoreError
from engine.jobs.job import Finished, HistoryRow, Job, encode
from engine.jobs.listing import preview_of, summarize_outputs
from engine.jobs.transactions import Transactions

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ["STATUSES", "JobStore", "SortKey", "StoreError", "Stretch"]

STATUSES = ("success", "error", "interrupted")  # of entries
SortKey = Literal["create_time", "duration"]


class Stretch(NamedTuple):
    """`length` entries of the history after the one whose `seq` is `after`."""

    after: int
    length: int


# Clients may send an id and a number twice: then the row that came first is the one that runs first.
_FIRST = "SELECT MIN(seq) FROM waiting WHERE id = ? AND number = ?"
_LAST = "SELECT MAX(seq) FROM waiting WHERE id = ? AND number = ?"
_LIGHT = "id, number, status, workflow_id, create_time, start_time, end_time"
_MORE = "outputs_count, preview, error, seq"


class JobStore:
    """The waiting jobs and the history, in a SQLite file, or for as long as the process lives if there is no path."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._work = Transactions(path)
        self.start, self.opened, self.close = self._work.start, self._work.opened, self._work.close

    # ── waiting jobs ────────────────────────────────────────────────────────────────────────────

    async def load(self) -> tuple[list[Job], int]:
        """Waiting jobs in the order of their arrival, with the number the next job gets."""
        return await self._work.run(_load)

    async def add(self, job: Job) -> None:
        """Keep an accepted job. When this returns, it is on disk. Raises `StoreError` (a full disk)."""
        body = msgspec.msgpack.encode(job)

        def insert(db: Connection) -> None:
            db.execute("INSERT INTO waiting (id, number, job) VALUES (?, ?, ?)", (job.prompt_id, job.number, body))
            if isinstance(job.number, int):  # floats were chosen by clients and say nothing about the counter
                sql = "INSERT INTO meta VALUES ('next_number', ?) ON CONFLICT DO UPDATE SET value = MAX(value, excluded.value)"
                db.execute(sql, (abs(job.number) + 1,))

        await self._work.run(insert, durable=True)

    def begun(self, job: Job, by: int = 1) -> None:
        """Count an attempt at `job`, in the background: it may be the one that kills the engine.

        An orderly stop takes the attempt back with `by=-1`.
        """
        sql = f"UPDATE waiting SET attempts = attempts + ? WHERE seq = ({_FIRST})"  # noqa: S608 - constants
        noted = self._work.begin(lambda db: db.execute(sql, (by, job.prompt_id, job.number)))
        # A note that could not be written costs nothing but a run more after a crash.
        noted.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def remove(self, jobs: Sequence[Job]) -> None:
        """Forget jobs that will not run. Raises `StoreError`."""
        rows = [(job.prompt_id, job.number) for job in jobs]
        sql = f"DELETE FROM waiting WHERE seq = ({_LAST})"  # noqa: S608 - constants
        await self._work.run(lambda db: db.executemany(sql, rows), durable=True)

    # ── history ─────────────────────────────────────────────────────────────────────────────────

    def finish(self, entry: Finished, keep: int = 0) -> asyncio.Future[None]:
        """Move a job to the history, at most `keep` entries long (0: all stay).

        The move is done when the future is; operations asked for after this one see it anyway.
        """
        return self._work.begin(_finisher(entry, keep))

    async def history(self, max_items: int | None, offset: int) -> list[tuple[str, bytes]]:
        """Entries (id, JSON), oldest first: `max_items` from `offset`, or the newest ones if it is negative."""
        where = await self.stretch(max_items, offset)
        return [(name, entry) for _, name, entry in await self.history_after(where.after, where.length)]

    async def stretch(self, max_items: int | None, offset: int) -> Stretch:
        """Where the entries of `history` lie, to read them in pieces."""

        def find(db: Connection) -> Stretch:
            total = _count(db, STATUSES, None)
            limit = total if max_items is None else min(max_items, total)
            first = min(offset, total) if offset >= 0 else 0 if max_items is None else total - limit
            count = min(limit, total - first)
            if count <= 0:
                return Stretch(0, 0)
            # Skipping reads a few bytes of each entry; from the nearer end it is never more than half of them.
            if first <= total // 2:
                sql, skip = "SELECT seq FROM history ORDER BY seq LIMIT 1 OFFSET ?", first
            else:
                sql, skip = "SELECT seq FROM history ORDER BY seq DESC LIMIT 1 OFFSET ?", total - first - 1
            (seq,) = db.execute(sql, (skip,)).fetchone()
            return Stretch(seq - 1, count)

        return await self._work.run(find)

    async def history_after(self, seq: int, count: int) -> list[tuple[int, str, bytes]]:
        """The next `count` entries after `seq` (seq, id, JSON): how a long history is read in pieces."""
        sql = "SELECT seq, id, item, outcome FROM history JOIN body USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?"

        def read(db: Connection) -> list[tuple[int, str, bytes]]:
            return [(row[0], row[1], _entry(row[2], row[3])) for row in db.execute(sql, (seq, count))]

        return await self._work.run(read)

    async def entry(self, prompt_id: str) -> bytes | None:
        """The JSON of one history entry."""
        sql = "SELECT item, outcome FROM history JOIN body USING (seq) WHERE id = ?"
        row = await self._work.run(lambda db: db.execute(sql, (prompt_id,)).fetchone())
        return None if row is None else _entry(row[0], row[1])

    async def row(self, prompt_id: str) -> HistoryRow | None:
        sql = f"SELECT {_LIGHT}, {_MORE} FROM history JOIN body USING (seq) WHERE id = ?"  # noqa: S608 - constants
        row = await self._work.run(lambda db: db.execute(sql, (prompt_id,)).fetchone())
        return None if row is None else HistoryRow(*row)

    async def page(
        self,
        statuses: Sequence[str],
        workflow_id: str | None,
        by: SortKey = "create_time",
        *,
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[HistoryRow], int]:
        """A page of the history with one of `statuses`, in order, without the bodies; and how many there are in all."""

        def read(db: Connection) -> tuple[list[HistoryRow], int]:
            total = _count(db, statuses, workflow_id)
            count = total - offset if limit is None else min(limit, total - offset)
            if count <= 0:
                return [], total
            # What is skipped is walked along, so the walk begins at the nearer end.
            skip, backwards = offset, offset > total - offset - count
            if backwards:
                skip = total - offset - count
            sql, values = page_query(statuses, workflow_id, by, descending, backwards)
            return [HistoryRow(*row) for row in db.execute(sql, (*values, count, skip))], total

        return await self._work.run(read)

    async def page_after(
        self,
        last: HistoryRow,
        statuses: Sequence[str],
        workflow_id: str | None,
        by: SortKey = "create_time",
        *,
        descending: bool = True,
        limit: int,
    ) -> list[HistoryRow]:
        """What follows `last` in the order of `page`: how a long list is read in pieces, whatever ends meanwhile."""
        key = last.duration if by == "duration" else last.create_time
        sql, values = page_query(statuses, workflow_id, by, descending, backwards=False, after=(key, last.seq))

        def read(db: Connection) -> list[HistoryRow]:
            return [HistoryRow(*row) for row in db.execute(sql, (*values, limit, 0))]

        return await self._work.run(read) if statuses else []

    async def forget(self, prompt_ids: Sequence[str] | None) -> None:
        """Delete entries of the history; None deletes all. Raises `StoreError`."""

        def delete(db: Connection) -> None:
            if prompt_ids is None:
                db.execute("DELETE FROM body")  # as a whole, which the trigger's way, one by one, is not
                db.execute("DELETE FROM history")
            else:
                db.executemany("DELETE FROM history WHERE id = ?", [(one,) for one in prompt_ids])

        await self._work.run(delete, durable=True)


def page_query(
    statuses: Sequence[str],
    workflow_id: str | None,
    by: SortKey,
    descending: bool,
    backwards: bool,
    after: tuple[int, int] | None = None,
) -> tuple[str, list[str | int]]:
    """The statement behind `JobStore.page`, with its values but for limit and offset.

    An ordered walk along an index, or one for each status, merged; `backwards` from the page's end, or from behind the
    entry whose key and `seq` are `after`. Nothing is sorted but the page itself.
    """
    way, along = ("DESC", "ASC") if descending else ("ASC", "DESC")
    walked = along if backwards else way
    filters: list[tuple[str, str | int]] = [] if workflow_id is None else [("workflow_id = ?", workflow_id)]
    beyond, bounds = "", tuple[int, ...]()
    if after is not None:
        less = "<" if descending else ">"
        beyond, bounds = f"({by}, seq) {less} (?, ?)", after
    values: list[str | int] = []
    walks = []
    every = set(statuses) == set(STATUSES) and workflow_id is None
    for status in (None,) if every else statuses:
        wanted = [*([] if status is None else [("status = ?", status)]), *filters]
        conditions = [text for text, _ in wanted] + ([beyond] if beyond else [])
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        walks.append(f"SELECT {by} AS k, seq FROM history{where}")  # noqa: S608 - constants
        values += [*(value for _, value in wanted), *bounds]
    walks_text = " UNION ALL ".join(walks)
    chosen = f"SELECT k, seq FROM ({walks_text} ORDER BY k {walked}, seq {walked} LIMIT ? OFFSET ?)"  # noqa: S608 - constants
    sql = (
        f"SELECT {_LIGHT}, {_MORE} FROM ({chosen}) AS chosen "  # noqa: S608 - constants
        f"CROSS JOIN history USING (seq) CROSS JOIN body USING (seq) ORDER BY chosen.k {way}, chosen.seq {way}"
    )
    return sql, values


def _count(db: Connection, statuses: Sequence[str], workflow_id: str | None) -> int:
    if workflow_id is None:
        tally = dict(db.execute("SELECT status, entries FROM tally"))
        return sum(tally.get(status, 0) for status in statuses)
    sql = "SELECT COUNT(*) FROM history WHERE status = ? AND workflow_id = ?"
    return sum(db.execute(sql, (status, workflow_id)).fetchone()[0] for status in statuses)


def _load(db: Connection) -> tuple[list[Job], int]:
    jobs = []
    for body, attempts in db.execute("SELECT job, attempts FROM waiting ORDER BY seq"):
        job = msgspec.msgpack.decode(body, type=Job)
        jobs.append(msgspec.structs.replace(job, attempts=attempts))
    row = db.execute("SELECT value FROM meta WHERE name = 'next_number'").fetchone()
    return jobs, 0 if row is None else int(row[0])


def _finisher(entry: Finished, keep: int) -> Callable[[Connection], None]:
    job = entry.job
    start, end = entry.times()
    count, preview = summarize_outputs(entry.outputs)
    error = next((data for name, data in reversed(entry.messages) if name == "execution_error"), None)
    outcome = b'"outputs":%s,"status":%s,"meta":%s' % (
        encode(entry.outputs),
        encode(entry.status_object()),
        encode(entry.meta),
    )
    duration = max(0, end - start) if start is not None and end is not None else 0
    light = (job.prompt_id, job.number, entry.status, job.workflow_id, job.create_time, start, end, duration, count)
    body = (preview_of(preview), None if error is None else encode(error), job.item(), outcome)

    insert = f"INSERT INTO history ({_LIGHT}, duration, outputs_count) VALUES ({','.join('?' * 9)})"  # noqa: S608 - constants

    def move(db: Connection) -> None:
        db.execute(f"DELETE FROM waiting WHERE seq = ({_FIRST})", (job.prompt_id, job.number))  # noqa: S608 - constants
        db.execute("DELETE FROM history WHERE id = ?", (job.prompt_id,))
        seq = db.execute(insert, light).lastrowid
        db.execute("INSERT INTO body (seq, preview, error, item, outcome) VALUES (?, ?, ?, ?, ?)", (seq, *body))
        if keep:
            # Numbers of rows may have gaps, so that this keeps at most as many and never deletes too few.
            db.execute("DELETE FROM history WHERE seq <= ?", ((seq or 0) - keep,))

    return move


def _entry(item: bytes, outcome: bytes) -> bytes:
    return b'{"prompt":%s,%s}' % (item, outcome)

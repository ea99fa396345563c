"""`/api/jobs`: waiting, running and finished jobs in one list, and ending one wherever it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from engine.jobs.job import HistoryRow
from engine.jobs.listing import finished_job, merge, page, pagination, span, waiting_job, weave
from engine.jobs.store import JobStore, SortKey
from engine.server import streaming
from engine.server.bodies import answer, encode, read_object, strings
from engine.server.services import Services, services

STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")
_HISTORY = {"completed": ("success",), "failed": ("error", "interrupted")}
# Newer ComfyUI tells failed and interrupted jobs apart; a client that asks for `cancelled` ones knows that.
_NEWER = {"completed": ("success",), "failed": ("error",), "cancelled": ("interrupted",)}

_PIECE = 500  # entries of the history in memory at a time
_MOST = 2**53  # more jobs than there will ever be, and still a number to the database


class _RefusedError(Exception):
    """A parameter is wrong; the message is the answer's."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters of a list. `newer`: who asks tells cancelled jobs from failed ones."""

    statuses: tuple[str, ...]
    workflow: str | None
    sort_by: str
    descending: bool
    limit: int | None
    offset: int

    @classmethod
    def of(cls, request: web.Request) -> _Asked:
        """Raises `_RefusedError`."""
        limit = _integer(request, "limit")
        if limit is not None and limit <= 0:
            raise _RefusedError("limit must be a positive integer")
        return cls(
            _statuses(request),
            request.query.get("workflow_id"),
            _choice(request, "sort_by", ("created_at", "execution_duration")),
            _choice(request, "sort_order", ("desc", "asc")) == "desc",
            limit,
            max(_integer(request, "offset") or 0, 0),
        )

    @property
    def newer(self) -> bool:
        return "cancelled" in self.statuses

    @property
    def kinds(self) -> list[str]:
        names = _NEWER if self.newer else _HISTORY
        return [kind for status in self.statuses for kind in names.get(status, ())]

    @property
    def key(self) -> SortKey:
        return "duration" if self.sort_by == "execution_duration" else "create_time"


async def listing(request: web.Request) -> web.StreamResponse:
    """`GET /api/jobs`; a list longer than a page, as one without `limit` is, is sent while it is read."""
    try:
        asked = _Asked.of(request)
    except _RefusedError as refused:
        return answer({"error": str(refused)}, status=400)
    store = services(request).store
    live = _live(services(request), asked.statuses, asked.workflow)
    needed = span(len(live), asked.limit, asked.offset)
    short = needed.limit is not None and needed.limit <= _PIECE
    rows, ended = await store.page(
        asked.kinds,
        asked.workflow,
        asked.key,
        descending=asked.descending,
        limit=needed.limit if short else _PIECE,
        offset=needed.offset,
    )
    total = len(live) + ended
    if not short and len(rows) == _PIECE:
        return await streaming.send(request, _pieces(store, asked, live, rows, total))
    finished = [_finished(row, asked.newer) for row in rows]
    jobs = merge(live, finished, asked.sort_by, asked.descending, asked.limit, asked.offset)
    return answer(page(jobs, asked.limit, asked.offset, total))


async def _pieces(
    store: JobStore, asked: _Asked, live: list[dict[str, Any]], rows: list[HistoryRow], total: int
) -> AsyncIterator[bytes]:
    """The list as JSON, job by job; `rows` are the first piece of its history."""

    async def ended() -> AsyncIterator[list[dict[str, Any]]]:
        piece = rows
        while piece:
            yield [_finished(row, asked.newer) for row in piece]
            piece = await store.page_after(
                piece[-1], asked.kinds, asked.workflow, asked.key, descending=asked.descending, limit=_PIECE
            )

    skip = asked.offset - span(len(live), asked.limit, asked.offset).offset
    shown, before = 0, b'{"jobs":['
    async for job in weave(live, ended(), asked.sort_by, asked.descending):
        if skip:
            skip -= 1
            continue
        if shown == asked.limit:
            break
        yield before + encode(job)
        shown, before = shown + 1, b","
    end = encode(pagination(shown, asked.limit, asked.offset, total))
    yield b'%s],"pagination":%s}' % (before if shown == 0 else b"", end)


async def one(request: web.Request) -> web.Response:
    """`GET /api/jobs/{id}`: with outputs and workflow once it has ended."""
    shared, prompt_id = services(request), request.match_info["prompt_id"]
    for job in _live(shared, ("pending", "in_progress"), None):
        if job["id"] == prompt_id:
            return answer(job)
    row, entry = await shared.store.row(prompt_id), await shared.store.entry(prompt_id)
    if row is None or entry is None:
        return answer({"error": "Job not found"}, status=404)
    body = msgspec.json.decode(entry)
    job = finished_job(row)
    job["outputs"] = body["outputs"]
    job["execution_status"] = body["status"]
    job["workflow"] = {"prompt": body["prompt"][2], "extra_data": body["prompt"][3]}
    return answer(job)


async def cancel(request: web.Request) -> web.Response:
    """`POST /api/jobs/{id}/cancel`: newer ComfyUI's way to end a job that waits or runs."""
    return answer({"cancelled": await _cancel(services(request), [request.match_info["prompt_id"]])})


async def cancel_many(request: web.Request) -> web.Response:
    """`POST /api/jobs/cancel` with `job_ids`."""
    wanted = strings((await read_object(request)).get("job_ids"), "job_ids")
    return answer({"cancelled": await _cancel(services(request), wanted)})


async def _cancel(shared: Services, prompt_ids: list[str]) -> bool:
    removed = await shared.dispatcher.delete(prompt_ids)
    stopped = [one for one in prompt_ids if shared.dispatcher.interrupt(one)]
    return bool(removed or stopped)


def _live(shared: Services, statuses: tuple[str, ...], workflow: str | None) -> list[dict[str, Any]]:
    """What runs and what waits."""
    jobs: list[dict[str, Any]] = []
    running = shared.dispatcher.running
    if "in_progress" in statuses and running is not None and workflow in (None, running.workflow_id):
        jobs.append(waiting_job(running, "in_progress"))
    if "pending" in statuses:
        waiting = shared.dispatcher.waiting()
        jobs += [waiting_job(job, "pending") for job in waiting if workflow in (None, job.workflow_id)]
    return jobs


def _finished(row: HistoryRow, newer: bool) -> dict[str, Any]:
    job = finished_job(row)
    if newer and row.status == "interrupted":
        job["status"] = "cancelled"
    return job


def _statuses(request: web.Request) -> tuple[str, ...]:
    text = request.query.get("status")
    if not text:
        return STATUSES[:-1]
    wanted = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    wrong = [part for part in wanted if part not in STATUSES]
    if wrong:
        raise _RefusedError(f"Invalid status value(s): {', '.join(wrong)}. Valid values: {', '.join(STATUSES)}")
    return wanted


def _choice(request: web.Request, name: str, choices: tuple[str, str]) -> str:
    value = request.query.get(name, choices[0]).lower()
    if value not in choices:
        raise _RefusedError(
            f"{name} must be '{choices[0]}' or '{choices[1]}'"
            if name == "sort_by"
            else f"{name} must be 'asc' or 'desc'"
        )
    return value


def _integer(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return max(min(int(text), _MOST), -1)
    except ValueError:
        raise _RefusedError(f"{name} must be an integer") from None

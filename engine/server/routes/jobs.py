"""`/api/jobs`: waiting, running and finished jobs in one list, and ending one wherever it is."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from engine.jobs.job import HistoryRow
from engine.jobs.listing import finished_job, merge, page, span, waiting_job
from engine.jobs.store import SortKey
from engine.server.bodies import answer, read_object, strings
from engine.server.services import Services, services

STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")
_HISTORY = {"completed": ("success",), "failed": ("error", "interrupted")}
# Newer ComfyUI tells failed and interrupted jobs apart; a client that asks for `cancelled` ones knows that.
_NEWER = {"completed": ("success",), "failed": ("error",), "cancelled": ("interrupted",)}


_MOST = 2**53  # more jobs than there will ever be, and still a number to the database


class _RefusedError(Exception):
    """A parameter is wrong; the message is the answer's."""


async def listing(request: web.Request) -> web.Response:
    """`GET /api/jobs`."""
    try:
        statuses = _statuses(request)
        sort_by = _choice(request, "sort_by", ("created_at", "execution_duration"))
        descending = _choice(request, "sort_order", ("desc", "asc")) == "desc"
        limit = _integer(request, "limit")
        if limit is not None and limit <= 0:
            raise _RefusedError("limit must be a positive integer")
        offset = max(_integer(request, "offset") or 0, 0)
    except _RefusedError as refused:
        return answer({"error": str(refused)}, status=400)
    store, workflow = services(request).store, request.query.get("workflow_id")
    live = _live(services(request), statuses, workflow)
    newer = "cancelled" in statuses
    kinds = [kind for status in statuses for kind in (_NEWER if newer else _HISTORY).get(status, ())]
    needed = span(len(live), limit, offset)
    key: SortKey = "duration" if sort_by == "execution_duration" else "create_time"
    rows, ended = await store.page(
        kinds, workflow, key, descending=descending, limit=needed.limit, offset=needed.offset
    )
    jobs = merge(live, [_finished(row, newer) for row in rows], sort_by, descending, limit, offset)
    return answer(page(jobs, limit, offset, len(live) + ended))


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

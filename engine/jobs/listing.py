"""Jobs as `/api/jobs` tells them: counts, a picture to show, filters, order and pages."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from engine.jobs.job import HistoryRow, Job, encode

_MEDIA = frozenset({"images", "video", "audio"})
_MODELS_3D = (".obj", ".fbx", ".gltf", ".glb")


def summarize_outputs(outputs: Mapping[str, Any]) -> tuple[int, dict[str, Any] | None]:
    """How many items a job made, and the one to show: the first saved one that can be shown, else any."""
    count = 0
    fallback: dict[str, Any] | None = None
    chosen: dict[str, Any] | None = None
    for node_id, media, item in _items(outputs):
        count += 1
        if chosen is not None or not _can_be_shown(media, item):
            continue
        shown = {**item, "nodeId": node_id, "mediaType": media}
        if item.get("type") == "output":
            chosen = shown
        elif fallback is None:
            fallback = shown
    return count, chosen or fallback


def preview_of(preview: dict[str, Any] | None) -> bytes | None:
    return None if preview is None else encode(preview)


def _items(outputs: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for node_id, by_media in outputs.items():
        if not isinstance(by_media, Mapping):
            continue
        for media, items in by_media.items():
            if media == "animated" or not isinstance(items, list):
                continue
            for item in items:
                if isinstance(item, Mapping):
                    yield node_id, media, item


def _can_be_shown(media: str, item: Mapping[str, Any]) -> bool:
    kind = str(item.get("format") or "")
    name = str(item.get("filename") or "").lower()
    return media in _MEDIA or kind.startswith(("video/", "audio/")) or name.endswith(_MODELS_3D)


def waiting_job(job: Job, status: str) -> dict[str, Any]:
    """A job that waits or runs; keys without a value are left out, as for all jobs."""
    told = {
        "id": job.prompt_id,
        "status": status,
        "priority": job.number,
        "create_time": job.create_time,
        "outputs_count": 0,
        "workflow_id": job.workflow_id,
    }
    return _without_none(told)


def finished_job(row: HistoryRow) -> dict[str, Any]:
    """A job of the history; an interrupted one is `failed` without an error."""
    told = {
        "id": row.prompt_id,
        "status": "completed" if row.status == "success" else "failed",
        "priority": row.number,
        "create_time": row.create_time,
        "execution_start_time": row.start_time,
        "execution_end_time": row.end_time,
        "execution_error": None if row.error is None else msgspec.Raw(row.error),
        "outputs_count": row.outputs_count,
        "preview_output": None if row.preview is None else msgspec.Raw(row.preview),
        "workflow_id": row.workflow_id,
    }
    return _without_none(told)


def sort_key(by: str) -> Callable[[Mapping[str, Any]], int]:
    """What jobs are sorted by: `created_at` or `execution_duration` (jobs without one count as 0)."""
    return _duration if by == "execution_duration" else _created


def _duration(job: Mapping[str, Any]) -> int:
    start, end = job.get("execution_start_time"), job.get("execution_end_time")
    return 0 if start is None or end is None else max(0, int(end) - int(start))


def _created(job: Mapping[str, Any]) -> int:
    return int(job["create_time"])


def in_order(jobs: list[dict[str, Any]], by: str, descending: bool) -> list[dict[str, Any]]:
    """Sorted; at the same moment they stay as they are."""
    return sorted(jobs, key=sort_key(by), reverse=descending)


class Span(NamedTuple):
    """A piece of the ordered history. `limit` None: to its end."""

    offset: int
    limit: int | None


def span(live: int, limit: int | None, offset: int) -> Span:
    """The piece of the history that a page of the whole list may show, when `live` jobs wait or run.

    They may stand anywhere in the order, so the piece is longer than the page by as many.
    """
    return Span(max(0, offset - live), None if limit is None else limit + min(live, offset))


def merge(
    live: list[dict[str, Any]],
    ended: list[dict[str, Any]],
    by: str,
    descending: bool,
    limit: int | None,
    offset: int,
) -> list[dict[str, Any]]:
    """A page of jobs that wait or run with those that ended; `ended` is the `span` of these for this page."""
    first = max(0, offset - len(live))
    ordered = in_order([*live, *ended], by, descending)  # stable: at the same moment, what is alive comes first
    return ordered[offset - first :] if limit is None else ordered[offset - first : offset - first + limit]


async def weave(
    live: list[dict[str, Any]], ended: AsyncIterator[Iterable[dict[str, Any]]], by: str, descending: bool
) -> AsyncIterator[dict[str, Any]]:
    """As `merge`, for a history that is too long for a list: `ended` brings it in pieces, in order."""
    waiting, key = deque(in_order(live, by, descending)), sort_key(by)
    async for piece in ended:
        for job in piece:
            there = key(job)
            while waiting and (key(waiting[0]) >= there if descending else key(waiting[0]) <= there):
                yield waiting.popleft()
            yield job
    for job in waiting:
        yield job


def page(jobs: list[dict[str, Any]], limit: int | None, offset: int, total: int) -> dict[str, Any]:
    """The page `jobs`, and where it is."""
    return {"jobs": jobs, "pagination": pagination(len(jobs), limit, offset, total)}


def pagination(shown: int, limit: int | None, offset: int, total: int) -> dict[str, Any]:
    """Where a page of `shown` jobs is in the whole list."""
    return {"offset": offset, "limit": limit, "total": total, "has_more": offset + shown < total}


def _without_none(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}

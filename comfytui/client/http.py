"""The requests: one method a route; what they have in common is in `transport`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from comfytui.client import answers, sanitize
from comfytui.client import messages as m
from comfytui.client.catalogue import read_catalogue
from comfytui.client.errors import (
    BadAnswer,
    ClientError,
    Missing,
    NotComfyUI,
    ServerFailed,
    Unreachable,
)
from comfytui.client.frames import logs, old_logs
from comfytui.client.readers import mapping, whole_object
from comfytui.client.transport import PATIENCE, Transport

MAX_FILE = 512 << 20  # a video; what is larger does not belong in memory


class Http(Transport):
    """The routes of one server."""

    async def queue_remaining(self) -> int:
        """GET /prompt: how many jobs wait or run. The smallest question there is: also tells whether this is ComfyUI."""
        data = mapping(await self._json("GET", "/prompt"))
        info = data.get("exec_info")
        if not isinstance(info, dict):
            raise self._not_comfyui("its /prompt says nothing about a queue")
        count = info.get("queue_remaining")
        return count if isinstance(count, int) else 0

    async def queue(self, known: Container[str] = ()) -> m.Queue:
        """GET /queue. The graphs of `known` ids are not read again."""
        return await self._read("/queue", lambda value: answers.queue(value, known))

    async def delete_waiting(self, ids: Iterable[str]) -> None:
        """POST /queue: what is not waiting is ignored by the server."""
        await self._send("/queue", {"delete": list(ids)})

    async def clear_waiting(self) -> None:
        await self._send("/queue", {"clear": True})

    async def history(
        self, *, max_items: int, offset: int | None = None, known: Container[str] = ()
    ) -> tuple[m.HistoryEntry, ...]:
        """GET /history, oldest first: the last `max_items`, or as many from index `offset` (0 is the oldest)."""
        query = {"max_items": str(max_items)} | ({} if offset is None else {"offset": str(offset)})
        return await self._read("/history", lambda value: answers.history(value, known), query)

    async def history_entry(self, prompt_id: str) -> m.HistoryEntry:
        """GET /history/{id}. Raises Missing: the server says `{}` then."""
        found = await self._read(f"/history/{_segment(prompt_id)}", answers.history)
        if not found:
            raise Missing(f"The server has no history of prompt {sanitize.key(prompt_id)}.", where=self.target.url)
        return found[0]

    async def delete_history(self, ids: Iterable[str]) -> None:
        await self._send("/history", {"delete": list(ids)})

    async def finished_total(self) -> int | None:
        """How long the history is, from GET /api/jobs; None if this server has no such route.

        All jobs less those in the queue: the names of the finished states differ between versions.
        """
        try:
            total, queued = await asyncio.gather(self._jobs_total(), self._jobs_total("pending,in_progress"))
        except (Missing, NotComfyUI, BadAnswer, ServerFailed):
            return None
        return None if total is None or queued is None else max(0, total - queued)

    async def finished_jobs(self, *, limit: int, offset: int) -> tuple[tuple[m.HistoryEntry, ...], int] | None:
        """Finished jobs from GET /api/jobs, without graphs, and how many there are; None without such a route.

        `offset` 0 is the newest; the answer is the oldest first, as that of `history`. Servers before 0.38 refuse the
        status `cancelled`, and tell interrupted jobs as failed.
        """
        for status in ("completed,failed,cancelled", "completed,failed"):
            query = {"status": status, "limit": str(limit), "offset": str(offset)}
            try:
                return await self._read("/api/jobs", answers.finished_jobs, query)
            except ServerFailed:  # an unknown status is a 400
                continue
            except (Missing, NotComfyUI, BadAnswer):
                break
        return None

    async def _jobs_total(self, status: str | None = None) -> int | None:
        query = {"limit": "1"} | ({} if status is None else {"status": status})
        data = mapping(await self._json("GET", "/api/jobs", query))
        total = mapping(data.get("pagination")).get("total")
        return total if isinstance(total, int) and not isinstance(total, bool) else None

    async def submit(self, body: Mapping[str, Any]) -> m.Submitted:
        """POST /prompt. Raises Refused when validation failed."""
        return answers.submitted(await self._json("POST", "/prompt", body=body, patience=PATIENCE))

    async def interrupt(self, prompt_id: str | None = None) -> None:
        await self._send("/interrupt", {} if prompt_id is None else {"prompt_id": prompt_id})

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        await self._send("/free", {"unload_models": unload_models, "free_memory": free_memory})

    async def system_stats(self) -> m.SystemStats:
        return await self._read("/system_stats", answers.system_stats)

    async def object_info(self) -> Mapping[str, Any]:
        """GET /object_info, cleaned. Megabytes on a full install: ask once."""
        return await self._read("/object_info", read_catalogue, patience=PATIENCE, parse=bytes)

    async def models(self, folder: str | None = None) -> tuple[str, ...]:
        """GET /models[/folder]. Raises Missing for an unknown folder."""
        if folder is None:
            return await self._read("/models", answers.names)
        try:
            return await self._read(f"/models/{_segment(folder)}", answers.names)
        except Missing as error:
            raise Missing(
                f"{self.target.label} has no model folder {sanitize.line(folder)}.", where=self.target.url
            ) from error

    async def embeddings(self) -> tuple[str, ...]:
        """GET /embeddings: the names that `embedding:` in a prompt takes."""
        return await self._read("/embeddings", answers.names)

    async def settings(self) -> Mapping[str, Any]:
        return await self._read("/settings", whole_object)

    async def set_setting(self, key: str, value: Any) -> None:
        await self._send(f"/settings/{_segment(key)}", value)

    async def logs(self) -> m.Logs:
        """GET /internal/logs/raw, or /internal/logs on older servers: the last lines. Raises Missing, Denied."""
        try:
            return logs(mapping(await self._json("GET", "/internal/logs/raw")))
        except (Missing, NotComfyUI, BadAnswer):
            return await self._read("/internal/logs", old_logs)

    async def subscribe_logs(self, client_id: str, on: bool) -> None:
        """PATCH /internal/logs/subscribe: `logs` events on that client's socket, or none.

        It changes nothing for anybody else, so who only reads may send it.
        """
        body = {"clientId": client_id, "enabled": on}
        await self._request("PATCH", "/internal/logs/subscribe", body=body, harmless=True)

    async def view(self, name: m.RawName, preview: str | None = None) -> bytes:
        """GET /view: the bytes of a file. Raises Missing when it is gone (temporary files die with the server)."""
        query = {"filename": name.filename, "subfolder": name.subfolder, "type": name.type}
        if preview is not None:
            query["preview"] = preview
        try:
            return (await self._request("GET", "/view", query, limit=MAX_FILE)).content
        except (Missing, NotComfyUI) as error:
            raise Missing(
                f"{sanitize.line(name.filename)} is no longer on the server. Temporary files go when it restarts.",
                where=self.target.url,
            ) from error

    async def view_size(self, name: m.RawName) -> int | None:
        """How many bytes a file has, without fetching it; None if the server does not say. Raises Missing if it is gone.

        HEAD /view, which ComfyUI answers like every GET (aiohttp does that by itself); where a proxy refuses it, the first
        byte is asked for: what comes back says of how many it is the first (RFC 9110, 14.4).
        """
        query = {"filename": name.filename, "subfolder": name.subfolder, "type": name.type}
        try:
            found = (await self._request("HEAD", "/view", query)).length
            if found is not None:
                return found
        except Unreachable:
            raise
        except (
            ClientError
        ):  # gone, or only HEAD is refused, in as many ways as there are proxies: a GET tells them apart
            pass
        try:
            return (await self._request("GET", "/view", query, first=1)).length
        except Missing as error:
            raise Missing(
                f"{sanitize.line(name.filename)} is no longer on the server.", where=self.target.url
            ) from error

    async def upload_image(
        self, data: bytes, name: str, *, overwrite: bool = False, sent: Callable[[int], None] | None = None
    ) -> str:
        """POST /upload/image into the input folder; returns the value for LoadImage.

        `sent` is told, again and again, how many bytes of `data` are on their way.
        """
        answer = mapping(
            await self._json(
                "POST",
                "/upload/image",
                files={"image": (name, _Told(data, sent), "application/octet-stream")},
                form={"type": "input", "overwrite": "true" if overwrite else "false"},
            )
        )
        stored = answer.get("name")
        if not isinstance(stored, str) or not stored:
            raise BadAnswer("The server took the upload but did not say under which name.", where=self.target.url)
        folder = answer.get("subfolder")
        return f"{folder}/{stored}" if isinstance(folder, str) and folder else stored

    async def node_info(self, class_type: str) -> Mapping[str, Any]:
        """GET /object_info/{class}, cleaned: {class: declaration}, or {} for a class that is not there."""
        return await self._read(f"/object_info/{_segment(class_type)}", whole_object, patience=PATIENCE)


class _Told(io.BytesIO):
    """Bytes that tell how many of them were read."""

    def __init__(self, data: bytes, told: Callable[[int], None] | None) -> None:
        super().__init__(data)
        self._told = told

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self._told is not None:
            self._told(self.tell())
        return data


def _segment(text: str) -> str:
    """One segment of a path, whatever is in it."""
    return quote(text, safe="", errors="replace")

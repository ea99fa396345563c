"""What a server has that holds a workflow, byte for byte: saved files and entries of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from comfytui.client import sanitize
from comfytui.client.errors import Missing

if TYPE_CHECKING:
    from comfytui.client.http import Http

MAX_FILE: Final = 512 << 20  # bytes: a film is fetched whole, for servers need not answer for a part of it
MAX_ENTRY: Final = 64 << 20


class Served:
    """Its methods raise ClientError. What they give is foreign, and not cleaned: it is to be read, not shown."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def file(self, filename: str, subfolder: str, folder: str) -> bytes:
        """GET /view: a file of one of the server's folders output, input, temp. Raises Missing, TooLarge."""
        query = {"filename": filename, "subfolder": subfolder, "type": folder}
        try:
            return await self._http.exchange("GET", "/view", query, limit=MAX_FILE)
        except Missing as error:
            raise Missing(
                f"{sanitize.line(filename)} is not in the server's {folder} folder.", where=error.where
            ) from error

    async def entry(self, prompt_id: str) -> bytes:
        """GET /history/{id}: JSON. Raises Missing: the server answers `{}` for a job that it does not know."""
        data = await self._http.exchange("GET", f"/history/{quote(prompt_id, safe='')}", limit=MAX_ENTRY)
        if data.strip() in (b"", b"{}"):
            raise Missing(f"The server has no history of job {sanitize.key(prompt_id)}.", where=self._http.target.url)
        return data

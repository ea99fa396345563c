"""One HTTP exchange with a server: bounded, recorded, and every failure a `ClientError` that says what to do."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import httpx
import msgspec

from comfytui.client import answers, sanitize
from comfytui.client.errors import (
    BadAnswer,
    BadTarget,
    ClientError,
    Exists,
    Missing,
    NotComfyUI,
    ReadOnly,
    ServerFailed,
    TooLarge,
    Unreachable,
    denied,
)
from comfytui.client.reaching import LIMITS, tls_context, tunnelled, why_unreachable
from comfytui.client.readers import decode, whole_object
from comfytui.client.recording import Recorder
from comfytui.client.target import Target

# httpx logs the URL of each request, and a token may be in its query.
logging.getLogger("httpx").addFilter(lambda record: record.levelno >= logging.WARNING)

Read = TypeVar("Read")

MEBI = 1 << 20
MAX_REASON = 4096  # bytes of a refusal that are read for its words
MAX_JSON = 64 * MEBI  # object_info of a full install is below 10
PATIENCE = 120.0  # seconds for answers that may need a model folder scanned, or a worker that is still starting
IN_THREAD = 256 * 1024  # bytes of JSON from which decoding and cleaning would be felt as a pause of the screen


class Answer(msgspec.Struct, frozen=True):
    """Status, type and the whole body of an answer."""

    status: int
    content_type: str
    content: bytes
    length: int | None = None  # as the headers have it; of a HEAD, the length that a GET would have

    @property
    def looks_like_html(self) -> bool:
        return "html" in self.content_type.lower() or self.content[:256].lstrip().lower().startswith(
            (b"<!doctype", b"<html")
        )


class Transport:
    """The connections to one server, shared by all requests; close it with `aclose` or as a context manager."""

    def __init__(
        self,
        target: Target,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """`transport` replaces the network; `recorder` is given every answer. Raises BadTarget for headers, a CA bundle or a proxy that cannot be used."""
        self.target = target
        self._recorder = recorder
        self.read_only = False  # refuse whatever would change the server
        # Of a server with several users (`--multi-user`): the id of the one that we are; "" is nobody's.
        self.user = next((value for name, value in target.headers.items() if name.lower() == "comfy-user"), "")
        self.server_date: float | None = None  # seconds, of the newest answer, as the server's clock has them
        try:
            self._client = httpx.AsyncClient(
                headers={"Accept": "application/json, */*", "User-Agent": "comfytui", **target.request_headers()},
                params=dict(target.query),
                # without TLS no authorities are read: that takes 20 ms of the start
                verify=(context := tls_context(target) or False),
                limits=LIMITS,
                trust_env=not target.is_loopback,  # proxies of the environment, NO_PROXY and .netrc
                follow_redirects=False,  # credentials go nowhere but where they were meant for
                transport=transport or tunnelled(target, context),
            )
        except (ValueError, TypeError) as error:
            said = "they must be plain text" if isinstance(error, UnicodeError) else target.scrubbed(str(error))
            raise BadTarget(f"{target.label}: headers or proxy cannot be used: {said}.") from None
        except ImportError as error:  # httpx: ALL_PROXY=socks5://… without its extra
            raise BadTarget(
                f"{target.label}: the environment names a SOCKS proxy, which needs `pip install socksio python-socks`. "
                "Install them, or name the host in NO_PROXY."
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the open connections."""
        await self._client.aclose()

    def may_change(self) -> None:
        """Raises ReadOnly if nothing may be changed; what takes several requests asks before its first."""
        if self.read_only:
            raise ReadOnly(
                f"{self.target.label} is open for reading only: nothing was sent. Turn read-only off to change it.",
                where=self.target.url,
            )

    async def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        limit: int | None = None,
    ) -> bytes:
        """One request for a route that has a module of its own; the bytes of its answer."""
        return (await self._request(method, path, query, body=body, limit=limit)).content

    async def _read(
        self,
        path: str,
        reader: Callable[[Any], Read],
        query: Mapping[str, str] | None = None,
        *,
        patience: float | None = None,
        parse: Callable[[bytes], Any] = decode,
    ) -> Read:
        """GET, decode and read; in a thread when it is long. `parse` bytes: the reader decodes by itself."""
        answer = await self._request("GET", path, query, patience=patience)

        def work() -> Read:
            return reader(parse(answer.content))

        try:
            return await asyncio.to_thread(work) if len(answer.content) > IN_THREAD else work()
        except BadAnswer as error:
            raise self._unreadable(path, answer, error) from error

    async def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        files: Mapping[str, tuple[str, BinaryIO, str]] | None = None,
        form: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> Any:
        answer = await self._request(method, path, query, body=body, files=files, form=form, patience=patience)
        try:
            return decode(answer.content)
        except BadAnswer as error:
            raise self._unreadable(path, answer, error) from error

    async def _send(self, path: str, body: Any) -> None:
        """A POST whose answer has no content."""
        await self._request("POST", path, body=body)

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        files: Mapping[str, tuple[str, BinaryIO, str]] | None = None,
        form: Mapping[str, str] | None = None,
        limit: int | None = None,
        first: int = 0,
        patience: float | None = None,
        harmless: bool = False,
    ) -> Answer:
        """Send, receive at most `limit` (MAX_JSON) bytes after decompression, and turn every failure into a ClientError.

        `patience`: seconds to wait for an answer to begin, if more than the target's timeout. `harmless`: sent even if
        nothing may be changed. `first`: ask for so many bytes of the beginning alone, and read no more of it.
        """
        where = self.target.url
        if method not in ("GET", "HEAD") and not harmless:
            self.may_change()
        if self._client.is_closed:
            raise Unreachable(f"The connection to {self.target.label} was closed.", where=where)
        headers = {"Content-Type": "application/json"} if method in ("POST", "PATCH") and files is None else {}
        # json.dumps, not httpx's `json=`: raw graphs may hold NaN and lone surrogates, and must go back as they came.
        content = json.dumps(body).encode() if headers else None
        if self.user:
            headers["comfy-user"] = self.user
        if first:
            headers = {"Range": f"bytes=0-{first - 1}", "Accept-Encoding": "identity"}
        wait = max(self.target.timeout, patience or 0.0)
        asked = self._recorder.now() if self._recorder is not None else 0.0
        timeout = httpx.Timeout(self.target.timeout, read=wait, pool=None)
        try:
            async with self._client.stream(
                method,
                where + path,
                params=query,
                content=content,
                files=files,
                data=form,
                headers=headers,
                timeout=timeout,
            ) as response:
                self._note_date(response.headers.get("date"))
                whole = first and response.status_code == 200  # the range was not heeded
                data = b"" if whole else await _bounded(response, MAX_JSON if limit is None else limit)
                answer = Answer(response.status_code, response.headers.get("content-type", ""), data, _length(response))
                location = response.headers.get("location", "")
        except httpx.TimeoutException as error:
            raise Unreachable(
                f"{self.target.label} did not answer {path} within {wait:g} s. Is it overloaded?",
                where=where,
            ) from error
        except httpx.TransportError as error:
            raise Unreachable(why_unreachable(self.target, error), where=where) from error
        except (httpx.InvalidURL, httpx.DecodingError, UnicodeError) as error:
            said = sanitize.line(self.target.scrubbed(str(error)))
            raise BadAnswer(f"{self.target.label}{path}: {said}", where=where) from error
        except TooLarge as error:
            raise TooLarge(f"{self.target.label}{path}: {error}", where=where) from None
        if first and (answer.status == 206 or (answer.status == 416 and answer.length is not None)):
            return answer
        if self._recorder is not None and not first:
            self._recorder.answer(asked, method, path, query, answer.status, answer.content_type, answer.content)
        if answer.status not in (200, 204):
            raise self._refusal(path, answer, location)
        return answer

    def _note_date(self, value: str | None) -> None:
        try:
            self.server_date = None if value is None else email.utils.parsedate_to_datetime(value).timestamp()
        except ValueError:
            self.server_date = None

    def _refusal(self, path: str, answer: Answer, location: str) -> ClientError:
        """The error for an answer other than 200 and 204."""
        name, where, status = self.target.label, self.target.url, answer.status
        if status in (401, 403, 407):
            return denied(self.target, path, status, self.target.scrubbed(_reason(answer.content)))
        if 300 <= status < 400:
            to = f" to {sanitize.line(self.target.scrubbed(location), 200)}" if location else ""
            return NotComfyUI(f"{name} redirects{to} (HTTP {status}). Use the address where ComfyUI is.", where=where)
        if status == 413:
            return TooLarge(
                f"{name} finds the request too large. Start it with a larger --max-upload-size.", where=where
            )
        if status in (502, 503, 504):
            return Unreachable(
                f"{name}: the gateway has no server behind it now (HTTP {status}). Is ComfyUI running?", where=where
            )
        if status == 400 and path == "/prompt":
            try:
                refused = answers.refusal(decode(answer.content), where)
            except BadAnswer:
                refused = None
            if refused is not None:
                return refused
        if status == 409:
            return Exists(f"{name} has something of that name already (HTTP {status}).", where=where)
        if status in (404, 405, 410):
            if answer.looks_like_html:
                return self._not_comfyui(f"{path} is a web page that says HTTP {status}")
            return Missing(f"{name} has no {path} (HTTP {status}). Is the address's path right?", where=where)
        said = ""
        if not answer.looks_like_html:  # scrubbed before it is cut: half a token is one too many
            said = sanitize.line(self.target.scrubbed(answer.content[:4096].decode(errors="replace")), 200)
        return ServerFailed(
            f"{name} failed at {path} (HTTP {status}){': ' + said if said else ''}. Its log may say why.", where=where
        )

    def _unreadable(self, path: str, answer: Answer, error: BadAnswer) -> ClientError:
        if answer.looks_like_html:
            return self._not_comfyui(f"{path} is a web page")
        return BadAnswer(
            f"{self.target.label}{path}: {error}. Is it ComfyUI, and is a proxy in between?", where=self.target.url
        )

    def _not_comfyui(self, why: str) -> NotComfyUI:
        return NotComfyUI(
            f"{self.target.label} answers, but not as ComfyUI does: {why}. Check host, port and path.",
            where=self.target.url,
        )


def _length(response: httpx.Response) -> int | None:
    if response.status_code in (206, 416):  # of a part: "bytes 0-0/1234", or "bytes */0"
        said = response.headers.get("content-range", "").rpartition("/")[2]
    else:
        said = response.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 19 else None


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    """The body. Raises TooLarge as soon as it exceeds `limit`: a compressed answer may grow a thousandfold."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes(65_536):
        size += len(part)
        if size > limit:
            raise TooLarge(f"the answer is larger than {limit // MEBI} MiB; it was not read to its end")
        parts.append(part)
    return b"".join(parts)


def _reason(content: bytes) -> str:
    """Message and details of a refusal, if it is one that says so in JSON; cleaned."""
    try:
        error = whole_object(decode(content[:MAX_REASON])).get("error")
    except BadAnswer:
        return ""
    parts = [error.get("message"), error.get("details")] if isinstance(error, dict) else []
    return sanitize.line("; ".join(part for part in parts if isinstance(part, str) and part), 300)

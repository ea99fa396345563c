"""The requests: one method a route, bounded answers, and every failure as a `ClientError` that says what to do."""

from __future__ import annotations

import asyncio
import email.utils
import io
import json
import logging
import ssl
from collections.abc import Callable, Container, Iterable, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from comfytui.client import answers, sanitize
from comfytui.client import messages as m
from comfytui.client.catalogue import read_catalogue
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
from comfytui.client.frames import logs, old_logs
from comfytui.client.readers import decode, mapping
from comfytui.client.recording import Recorder
from comfytui.client.target import Target

# httpx logs the URL of each request, and a token may be in its query.
logging.getLogger("httpx").addFilter(lambda record: record.levelno >= logging.WARNING)

Read = TypeVar("Read")

MEBI = 1 << 20
MAX_REASON = 4096  # bytes of a refusal that are read for its words
MAX_JSON = 64 * MEBI  # object_info of a full install is below 10
MAX_FILE = 512 * MEBI  # a video; what is larger does not belong in memory
PATIENCE = 120.0  # seconds for answers that may need a model folder scanned, or a worker that is still starting
LIMITS = httpx.Limits(max_connections=8, max_keepalive_connections=4)
IN_THREAD = 256 * 1024  # bytes of JSON from which decoding and cleaning would be felt as a pause of the screen


class Http:
    """The HTTP side of one server. Open connections are shared; close it with `aclose` or as a context manager."""

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
                transport=transport or _tunnelled(target, context),
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

    # Routes ----------------------------------------------------------------------------------------------------------

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
        return await self._read("/settings", _object)

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

    async def node_info(self, class_type: str) -> Mapping[str, Any]:
        """GET /object_info/{class}, cleaned: {class: declaration}, or {} for a class that is not there."""
        return await self._read(f"/object_info/{_segment(class_type)}", _object, patience=PATIENCE)

    # How -------------------------------------------------------------------------------------------------------------

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


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Whom to trust, and as whom we come; None without TLS. Raises BadTarget for files that cannot be used.

    `verify` of the target: the system's authorities, those of a bundle, or (False) anybody.
    """
    if not target.url.startswith("https:"):
        return None
    bundle = target.verify if isinstance(target.verify, str) else None
    try:
        context = ssl.create_default_context(cafile=bundle)
    except OSError as error:  # an SSLError is one too
        said = error.strerror or "it holds no certificate"
        raise BadTarget(f"{target.label}: the CA bundle {bundle} cannot be used: {said}.", where=target.url) from error
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if (mine := target.certificate) is not None:
        # A password always, if an empty one: OpenSSL would ask the terminal for it otherwise.
        try:
            context.load_cert_chain(mine.file, mine.key or None, password=lambda: mine.password)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", "") or "not PEM, a key of another certificate, or another password"
            raise BadTarget(
                f"{target.label}: the client certificate {mine.file} cannot be used: {sanitize.line(said)}.",
                where=target.url,
            ) from None
    return context


def _tunnelled(target: Target, context: ssl.SSLContext | bool) -> httpx.AsyncHTTPTransport | None:
    """Through the tunnel: the server's name stays in the URL, in the Host header and in TLS."""
    if target.via is None:
        return None
    return httpx.AsyncHTTPTransport(uds=target.via.path, verify=context, limits=LIMITS, trust_env=False)


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS library's own words behind an exception: a server that wants a certificate says so with the first answer only."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def why_unreachable(target: Target, error: BaseException) -> str:
    """A sentence for an exception of the network, and what to do about it."""
    said = str(_tls_error(error) or error) or type(error).__name__
    text = sanitize.line(target.scrubbed(said), 200).rstrip(".")
    low = text.lower()
    if "certificate required" in low or "certificate_required" in low or "alert bad certificate" in low:
        return f"{target.label} wants a certificate of ours ({text}). Name cert and key in the server's settings."
    if "certificate" in low:
        return (
            f"{target.label}: its certificate is not trusted ({text}). "
            "Name its CA bundle (ca) in the server's settings, or turn verification off (verify = false)."
        )
    if isinstance(error, httpx.ReadError) and target.url.startswith("https:") and target.certificate is None:
        # Its alert is often overtaken by the end of the connection.
        return (
            f"{target.label} broke the connection off ({text}). If it wants a certificate of ours, name cert and key."
        )
    if "ssl" in low or "wrong version number" in low or "tls" in low:
        return f"{target.label} does not speak TLS as expected ({text}). Try http:// instead of https://."
    if target.via is not None and ("no such file" in low or "refused" in low or "attempts failed" in low):
        return f"The tunnel to {target.via.host} is not open ({text}). It is opened again by itself."
    if target.via is not None:
        there = target.url.partition("://")[2].partition("/")[0]
        return (
            f"The tunnel to {target.via.host} is open, but nothing answers at {there} there ({text}). "
            f"Is ComfyUI running on {target.via.host}, and is the port right?"
        )
    if (
        "name or service not known" in low
        or "nodename nor servname" in low
        or "getaddrinfo" in low
        or "resolution" in low
    ):
        return f"{target.label}: no such host. Check the name, or the tunnel to it."
    if "refused" in low or "connect call failed" in low or "all connection attempts failed" in low:
        return f"{target.label} refuses connections. Is ComfyUI running there, and is the port right?"
    return f"{target.label} cannot be reached: {text}. Check the network, or the tunnel to it."


def _reason(content: bytes) -> str:
    """Message and details of a refusal, if it is one that says so in JSON; cleaned."""
    try:
        error = _object(decode(content[:MAX_REASON])).get("error")
    except BadAnswer:
        return ""
    parts = [error.get("message"), error.get("details")] if isinstance(error, dict) else []
    return sanitize.line("; ".join(part for part in parts if isinstance(part, str) and part), 300)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadAnswer("the answer is not an object")
    cleaned: Mapping[str, Any] = sanitize.json_value(value)
    return cleaned


def _segment(text: str) -> str:
    """One segment of a path, whatever is in it."""
    return quote(text, safe="", errors="replace")

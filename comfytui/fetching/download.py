"""One file over HTTPS: resumed where it stopped, its hash checked, and under its own name only when it is whole.

Until then it is `NAME.part`, and beside it `NAME.part.json` says from where it comes. (RFC 9110, section 14: ranges; a server that
has another version by now sends the whole file, because of If-Range.)
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import ipaddress
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from io import BufferedRandom
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from comfytui.fetching.errors import FetchError

CHUNK = 1 << 20  # bytes that go to the disk at a time
REDIRECTS = 8
TRIES = 6  # in a row without a byte
SPARE = 256 << 20  # bytes of the disk that are left alone
MAX_SIZE = 2 << 40
TIMEOUT = httpx.Timeout(30.0)
TOKENS = {"huggingface.co": "HF_TOKEN", "civitai.com": "CIVITAI_TOKEN"}  # by host: the variable with the token for it
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Progress(msgspec.Struct, frozen=True):
    """How far it is. `total` None: the server does not say. `rate` in bytes a second, of this run."""

    done: int
    total: int | None
    rate: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds."""
        return (self.total - self.done) / self.rate if self.total is not None and self.rate else None


class _Origin(msgspec.Struct, frozen=True):
    """From where a part comes. `tag` is a strong ETag, or the date of change; a part without one cannot be gone on with."""

    url: str
    tag: str = ""


class _BrokenError(Exception):
    """The connection broke; what came is kept."""


async def size_of(url: str) -> int | None:
    """Bytes, as the server says; None if it does not say. Raises FetchError."""
    try:
        async with _client() as client, _opened(client, "HEAD", url, {"Accept-Encoding": "identity"}) as answer:
            if 400 <= answer.status_code < 500 or answer.status_code == 501:
                return None  # signed addresses refuse this where they answer GET, and only that counts
            _check(answer, url)
            return _length(answer)
    except _BrokenError as error:
        raise FetchError(str(error)) from error


async def fetch(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    progress: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Fetch `url` into the new file `target`, whose folders are made. Cancelled, it keeps what has come.

    Raises FetchError: for addresses that are not https (http only on this machine), for what is no model (a page, a pointer of
    Git LFS), a wrong hash, a full disk, a file that is there already, and for one that somebody else is fetching.
    """
    try:
        if await asyncio.to_thread(os.path.lexists, target):
            raise FetchError(f"{target} is there already; nothing was fetched")
        await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        with part.open("ab+") as file:
            _lock(file, target)
            await asyncio.to_thread(_still_ours, file, part, target)
            async with _client() as client:
                await _fill(client, url, file, part, progress)
            await asyncio.to_thread(_finish, file, part, target, sha256)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else error.strerror or str(error)
        raise FetchError(f"{target} cannot be written: {why}. What came is kept") from error


async def _fill(
    client: httpx.AsyncClient, url: str, file: BufferedRandom, part: Path, progress: Callable[[Progress], None]
) -> None:
    failures, began, first = 0, time.monotonic(), os.fstat(file.fileno()).st_size
    while True:
        before = os.fstat(file.fileno()).st_size
        try:
            return await _stream(
                client, url, file, part, lambda done, total: progress(_progress(done, total, first, began))
            )
        except _BrokenError as error:
            failures = 0 if os.fstat(file.fileno()).st_size > before else failures + 1
            if failures >= TRIES:
                raise FetchError(
                    f"{_host(url)} does not go on: {error}. What came is kept; fetch it again later"
                ) from error
            await asyncio.sleep(min(10.0, 0.2 * 2.0**failures))


def _progress(done: int, total: int | None, first: int, began: float) -> Progress:
    seconds = time.monotonic() - began
    return Progress(done, total, (done - first) / seconds if seconds > 0.5 and done > first else None)


async def _stream(
    client: httpx.AsyncClient, url: str, file: BufferedRandom, part: Path, told: Callable[[int, int | None], None]
) -> None:
    """Append what is missing. Raises _BrokenError where another try may help, FetchError."""
    have, origin = os.fstat(file.fileno()).st_size, _origin(part)
    headers = {"Accept-Encoding": "identity"}
    if have and origin.url == url and origin.tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": origin.tag}
    async with _opened(client, "GET", url, headers) as answer:
        if answer.status_code == 416:  # nothing lies behind what we have, or it is longer than the file
            length = _RANGE.match(answer.headers.get("content-range", "").replace("*/", "0-0/", 1))
            if length is not None and length[2] == str(have):
                return
            file.truncate(0)
            raise _BrokenError("the server has another file by now")
        _check(answer, url)
        start, total = 0, _length(answer)
        if answer.status_code == 206:
            match = _RANGE.match(answer.headers.get("content-range", ""))
            if match is None or int(match[1]) != have:
                file.truncate(0)
                raise _BrokenError("the server answers with another part than the one asked for")
            start, total = have, None if match[2] == "*" else int(match[2])
        else:
            file.truncate(0)
            _note(part, _Origin(url, _tag(answer)))
        _room(part, start, total)
        done, pending = start, bytearray()
        try:
            async for piece in answer.aiter_raw():
                done += len(piece)
                if done > (total if total is not None else MAX_SIZE):
                    raise FetchError(f"{_host(url)} sends more than it said; nothing of it is used")
                pending += piece
                if len(pending) >= CHUNK:
                    whole, pending = bytes(pending), bytearray()
                    await asyncio.to_thread(file.write, whole)
                    told(done, total)
        except httpx.TransportError as error:
            raise _BrokenError(str(error) or type(error).__name__) from error
        finally:
            file.write(pending)  # less than a megabyte: what came before a break or a stop is kept
            file.flush()
        told(done, total)
    if total is not None and done < total:
        raise _BrokenError(f"the connection ended at {done} of {total} bytes")


@contextlib.asynccontextmanager
async def _opened(
    client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str]
) -> AsyncIterator[httpx.Response]:
    """The answer behind all redirects, each of which must be as safe as the first address."""
    asked = url
    for _ in range(REDIRECTS):
        _safe(asked, url)
        token = os.environ.get(TOKENS.get(urlsplit(asked).hostname or "", ""), "")
        own = {**headers, "Authorization": f"Bearer {token}"} if token else headers
        request = client.build_request(method, asked, headers=own)
        try:
            answer = await client.send(request, stream=True)
        except httpx.TransportError as error:
            raise _BrokenError(f"{_host(asked)}: {str(error) or type(error).__name__}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise FetchError(f"{url[:200]!r} is no address to fetch from: {error}") from error
        try:
            if not answer.has_redirect_location:
                yield answer
                return
            asked = urljoin(asked, answer.headers["location"])
        finally:
            await answer.aclose()
    raise FetchError(f"{_host(url)} sends us on more than {REDIRECTS} times")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, headers={"User-Agent": "comfytui"})


def _safe(url: str, first: str) -> None:
    """https; http within this machine, for a mirror on it. Never from afar to this machine."""
    parts, local = urlsplit(url), _loopback(url)
    if parts.scheme == "https" and (not local or _loopback(first)):
        return
    if parts.scheme == "http" and local and _loopback(first):
        return
    if url != first:
        raise FetchError(f"{_host(first)} sends us on to {url[:100]}, which is not safe: https is needed")
    raise FetchError(f"{url[:100]} is not fetched: https is needed")


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(answer: httpx.Response, url: str) -> None:
    """Raises FetchError for what is no file, _BrokenError for what may pass."""
    status, host = answer.status_code, _host(url)
    if status in (401, 403):
        variable = TOKENS.get(host)
        fix = f"accept its licence there, and put your token into {variable}" if variable else "it wants a login"
        raise FetchError(f"{host} refuses the file ({status}): {fix}")
    if status in (404, 410):
        raise FetchError(f"{host} does not have the file any more ({status}): search for it by name")
    if status in (408, 425, 429) or status >= 500:
        raise _BrokenError(f"{host} answers {status}")
    if status not in (200, 206):
        raise FetchError(f"{host} answers {status} instead of the file")
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() in (
        "text/html",
        "application/xhtml+xml",
    ):
        raise FetchError(f"{host} answers with a page instead of the file: it may want a login. Fetch it by hand")


def _length(answer: httpx.Response) -> int | None:
    text = answer.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _tag(answer: httpx.Response) -> str:
    tag: str = answer.headers.get("etag", "")
    if tag and not tag.startswith("W/"):  # If-Range wants a strong one
        return tag
    return str(answer.headers.get("last-modified", ""))


def _room(part: Path, start: int, total: int | None) -> None:
    if total is None:
        return
    free = shutil.disk_usage(part.parent).free
    if total - start + SPARE > free:
        gigabytes = (total - start) / 1e9
        raise FetchError(f"{part.parent} has no room for {gigabytes:.1f} GB more: {free / 1e9:.1f} GB are free")


def _lock(file: BufferedRandom, target: Path) -> None:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise FetchError(f"{target.name} is being fetched already, by another program") from error


def _still_ours(file: BufferedRandom, part: Path, target: Path) -> None:
    """Between our opening and our lock another program may have finished: what we hold is then its whole file."""
    try:
        same = os.path.samestat(os.fstat(file.fileno()), part.stat())
    except FileNotFoundError:
        same = False
    if not same or os.path.lexists(target):
        raise FetchError(f"{target.name} was being fetched by another program, which has just ended; look again")


def _origin(part: Path) -> _Origin:
    try:
        return msgspec.json.decode(_note_of(part).read_bytes(), type=_Origin)
    except (OSError, msgspec.DecodeError):
        return _Origin("")


def _note(part: Path, origin: _Origin) -> None:
    _note_of(part).write_bytes(msgspec.json.encode(origin))


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _finish(file: BufferedRandom, part: Path, target: Path, sha256: str) -> None:
    """Check what came, and give it its name. What is wrong is thrown away: it would be gone on with."""
    file.flush()
    os.fsync(file.fileno())
    problem = _problem(file, sha256)
    if problem:
        part.unlink()
        _note_of(part).unlink(missing_ok=True)
        raise FetchError(f"{target.name} is not what was wanted: {problem}. It was thrown away")
    try:
        os.link(part, target)  # unlike a rename, never over a file that came meanwhile
        part.unlink()
    except FileExistsError:
        raise FetchError(f"{target} came from elsewhere meanwhile; ours is {part}") from None
    except OSError:  # a file system without links
        if target.exists():
            raise FetchError(f"{target} came from elsewhere meanwhile; ours is {part}") from None
        part.rename(target)
    _note_of(part).unlink(missing_ok=True)


def _problem(file: BufferedRandom, sha256: str) -> str:
    file.seek(0)
    start = file.read(64)
    if not start:
        return "it is empty"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, and not the file"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is a page, and not the file"
    if sha256:
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.lower():
            return f"its SHA-256 is {found}, and the workflow tells {sha256.lower()}"
    return ""


def _host(url: str) -> str:
    return urlsplit(url).hostname or url[:60]

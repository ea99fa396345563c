"""Plays a recording back, as a small server on this machine that the ordinary connection talks to.

Its clock starts with the first event stream. An answer is the one that was recorded nearest to the same moment of the clock, of
those that were asked for after the last change that was told: a question that follows an event meets what followed it then. Nothing can be changed on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.http11 import Request
from websockets.server import ServerProtocol

from comfytui.client.recording import Recording, Row

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 20
HISTORY = "/history"
_TELLS = re.compile(rb'"(status|executing|execution_(start|success|error|interrupted))"')


class Playback:
    """One recording on a port of its own. Use `start` and `stop` in a loop, or `in_thread`."""

    def __init__(self, recording: Recording, speed: float = 1.0) -> None:
        """`speed`: how many recorded seconds pass in one."""
        self.url = ""
        self._recording = recording
        self._speed = speed
        self._frames = [row for row in recording.rows if row.kind != "http"]
        self._began = next((row.t for row in self._frames if row.kind == "open"), 0.0)
        self._started: float | None = None
        self._answers: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Row]] = {}
        self._paths: dict[tuple[str, str], list[Row]] = {}
        for row in recording.rows:
            if row.kind == "http":
                self._answers.setdefault((row.method, row.path, tuple(sorted(row.query.items()))), []).append(row)
                self._paths.setdefault((row.method, row.path), []).append(row)
        self._entries = _entries(recording)
        self._ended: set[str] = set()  # jobs whose end was sent
        self._will_end = {ended for row in self._frames if (ended := _ended(row))}
        self._listed: dict[str, tuple[str, list[object]]] = {}  # by id: which list of the queue, and its item
        self._next: dict[str, int] = {}  # by client: the first frame that it did not get
        self._client_id = recording.client_id
        self._told = 0.0  # when the last change of the queue was told, that was sent
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.finished = asyncio.Event()  # the last frame was sent to somebody

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """End all connections, and listen no more."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[str]:
        """Its URL, while a thread of its own serves it: for programs that have their loop elsewhere."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="playback", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
            yield self.url
        finally:
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result(5)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5)

    # The clock -------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        if self._started is None:
            return self._began
        return self._began + (asyncio.get_running_loop().time() - self._started) * self._speed

    def _away(self) -> bool:
        """Whether the stream was down at this moment, and came back later."""
        now, up = self._now(), True
        for row in self._frames:
            if row.t > now:
                return not up and row.kind == "open"
            up = {"open": True, "closed": False}.get(row.kind, up)
        return False

    # Connections -----------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # whoever asked has gone, or does not speak HTTP
        except asyncio.CancelledError:
            pass  # the loop ends; asyncio's own callback would print what is no error
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False ends the connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        parts = urlsplit(target)
        path = unquote(parts.path)
        if self._away():
            writer.transport.abort()
            return False
        if path == "/ws":
            await self._stream(head, dict(parse_qsl(parts.query)).get("clientId", ""), reader, writer)
            return False
        length = _length(head)
        if length is None or length > MAX_BODY:
            return False
        await reader.readexactly(length)
        status, kind, body = self._answer(method, path, dict(parse_qsl(parts.query, keep_blank_values=True)))
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Answer"
        lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
        await writer.drain()
        return True

    def _answer(self, method: str, path: str, query: Mapping[str, str]) -> tuple[int, str, bytes]:
        if method != "GET":
            said = {"type": "recording", "message": "This is a recording: nothing can be changed.", "details": ""}
            return 400, "application/json", json.dumps({"error": said, "node_errors": {}}).encode()
        rows = self._answers.get((method, path, tuple(sorted(query.items()))))
        if path == HISTORY or path.startswith(HISTORY + "/"):
            found = self._history(path, query, rows)
            if found is not None:
                return 200, "application/json", self._ours(found)
        rows = rows or self._paths.get((method, path))
        if not rows:
            return 404, "", b""
        now = self._now()
        newer = [row for row in rows if row.asked >= self._told] or rows[-1:]
        row = min(newer, key=lambda row: abs(row.asked - now))
        if path == "/queue" and row.status == 200:
            return 200, row.content_type, self._ours(self._in_step(row.data))
        text = "json" in row.content_type
        return row.status, row.content_type, self._ours(row.data) if text else row.data

    def _history(self, path: str, query: Mapping[str, str], rows: list[Row] | None) -> bytes | None:
        """From all recorded entries, where the very question was not recorded, or came too early then."""
        if path != HISTORY:
            prompt_id = path.removeprefix(HISTORY + "/")
            if prompt_id not in self._entries:
                return None
            return json.dumps({prompt_id: self._entries[prompt_id][1]}).encode()
        if rows:
            return None
        now = self._now()
        entries = [(key, value) for key, (t, value) in self._entries.items() if t <= now]
        count = _number(query.get("max_items"), len(entries))
        offset = _number(query.get("offset"), max(0, len(entries) - count))
        return json.dumps(dict(entries[offset : offset + count])).encode()

    def _in_step(self, data: bytes) -> bytes:
        """A queue that agrees with the frames that were sent: without what has ended, and with what will be told to end."""
        try:
            value = json.loads(data)
        except ValueError:
            return data
        lists = value if isinstance(value, dict) else {}
        listed: dict[str, tuple[str, list[object]]] = {}
        for name, items in lists.items():
            for item in items if isinstance(items, list) else ():
                if isinstance(item, list) and len(item) > 1 and isinstance(item[1], str):
                    listed[item[1]] = (name, item)
        missing = {key: found for key, found in self._listed.items() if key not in listed and key in self._will_end}
        self._listed = {key: found for key, found in {**listed, **missing}.items() if key not in self._ended}
        for name in lists:
            lists[name] = [item for where, item in self._listed.values() if where == name]
        return json.dumps(value).encode()

    def _note(self, row: Row) -> None:
        """What a frame that was sent says about the queue."""
        if row.kind == "open":
            self._told = max(self._told, row.t)
        if row.kind != "text" or not _TELLS.search(row.data[:80]):
            return
        self._told = max(self._told, row.t)
        if ended := _ended(row):
            self._ended.add(ended)

    def _ours(self, data: bytes) -> bytes:
        """Jobs of the one who recorded are those of the one who watches."""
        recorded = self._recording.client_id.encode()
        return data.replace(recorded, self._client_id.encode()) if recorded else data

    # The event stream ------------------------------------------------------------------------------------------------

    async def _stream(
        self, head: bytes, client: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(head)
        request = next(event for event in protocol.events_received() if isinstance(event, Request))
        protocol.send_response(protocol.accept(request))
        if self._started is None:
            self._started = asyncio.get_running_loop().time()
        self._client_id = client

        def flush() -> None:
            for data in protocol.data_to_send():
                if data:
                    writer.write(data)

        async def listen() -> None:
            while data := await reader.read(65_536):  # pings are answered by the protocol; nothing else is wanted
                protocol.receive_data(data)
                protocol.events_received()
                flush()

        flush()
        tasks = [asyncio.create_task(listen()), asyncio.create_task(self._play(client, protocol, writer, flush))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(
        self, client: str, protocol: ServerProtocol, writer: asyncio.StreamWriter, flush: Callable[[], None]
    ) -> None:
        """Send the frames at their times, until the stream ended then; after the last one, nothing."""
        index = self._next.get(client, 0)
        while index < len(self._frames):
            row = self._frames[index]
            await asyncio.sleep(max(0.0, (row.t - self._now()) / self._speed))
            index += 1
            self._next[client] = index
            self._note(row)
            if row.kind == "text":
                protocol.send_text(self._ours(row.data))
            elif row.kind == "binary":
                protocol.send_binary(row.data)
            elif row.kind == "closed" and any(later.kind == "open" for later in self._frames[index:]):
                writer.transport.abort()
                return
            flush()
            await writer.drain()
        self.finished.set()
        await asyncio.Event().wait()


def _ended(row: Row) -> str:
    """The job of which a frame tells the end; "" if it tells none."""
    if row.kind != "text" or not _TELLS.search(row.data[:80]):
        return ""
    try:
        value = json.loads(row.data)
        kind, about = value["type"], value["data"]
        if kind in ("status", "execution_start") or (kind == "executing" and about["node"] is not None):
            return ""
        return str(about["prompt_id"])
    except (ValueError, LookupError, TypeError):
        return ""  # the server sent nonsense, and so do we


def _entries(recording: Recording) -> dict[str, tuple[float, object]]:
    """All history entries of a recording: when each was first told, and what."""
    found: dict[str, tuple[float, object]] = {}
    for row in recording.rows:
        if row.kind == "http" and row.status == 200 and (row.path == HISTORY or row.path.startswith(HISTORY + "/")):
            try:
                value = json.loads(row.data)
            except ValueError:
                continue
            for key, entry in value.items() if isinstance(value, dict) else ():
                found[key] = (found[key][0] if key in found else row.t, entry)
    return found


def _length(head: bytes) -> int | None:
    """Content-Length; None if it cannot be known."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return _number(value.decode("ascii", "replace").strip(), -1) if value.strip().isdigit() else None
        if name.strip().lower() == b"transfer-encoding":
            return None
    return 0


def _number(text: str | None, default: int) -> int:
    try:
        return max(0, int(text)) if text is not None else default
    except ValueError:
        return default

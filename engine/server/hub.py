"""Every open socket and what it is sent: a slow client waits alone, and never holds up another."""

from __future__ import annotations

import asyncio
import logging
import struct
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from engine.server import wire
from engine.server.crowd import ROW, Crowd
from engine.worker import messages

log = logging.getLogger(__name__)

PREVIEW, TEXT, PREVIEW_WITH_METADATA = 1, 3, 4
_FORMATS = {"image/jpeg": 1, "image/png": 2}
# Frames a client may be behind before newer progress replaces older.
_ROOM = 32
# A client that is this far behind is not reading at all; it is dropped and may come back.
_MAX_FRAMES = 4096
_MAX_BYTES = 64 * 1024 * 1024

_BATCH = 64 * 1024

encode = msgspec.json.Encoder().encode


def event(kind: str, data: Any) -> bytes:
    """The frame of an event."""
    return wire.text(encode({"type": kind, "data": data}))


class Line(Protocol):
    """The sending half of a connection."""

    def send(self, frames: bytes) -> bool:
        """Send; False if the client is behind and should get no more for now. Raises `ConnectionError`."""
        ...

    async def room(self) -> None:
        """Wait while the client is behind. Raises `ConnectionError` when it is gone."""
        ...


class Socket:
    """One client: what it is called, what it can read, and the frames it has not got yet."""

    def __init__(self, sid: str, line: Line) -> None:
        self.sid = sid
        self.flags: dict[str, Any] = {}
        self.lost = asyncio.Event()  # set when the client is too far behind to be served
        self._line = line
        self._frames: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._bytes = 0
        self._counter = 0
        self._soon: asyncio.Handle | None = None  # the frames go out at the end of this turn of the loop
        self._behind = asyncio.Event()  # the line is full, and `pump` waits for it
        self._preview: bytes | None = None  # follows the next `progress`

    @property
    def waiting(self) -> int:
        """Frames that wait to be sent."""
        return len(self._frames)

    def put(self, frame: bytes, newest: tuple[Any, ...] | None = None) -> None:
        """Queue a frame. Frames of equal `newest` replace each other once the client falls behind."""
        if self.lost.is_set():
            return
        if newest is not None and len(self._frames) >= _ROOM:
            key = newest
            old = self._frames.pop(key, None)
            if old is not None:
                self._bytes -= len(old)
        else:
            self._counter += 1
            key = (self._counter,)
        self._frames[key] = frame
        self._bytes += len(frame)
        if len(self._frames) > _MAX_FRAMES or self._bytes > _MAX_BYTES:
            log.warning("A client (%.36s) does not read its messages and is dropped", self.sid)
            self._frames.clear()
            self.lost.set()
        # One write for all that this turn brings, and by a plain call: to wake a task for it costs as much again.
        if self._soon is None and not self._behind.is_set():
            self._soon = asyncio.get_running_loop().call_soon(self._flush)

    def preview(self, preview: messages.Preview, with_metadata: bytes, plain: bytes) -> None:
        """Show a picture: at once with metadata; plain ones come after the step's `progress`, as clients expect."""
        if self.flags.get("supports_preview_metadata"):
            self.put(with_metadata, ("preview", preview.node_id))
        else:
            self._preview = plain

    def after_progress(self) -> None:
        if self._preview is not None:
            self.put(self._preview, ("preview",))
            self._preview = None

    def _flush(self) -> None:
        self._soon = None
        try:
            while self._frames:
                if not self._line.send(self._take()):
                    self._behind.set()
                    return
        except ConnectionError:
            self._behind.set()  # `pump` meets it again and tells

    async def pump(self) -> None:
        """Send what a full line holds up, until the task is cancelled or the connection ends (`ConnectionError`)."""
        while True:
            await self._behind.wait()
            await self._line.room()
            self._behind.clear()
            self._flush()

    def _take(self) -> bytes:
        """The next frames in one piece, up to `_BATCH` bytes; what stays may yet be replaced by something newer."""
        batch: list[bytes] = []
        size = 0
        while self._frames and size < _BATCH:
            _, frame = self._frames.popitem(last=False)
            batch.append(frame)
            size += len(frame)
        self._bytes -= size
        return b"".join(batch)


class Hub:
    """The table of sockets by client id; a newer socket of the same id takes the place of an older one."""

    def __init__(self) -> None:
        self._sockets: dict[str, Socket] = {}
        self.open = 0  # connections, those whose id a newer one has taken too
        self._crowd = Crowd[Socket](self._sockets.values)
        self._close: OrderedDict[str, None] = OrderedDict()  # ids of who was lately told something of its own
        self.stopping = asyncio.Event()  # set at the end of the server: every socket says goodbye

    def add(self, socket: Socket) -> None:
        self._sockets[socket.sid] = socket

    def remove(self, socket: Socket) -> None:
        """Forget a closed socket; a newer one of the same id stays."""
        if self._sockets.get(socket.sid) is socket:
            del self._sockets[socket.sid]

    def get(self, sid: str) -> Socket | None:
        return self._sockets.get(sid)

    def all(self) -> list[Socket]:
        return list(self._sockets.values())

    def tell(self, client: str | None, kind: str, data: Any) -> None:
        """Send an event to one client, or to all with None."""
        if kind == "status":
            self._crowd.busy = data["status"]["exec_info"]["queue_remaining"] > 0
        if not self._listens(client):
            return
        frame = event(kind, data)
        newest = _replaceable(kind, data)

        def give(socket: Socket) -> None:
            socket.put(frame, newest)
            if kind == "progress":
                socket.after_progress()

        self._spread(client, newest, give)

    def notify(self, text: str) -> None:
        """Say something about the server itself to everyone; a web front end shows it as a notice for a while.

        ComfyUI's front end knows the event by its singular name, clients by its plural one.
        """
        for kind in ("notifications", "notification"):
            self.tell(None, kind, {"value": text, "id": uuid.uuid4().hex})

    def preview(self, client: str | None, preview: messages.Preview) -> None:
        """Send a preview in the form that each socket understands."""
        if not self._listens(client):
            return
        plain = wire.binary(struct.pack(">II", PREVIEW, _FORMATS.get(preview.image_type, 1)) + preview.image)
        about = encode(
            {
                "node_id": preview.node_id,
                "prompt_id": preview.prompt_id,
                "display_node_id": preview.display_node_id,
                "parent_node_id": preview.parent_node_id,
                "real_node_id": preview.real_node_id,
                "image_type": preview.image_type,
            }
        )
        head = struct.pack(">II", PREVIEW_WITH_METADATA, len(about))
        with_metadata = wire.binary(head + about + preview.image)
        key = ("preview", preview.node_id)
        self._spread(client, key, lambda socket: socket.preview(preview, with_metadata, plain))

    def text(self, client: str | None, text: messages.Text) -> None:
        """Send a node's progress text."""
        node = text.node_id.encode()
        frame = wire.binary(struct.pack(">II", TEXT, len(node)) + node + text.text.encode())
        key = ("text", text.node_id)
        self._spread(client, key, lambda socket: socket.put(frame, key))

    def _listens(self, client: str | None) -> bool:
        """Whether there is anyone to tell: encoding for nobody would be most of the work."""
        return bool(self._sockets) if client is None else client in self._sockets

    def _spread(self, client: str | None, newest: tuple[Any, ...] | None, give: Callable[[Socket], None]) -> None:
        if client is not None:
            if (socket := self._sockets.get(client)) is not None:
                self._come_close(client)
                self._crowd.catch_up(socket)
                give(socket)
        elif newest is not None and len(self._sockets) > ROW:
            # Who has a job of its own hears everything in its order and at once.
            self._crowd.offer(newest, give, [self._sockets[sid] for sid in self._close if sid in self._sockets])
        else:
            self._crowd.settle()
            for socket in self._sockets.values():
                give(socket)

    def _come_close(self, sid: str) -> None:
        self._close[sid] = None
        self._close.move_to_end(sid)
        if len(self._close) > ROW:
            self._close.popitem(last=False)


def _replaceable(kind: str, data: Any) -> tuple[Any, ...] | None:
    """A key for events whose newest one says all: older ones need not be sent to a client that is behind."""
    if kind == "progress":
        return ("progress", data.get("prompt_id"), data.get("node"))
    if kind == "progress_state":
        return ("progress_state", data.get("prompt_id"))
    if kind == "status":
        return ("status",)
    return None

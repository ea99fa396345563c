"""Length-prefixed frames on a stream socket, for asyncio: the front's end of the line to a worker."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from engine.worker.messages import MAX_FRAME

_HEAD = struct.Struct(">I")


class BrokenStreamError(Exception):
    """The other side announced a frame that no message can be."""


class FrameReader:
    """Cuts a stream of bytes into frames, whatever pieces it arrives in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises `BrokenStreamError` for an impossible length."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start, end = 0, len(buffer)
        while end - start >= _HEAD.size:
            (length,) = _HEAD.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise BrokenStreamError(f"a frame of {length} bytes was announced; {MAX_FRAME} is the limit")
            stop = start + _HEAD.size + length
            if stop > end:
                break
            frames.append(bytes(memoryview(buffer)[start + _HEAD.size : stop]))
            start = stop
        del buffer[:start]
        return frames


def frame(message: bytes) -> bytes:
    """The message with its length in front."""
    return _HEAD.pack(len(message)) + message


class Channel(asyncio.Protocol):
    """Calls `on_frame` for each frame, in order, and `on_end` once when the line is gone.

    A protocol and not a stream: frames are handled in the loop iteration they arrive in, which saves a
    task switch for each of the dozens of events of a short prompt.
    """

    def __init__(self, on_frame: Callable[[bytes], None], on_end: Callable[[Exception | None], None]) -> None:
        self._on_frame = on_frame
        self._on_end = on_end
        self._reader = FrameReader()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # a stream socket's always is

    def data_received(self, data: bytes) -> None:
        try:
            for one in self._reader.feed(data):
                self._on_frame(one)
        except BrokenStreamError as error:
            self._on_end(error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_end(exc)

    def send(self, message: bytes) -> bool:
        """Queue one message; False if the line is gone."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(frame(message))
        return True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

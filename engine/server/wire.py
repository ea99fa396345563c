"""WebSocket frames written in batches: one system call for all that is waiting, not one for each event.

A short prompt has about seventeen events, and on loopback the calls to send them would cost more than
everything else the server does for it. Frames from a server are unmasked and, as no compression was
agreed on, are nothing but a length before the payload; aiohttp goes on writing its own (pong, close).
"""

from __future__ import annotations

import asyncio
import socket
import struct

_TEXT, _BINARY, _FINAL = 0x1, 0x2, 0x80
# Bytes that may wait in this process, and in the kernel, for a slow client: newer progress cannot
# replace what has left the queue.
_HIGH_WATER = 64 * 1024
_UNSENT_IN_KERNEL = 128 * 1024
# Seconds between looks at a transport that is full: soon after a short stall, and seldom at one that stays full, as a
# thousand clients that stopped reading must not keep the process busy.
_PAUSES = (0.01, 0.01, 0.02, 0.05, 0.1, 0.25)


def text(payload: bytes) -> bytes:
    """A text frame; `payload` is UTF-8."""
    return _head(_TEXT, len(payload)) + payload


def binary(payload: bytes) -> bytes:
    """A binary frame."""
    return _head(_BINARY, len(payload)) + payload


def _head(kind: int, length: int) -> bytes:
    """RFC 6455, section 5.2."""
    if length < 126:
        return struct.pack(">BB", _FINAL | kind, length)
    if length < 1 << 16:
        return struct.pack(">BBH", _FINAL | kind, 126, length)
    return struct.pack(">BBQ", _FINAL | kind, 127, length)


class Wire:
    """The sending half of a connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_KERNEL)

    def send(self, frames: bytes) -> bool:
        """Send; False while the client is behind. Raises `ConnectionError` when it is gone."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(frames)
        return self._transport.get_write_buffer_size() <= _HIGH_WATER

    async def room(self) -> None:
        """Wait while the client is behind. Raises `ConnectionError` when it is gone."""
        looks = 0
        while not self._transport.is_closing():
            if self._transport.get_write_buffer_size() <= _HIGH_WATER:
                return
            await asyncio.sleep(_PAUSES[min(looks, len(_PAUSES) - 1)])
            looks += 1
        raise ConnectionResetError("the client has gone")

"""The worker's end of the line to the front: whole messages in, whole messages out, blocking."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque

from engine.worker.channel import FrameReader, frame
from engine.worker.messages import FromWorker, ToWorker, decode_to_worker, encode

_READ_SIZE = 1 << 18


def to_frame(message: FromWorker) -> bytes:
    """Raises `OverflowError`, `TypeError` or `UnicodeError` for a value that no message can hold."""
    return frame(encode(message))


class Line:
    """Messages on a stream socket. `send` is for any thread, `receive` for one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._write = threading.Lock()
        self._reader = FrameReader()
        self._frames: deque[bytes] = deque()

    def send(self, message: FromWorker) -> None:
        """Send one message; see `send_frames`. Raises as `to_frame` does, before anything is sent."""
        self.send_frames(to_frame(message))

    def send_frames(self, data: bytes) -> None:
        """Send whole frames, in one piece and in order.

        Ends the process if the front is gone: nobody would read the rest, and a device would stay occupied.
        """
        try:
            with self._write:
                self._connection.sendall(data)
        except OSError:
            os._exit(0)

    def receive(self) -> ToWorker | None:
        """The next message, or None when the front has closed the line.

        Raises `BrokenStreamError` for an impossible frame, `msgspec.DecodeError` for one that is no message.
        """
        while not self._frames:
            try:
                data = self._connection.recv(_READ_SIZE)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._frames.extend(self._reader.feed(data))
        message: ToWorker = decode_to_worker(self._frames.popleft())
        return message

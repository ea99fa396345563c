"""A web server on this machine that has one file, and the habits that a test gives it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Mirror:
    """What it has and does. `cut` ends an answer after so many bytes, as often as it says."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.etag = '"one"'
        self.ranges = True
        self.cut: list[int] = []
        self.status = 200
        self.kind = "application/octet-stream"
        self.location = ""
        self.longer = 0  # bytes sent beyond what was said
        self.seen: list[dict[str, str]] = []  # headers of the requests
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append({"method": handler.command} | {key.lower(): value for key, value in handler.headers.items()})
        if handler.path.startswith("/start"):
            handler.send_response(302)
            handler.send_header("Location", self.location)
            handler.end_headers()
            return
        asked = handler.headers.get("Range")
        start = 0
        if asked and self.ranges and handler.headers.get("If-Range") == self.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        status = self.status if not start else 416 if start >= len(self.body) else 206
        handler.send_response(status)
        if status == 416:
            handler.send_header("Content-Range", f"bytes */{len(self.body)}")
            handler.end_headers()
            return
        handler.send_header("Content-Type", self.kind)
        handler.send_header("Content-Length", str(len(self.body) - start))
        if self.etag:
            handler.send_header("ETag", self.etag)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        handler.end_headers()
        if handler.command == "GET":
            left = self.body[start:]
            handler.wfile.write(left[: self.cut.pop(0)] if self.cut else left)
            handler.close_connection = True


@contextmanager
def mirror(body: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Mirror]:
    """A mirror for as long as it is wanted, over TLS if there is a context for it."""
    served = Mirror(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        do_HEAD = do_GET  # noqa: N815 -- the name that the base class looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: stderr is the tests'."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

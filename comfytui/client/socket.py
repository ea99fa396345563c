"""The event stream: opens the socket, says what we understand, and yields events until it ends."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI

from comfytui.client import messages as m
from comfytui.client import sanitize
from comfytui.client.errors import BadTarget, ClientError, NotComfyUI, TooLarge, Unreachable, denied
from comfytui.client.frames import binary_frame, text_frame
from comfytui.client.reaching import tls_context, why_unreachable
from comfytui.client.recording import Recorder
from comfytui.client.target import Target

MAX_FRAME = 64 << 20  # bytes; a preview has some 100 KB, an error with its inputs may have megabytes
# Its own, which says no more than warnings: websockets tells its logger every request line and header.
LOGGER = logging.getLogger("comfytui.events")
LOGGER.addFilter(lambda record: record.levelno >= logging.WARNING)
FLAGS = {"supports_preview_metadata": True}


class _NoRedirects(connect):
    """Redirects are refused, as for HTTP: the credentials in our headers are for one host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Socket:
    """An open event stream."""

    def __init__(self, target: Target, connection: ClientConnection, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._target = target
        self._connection = connection

    async def events(self) -> AsyncIterator[m.Event]:
        """Events as they come. Ends by raising: Unreachable when the connection drops, TooLarge for a giant frame."""
        try:
            async for frame in self._connection:
                if self._recorder is not None:
                    self._recorder.frame(frame if isinstance(frame, str) else bytes(frame))
                yield text_frame(frame) if isinstance(frame, str) else binary_frame(bytes(frame))
        except ConnectionClosed as error:
            raise self._why_closed(error) from error
        raise Unreachable(f"{self._target.label} closed the connection. Is it restarting?", where=self._target.url)

    def _why_closed(self, error: ConnectionClosed) -> ClientError:
        label, where = self._target.label, self._target.url
        if error.sent is not None and error.sent.code == 1009:
            return TooLarge(
                f"{label} sent an event larger than {MAX_FRAME >> 20} MiB; the connection was closed.", where=where
            )
        if error.rcvd is not None and error.rcvd.reason:
            reason = sanitize.line(error.rcvd.reason, 120)
            return Unreachable(f"{label} closed the connection: {reason}.", where=where)
        return Unreachable(f"The connection to {label} broke off. Is it restarting, or the network down?", where=where)


@asynccontextmanager
async def open_socket(target: Target, client_id: str, recorder: Recorder | None = None) -> AsyncIterator[Socket]:
    """Connect as `client_id` and announce our flags; `recorder` is given every frame. Raises Unreachable, Denied, NotComfyUI."""
    way: dict[str, Any] = {} if target.via is None else {"unix": True, "path": target.via.path}
    try:
        connection = await _NoRedirects(
            f"{target.socket_url}?{urlencode({**target.query, 'clientId': client_id})}",
            additional_headers=target.request_headers(),
            ssl=tls_context(target),
            logger=LOGGER,
            user_agent_header="comfytui",
            open_timeout=target.timeout,
            ping_interval=20,  # a dead tunnel is noticed within 40 s
            ping_timeout=20,
            close_timeout=0.5,  # a hung server must not hold up leaving
            max_size=MAX_FRAME,
            proxy=None if target.is_loopback else True,
            compression=None,  # previews are compressed already, and local links are fast
            **way,
        )
    except InvalidStatus as error:
        raise _refused(target, error.response.status_code) from error
    except InvalidHandshake as error:
        reason = sanitize.line(target.scrubbed(str(error)), 120)
        raise NotComfyUI(f"{target.label}/ws is no event stream ({reason}). Does a proxy pass sockets?") from error
    except (InvalidURI, InvalidProxy, ImportError) as error:
        # Only their reason: the text begins with the whole URI, token or password included.
        said = sanitize.line(error.msg, 120)
        raise BadTarget(f"{target.label}: address or proxy cannot be used: {said}.", where=target.url) from None
    except TimeoutError as error:
        raise Unreachable(f"{target.label} did not open the event stream within {target.timeout:g} s.") from error
    except OSError as error:
        raise Unreachable(why_unreachable(target, error), where=target.url) from error
    try:
        try:
            await connection.send(json.dumps({"type": "feature_flags", "data": FLAGS}))
        except ConnectionClosed as error:
            raise Unreachable(f"{target.label} closed the event stream at once.", where=target.url) from error
        if recorder is not None:
            recorder.opened(client_id)
        yield Socket(target, connection, recorder)
    finally:
        if recorder is not None:
            recorder.closed()
        await connection.close()


def _refused(target: Target, status: int) -> ClientError:
    if status in (401, 403, 407):
        return denied(target, "/ws, the event stream", status)
    if status in (502, 503, 504):
        return Unreachable(
            f"{target.label}: the gateway has no server behind it now (HTTP {status}).", where=target.url
        )
    return NotComfyUI(
        f"{target.label}/ws is no event stream (HTTP {status}). Check the path; a proxy must pass WebSockets.",
        where=target.url,
    )

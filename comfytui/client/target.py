"""Where a server is and how to be let in."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from comfytui.client.errors import BadTarget

DEFAULT_PORT = 8188  # where ComfyUI listens unless told otherwise


class Target(msgspec.Struct, frozen=True):
    """A server's address and credentials. Make one with `Target.parse`; then `url` is normal and free of secrets.

    url      http(s)://host[:port][/prefix], no trailing slash; the prefix is kept before every route
    headers  sent with every request, and with the socket's
    token    sent as `Authorization: Bearer …`
    basic    (user, password), sent as basic authorization; `token` wins over it
    verify   False trusts any certificate; a string is the path of a CA bundle
    timeout  seconds to wait for a connection, and for each piece of an answer
    """

    url: str
    headers: Mapping[str, str] = {}
    token: str | None = None
    basic: tuple[str, str] | None = None
    verify: bool | str = True
    timeout: float = 15.0

    @classmethod
    def parse(
        cls,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        verify: bool | str = True,
        timeout: float = 15.0,
    ) -> Target:
        """Read what a person types: `host`, `host:port`, `[::1]:8188`, `https://user:pass@host/comfy/`.

        Without a scheme it is http, and without a port 8188; with a scheme the scheme's own port. Raises BadTarget.
        """
        text = address.strip()
        shown = repr(text if "@" not in text else "…@" + text.rpartition("@")[2])  # never a password
        if not text or any(ord(c) < 0x21 or ord(c) == 0x7F for c in text):
            raise BadTarget(f"{shown} is not a server's address. Write host:port or http(s)://host:port/path.")
        explicit = "://" in text
        if not explicit and text.count(":") > 1 and not text.startswith("["):
            text = f"[{text}]"  # a bare IPv6 address
        try:
            parts = urlsplit(text if explicit else f"http://{text}")
            host, port = parts.hostname, parts.port
            if host and ":" in host:
                ipaddress.ip_address(host.partition("%")[0])
        except ValueError as error:
            raise BadTarget(f"{shown} is not a server's address: {error}. Write host:port or a URL.") from error
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme not in ("http", "https"):
            raise BadTarget(f"{parts.scheme}:// is not spoken by ComfyUI. Use http:// or https://.")
        if not host:
            raise BadTarget(f"{shown} names no host. Write host:port or http(s)://host:port/path.")
        if port is None and not explicit:
            port = DEFAULT_PORT
        basic = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        name = f"[{host}]" if ":" in host else host
        path = re.sub(r"/(ws|index\.html)?$", "", parts.path.rstrip("/"))
        url = urlunsplit((scheme, name if port is None else f"{name}:{port}", path, "", ""))
        return cls(url=url, headers=dict(headers or {}), token=token, basic=basic, verify=verify, timeout=timeout)

    @property
    def socket_url(self) -> str:
        """The address of the event stream, without its query."""
        return "ws" + self.url.removeprefix("http") + "/ws"

    @property
    def label(self) -> str:
        """Host, port and prefix: what a title bar shows."""
        return self.url.partition("://")[2]

    @property
    def is_loopback(self) -> bool:
        """It is on this machine (or the near end of a tunnel): no proxy leads there, whatever the environment says."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def request_headers(self) -> dict[str, str]:
        """All headers of a request, credentials included."""
        headers = dict(self.headers)
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.basic is not None:
            pair = base64.b64encode(":".join(self.basic).encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return headers

    def __repr__(self) -> str:  # credentials must not reach a log or a traceback
        return f"Target({self.url!r})"

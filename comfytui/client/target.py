"""Where a server is and how to be let in."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

import msgspec

from comfytui.client.errors import BadTarget

DEFAULT_PORT = 8188  # where ComfyUI listens unless told otherwise
SHORTEST = 4  # characters of a secret that is blotted out of text: shorter ones would blot words
BLOT = "•••"
OURS = frozenset({"host", "connection", "upgrade", "content-length", "content-type", "transfer-encoding"})


class Via(msgspec.Struct, frozen=True):
    """The near end of a tunnel: a Unix socket that leads to the server's host and port as `host` sees them."""

    path: str
    host: str  # user@box, for people


class Certificate(msgspec.Struct, frozen=True):
    """Ours, for servers that want one: paths of PEM files. `key` empty: it is in `file` too."""

    file: str
    key: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Certificate({self.file!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("file", self.file)]


class Target(msgspec.Struct, frozen=True):
    """A server's address and credentials. Make one with `Target.parse`; then `url` is normal and free of secrets.

    url          http(s)://host[:port][/prefix], no trailing slash; the prefix is kept before every route
    headers      sent with every request, and with the socket's
    query        added to the query of every request, and of the socket's: for proxies that look for a token there
    token        sent as `Authorization: Bearer …`
    basic        (user, password), sent as basic authorization; `token` wins over it
    verify       False trusts any certificate; a string is the path of a CA bundle
    certificate  ours, for servers that want one
    timeout      seconds to wait for a connection, and for each piece of an answer
    via          the tunnel that all of it goes through
    profile      the key of the settings where the credentials are, as in `servers.box`; for messages
    """

    url: str
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    token: str | None = None
    basic: tuple[str, str] | None = None
    verify: bool | str = True
    certificate: Certificate | None = None
    timeout: float = 15.0
    via: Via | None = None
    profile: str = ""

    @classmethod
    def parse(
        cls,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        verify: bool | str = True,
        certificate: Certificate | None = None,
        timeout: float = 15.0,
        via: Via | None = None,
        profile: str = "",
    ) -> Target:
        """Read what a person types: `host`, `host:port`, `[::1]:8188`, `https://user:pass@host/comfy/?token=…`.

        Without a scheme it is http, and without a port 8188; with a scheme the scheme's own port. What is given beside
        the address wins over what is in it. Raises BadTarget, without a credential in the message.
        """
        text = address.strip()
        shown = repr(bare(text))
        if not text or any(ord(c) < 0x21 or ord(c) == 0x7F for c in text):
            raise BadTarget(f"{shown} is not a server's address. Write host:port or http(s)://host:port/path.")
        explicit = "://" in text
        if not explicit and text.count(":") > 1 and not text.startswith("[") and "@" not in text:
            text = f"[{text}]"  # a bare IPv6 address
        try:
            parts = urlsplit(text if explicit else f"http://{text}")
            host, port = parts.hostname, parts.port
            if host and ":" in host:
                ipaddress.ip_address(host.partition("%")[0])
        except ValueError as error:
            # A slash in a password makes Python take the rest for a port, and quote it.
            why = "" if "@" in text else f": {error}"
            raise BadTarget(f"{shown} is not a server's address{why}. Write host:port or a URL.") from None
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme not in ("http", "https"):
            raise BadTarget(f"{shown}: ComfyUI does not speak {scheme}://. Use http:// or https://.")
        if not host:
            raise BadTarget(f"{shown} names no host. Write host:port or http(s)://host:port/path.")
        if port is None and not explicit:
            port = DEFAULT_PORT
        if basic is None and parts.username:
            basic = (unquote(parts.username), unquote(parts.password or ""))
        _check_headers(headers or {}, token)
        name = f"[{host}]" if ":" in host else host
        path = re.sub(r"/(ws|index\.html)?$", "", parts.path.rstrip("/"))
        url = urlunsplit((scheme, name if port is None else f"{name}:{port}", path, "", ""))
        return cls(
            url=url,
            headers=dict(headers or {}),
            query={**dict(parse_qsl(parts.query, keep_blank_values=True)), **(query or {})},
            token=token,
            basic=basic,
            verify=verify,
            certificate=certificate,
            timeout=timeout,
            via=via,
            profile=profile,
        )

    @property
    def socket_url(self) -> str:
        """The address of the event stream, without its query."""
        return "ws" + self.url.removeprefix("http") + "/ws"

    @property
    def place(self) -> str:
        """Which server this is, for people and for what is remembered of it: two boxes behind tunnels may have one URL."""
        return self.url if self.via is None else f"ssh://{self.via.host}/{self.url.partition('://')[2]}"

    @property
    def label(self) -> str:
        """Host, port and prefix: what a title bar shows."""
        return self.place.partition("://")[2]

    @property
    def is_loopback(self) -> bool:
        """It is on this machine: no proxy leads there, whatever the environment says."""
        if self.via is not None:
            return False
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def request_headers(self) -> dict[str, str]:
        """All headers of a request, credentials included."""
        headers = dict(self.headers)
        if self.token is not None:
            authorization = f"Bearer {self.token}"
        elif self.basic is not None:
            pair = ":".join(self.basic).encode(errors="surrogateescape")  # a variable may hold bytes that are no text
            authorization = f"Basic {base64.b64encode(pair).decode()}"
        else:
            return headers
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        return {**headers, "Authorization": authorization}

    def secrets(self) -> tuple[str, ...]:
        """All that must not be seen, in the forms in which it is sent; the longest first, so that all of each is found."""
        plain = [*self.headers.values(), *self.query.values(), *(self.basic or ())[1:], self.token or ""]
        if self.certificate is not None:
            plain.append(self.certificate.password)
        if "Authorization" in (headers := self.request_headers()):
            plain += [headers["Authorization"], headers["Authorization"].partition(" ")[2]]
        forms = {form for text in plain for form in forms_of(text)}
        return tuple(sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True))

    def scrubbed(self, text: str) -> str:
        """`text`, of which a server or a library is the author, without our credentials."""
        for secret in self.secrets():
            text = text.replace(secret, BLOT)
        return text

    def __repr__(self) -> str:  # credentials must not reach a log or a traceback
        return f"Target({self.place!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich asks this first, and msgspec's tells every field
        return [("place", self.place)]


def _check_headers(headers: Mapping[str, str], token: str | None) -> None:
    """Raises BadTarget for what the libraries would refuse later, quoting it."""
    for name, value in (*headers.items(), ("Authorization", token or "")):
        what = "the token" if name == "Authorization" and name not in headers else f"the header {name!r}"
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise BadTarget(f"{what}: a name has letters, digits and - only.")
        if name.lower() in OURS or name.lower().startswith("sec-websocket-"):
            raise BadTarget(f"{what} cannot be set: it is part of every request's own.")
        if not re.fullmatch(r"([!-~]([ -~\t]*[!-~])?)?", value):
            raise BadTarget(f"{what}: its value must be plain ASCII text, without spaces around it or line breaks.")


def forms_of(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as an address and a line of JSON have it."""
    return (
        secret,
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, safe="", errors="replace"),
        json.dumps(secret)[1:-1],
    )


def bare(address: str) -> str:
    """What may be shown of an address as a person wrote it: no user, no password, no query; nothing where that is unclear."""
    clear = re.fullmatch(r"([a-z][a-z0-9+.-]*://)?([^/?#@]*@)?([^?#@]*)([?#][^@]*)?", address.strip(), re.I | re.S)
    return f"{clear[1] or ''}{clear[3]}" if clear else "…"

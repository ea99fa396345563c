"""By which name the engine may be called: the answer to DNS rebinding.

A page of evil.example may point its own name at 127.0.0.1 and then reads our answers as its own. Its requests still
say `Host: evil.example`, and nothing a page does can change that: so names that are not ours are refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.server.bodies import refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ANY = "*"
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Authority:
    """A host and perhaps a port, normal: lower case, no final dot, addresses without brackets."""

    name: str
    port: int | None = None

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The name as a number, if it is one."""
        return _address(self.name)

    @property
    def loopback(self) -> bool:
        """The name of this machine for itself, whatever a name server says."""
        address = self.address
        if address is not None:
            mapped = getattr(address, "ipv4_mapped", None)
            return (mapped or address).is_loopback
        return self.name == "localhost" or self.name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that are ours.

    `names` are normal (see `Authority`), and `given` is some of them. `exposed`: it listens beyond the loopback, where
    people call it by whatever address it has; an address cannot be rebound, so each is accepted.
    """

    names: frozenset[str]
    exposed: bool = False
    given: frozenset[str] = frozenset()  # those of `--allowed-host`

    @classmethod
    def of(cls, addresses: Iterable[str], allowed: Iterable[str] = ()) -> Hosts:
        """The policy for these listen addresses and the names of `--allowed-host`. Raises `ValueError` for a bad name."""
        names = set()
        for text in allowed:
            wanted = Authority(ANY) if text == ANY else parse(text)
            if wanted is None:
                raise ValueError(f"--allowed-host {text[:80]!r} is not a host name; write one like gpu-box.example.org")
            names.add(wanted.name)
        given = frozenset(names)
        listening = [Authority(name.lower()) for name in addresses]
        names.update(one.name for one in listening)
        exposed = not all(one.loopback for one in listening)
        if exposed:
            # A single label, and a name below .local, are of this network: no page of the internet has them.
            own = socket.gethostname().lower().rstrip(".")
            label = own.partition(".")[0]
            names.update(name for name in (own, label, f"{label}.local") if name)
        return cls(frozenset(names), exposed, given)

    def allows(self, host: Authority) -> bool:
        """Whether a request that names `host` is meant for us."""
        if host.loopback or ANY in self.names or host.name in self.names:
            return True
        return self.exposed and host.address is not None

    def named(self, host: Authority) -> bool:
        """Whether the owner of the engine gave this very name."""
        return ANY in self.given or host.name in self.given


@lru_cache(256)  # a client says the same in every request
def parse(text: str) -> Authority | None:
    """`Host`'s value: `name`, `name:port`, `[v6]:port`; None for what is neither."""
    text = text.strip().lower()
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")) or ":" not in name or _address(name) is None:
            return None
        digits = rest[1:]
    else:
        name, _, digits = text.partition(":")
    if digits and not (digits.isascii() and digits.isdigit() and int(digits) <= 65535):
        return None
    name = name.removesuffix(".")
    address = _address(name)
    if address is not None:
        return Authority(str(address), int(digits) if digits else None)
    return Authority(name, int(digits) if digits else None) if _NAME.fullmatch(name) else None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def check(hosts: Hosts) -> Middleware:
    """Middleware: only requests that name us. Those without a `Host` (HTTP/1.0) come from no browser and pass.

    `X-Forwarded-Host` is not looked at: anybody can send it. A proxy keeps `Host`, and its name is given by the flag.
    """

    @web.middleware
    async def only_ours(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.getall("Host", [])
        if not given:
            return await handler(request)
        host = parse(given[0]) if len(given) == 1 else None
        if host is None:
            return refusal("bad_host", "The Host header is not one host", "it must be NAME or NAME:PORT, once")
        if not hosts.allows(host):
            return refusal(
                "host_not_allowed",
                f"This server does not go by the name {host.name}",
                f"if it should (a proxy, a name of your own), start it with --allowed-host {host.name}",
                status=403,
            )
        return await handler(request)

    return only_ours

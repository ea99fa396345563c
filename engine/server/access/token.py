"""Who has the token: in a header or a cookie, and for the WebSocket also in its subprotocol or query."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.server.access import page
from engine.server.access.guesses import Guesses
from engine.server.bodies import refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LIVENESS = "/health"
LOGIN = "/login"
PROTOCOL = "comfytui"  # the subprotocol that we choose where a client offers several
_CARRIER = "comfytui.token."  # + the token in base64url without padding: what a browser's WebSocket can send
_SOCKETS = ("/ws", "/api/ws")
_COOKIE_AGE = 30 * 24 * 3600  # seconds
HOW = (
    "send it as `Authorization: Bearer TOKEN`; in a browser, open /login; "
    "a WebSocket may also say ?token=TOKEN or offer the subprotocol comfytui.token.BASE64URL"
)


@dataclass(frozen=True, slots=True)
class Key:
    """The token in the forms that are compared. Digests: they have one length, so that time tells nothing."""

    digest: bytes
    cookie_name: str
    cookie: str

    @classmethod
    def of(cls, token: str) -> Key:
        """The cookie is made from the token and is not the token: who reads it cannot use it elsewhere.

        Its name is of the token too, because cookies are shared by all ports of a host, and two engines on one
        machine would overwrite each other's.
        """
        secret = token.encode()
        name, value = (
            hmac.new(secret, b"comfytui " + part, hashlib.sha256).hexdigest() for part in (b"name", b"cookie")
        )
        return cls(_digest(token), f"comfytui_{name[:8]}", value)

    def fits(self, text: str) -> bool:
        """Whether `text` is the token; in constant time."""
        return hmac.compare_digest(_digest(text), self.digest)

    def opens(self, request: web.Request) -> bool:
        """Whether the request brings the token or the cookie."""
        if hmac.compare_digest(_digest(request.cookies.get(self.cookie_name, "")), _digest(self.cookie)):
            return True
        return any(self.fits(text) for text in _brought(request))

    def is_tried(self, request: web.Request) -> bool:
        """Whether the request brings something in the place of the token or the cookie."""
        return self.cookie_name in request.cookies or any(True for _ in _brought(request))

    def bind(self, response: web.Response, *, secure: bool) -> None:
        """Set the cookie: for this host alone, unseen by scripts, never sent with another site's request."""
        response.set_cookie(
            self.cookie_name,
            self.cookie,
            max_age=_COOKIE_AGE,
            httponly=True,
            samesite="Strict",
            secure=secure,
            path="/",
        )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _brought(request: web.Request) -> Iterator[str]:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield value.strip()
    if request.path in _SOCKETS:
        yield from request.query.getall("token", [])[:1]
        yield from (text for name in offered(request) if (text := _carried(name)) is not None)


def offered(request: web.Request) -> list[str]:
    """The subprotocols that a WebSocket offers; at most eight are looked at."""
    return [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")][:8]


def _carried(protocol: str) -> str | None:
    """The token in a subprotocol's name."""
    if not protocol.startswith(_CARRIER):
        return None
    coded = protocol.removeprefix(_CARRIER)
    try:
        return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
    except (binascii.Error, ValueError):
        return None


def chosen(request: web.Request) -> tuple[str, ...]:
    """The subprotocols that the answer to a WebSocket may name: a browser that offers some wants one back.

    The one without a token if it is offered, so that an answer does not repeat the token; else the one that carries it.
    """
    names = offered(request)
    return (PROTOCOL,) if PROTOCOL in names else tuple(name for name in names if name.startswith(_CARRIER))[:1]


def check(key: Key, guesses: Guesses) -> Middleware:
    """Middleware: everything but the liveness route and the login needs the token, unknown paths too.

    A wrong one waits for its answer; who brings none is told at once what is missing.
    """

    @web.middleware
    async def only_with_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        open_to_all = request.path in (LIVENESS, LOGIN) or request.path in (f"/api{LIVENESS}",)
        if open_to_all or key.opens(request):
            return await handler(request)
        if key.is_tried(request):
            return await guesses.answer(request, refused(request))
        return refused(request)

    return only_with_token


def refused(request: web.Request, said: str = "") -> web.Response:
    """401: a page with a field for the token to who reads pages, JSON that says how to everybody else."""
    if request.method in ("GET", "POST") and "text/html" in request.headers.get("Accept", ""):
        response = page.login(said, status=401)
    else:
        response = refusal("unauthorized", "This server wants its token", HOW, status=401)
    response.headers["WWW-Authenticate"] = 'Bearer realm="comfytui"'
    response.headers["Cache-Control"] = "no-store"
    return response

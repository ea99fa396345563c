"""All that a request passes before a route sees it, in order; and the routes that need no token."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.options import Options
from engine.server.access import hosts, origins, page, secret, token
from engine.server.access.guesses import Guesses
from engine.server.bodies import answer

KEY = web.AppKey("token", token.Key)
GUESSES = web.AppKey("guesses", Guesses)
_MAX_LOGIN = 8 * 1024  # bytes of a form with a token


def prepare(options: Options, environ: MutableMapping[str, str]) -> Options:
    """The options with their token, once everything about access is known to be usable. Raises `ValueError`.

    From here on no log line of this process shows the token.
    """
    hosts.Hosts.of(options.addresses, options.allowed_host)
    options = secret.with_token(options, environ)
    if options.token is not None:
        for handler in logging.getLogger().handlers:
            handler.addFilter(secret.Redact(options.token))
    return options


def middlewares(options: Options, guesses: Guesses) -> list[Middleware]:
    """Host, then page, then token: who is refused by one learns nothing of the next. Raises `ValueError` for a bad flag."""
    ours = hosts.Hosts.of(options.addresses, options.allowed_host)
    found = [hosts.check(ours), origins.check(ours, options.enable_cors_header)]
    if options.token is not None:
        found.append(token.check(token.Key.of(options.token), guesses))
    return found


def install(app: web.Application, options: Options, guesses: Guesses) -> None:
    """Add the liveness route, the login where there is a token, and the headers of every answer."""
    for path in (token.LIVENESS, f"/api{token.LIVENESS}"):
        app.router.add_get(path, _alive)
    if options.token is not None:
        app[KEY] = token.Key.of(options.token)
        app[GUESSES] = guesses
        app.router.add_get(token.LOGIN, _ask)
        app.router.add_post(token.LOGIN, _enter)
    app.on_response_prepare.append(_mark)


def warnings(options: Options) -> list[str]:
    """Sentences about who can get in, for the log."""
    ours = hosts.Hosts.of(options.addresses)
    said = []
    if ours.exposed and options.token is None:
        said.append(
            f"Anybody who can reach {options.listen} can use this engine, read its pictures and fill its disk. "
            "Give it a token: --token-file FILE (and clients the same), or listen on 127.0.0.1 and use an SSH tunnel"
        )
    if ours.exposed and options.token is not None and options.tls_certfile is None:
        said.append(
            "The token crosses the network unencrypted: use --tls-certfile and --tls-keyfile, or a proxy with TLS"
        )
    if options.enable_cors_header == hosts.ANY and options.token is None:
        said.append(
            "--enable-cors-header without an origin lets every page that is open in a browser here use this engine: "
            "name the origin, or give the engine a token"
        )
    return said


async def _alive(_request: web.Request) -> web.Response:
    """`GET /health`: that the process answers, and nothing else."""
    return answer({"status": "ok"})


async def _ask(request: web.Request) -> web.Response:
    """`GET /login`: the form; who is in already goes on."""
    if request.app[KEY].opens(request):
        raise web.HTTPSeeOther("./")
    return page.login()


async def _enter(request: web.Request) -> web.Response:
    """`POST /login` with `token` in a form: the cookie and the way to `/`, or the form again."""
    # A form of a page elsewhere has an Origin and was refused before.
    length = request.content_length
    if length is None or length > _MAX_LOGIN:
        raise web.HTTPRequestEntityTooLarge(_MAX_LOGIN, length or 0)
    form = await request.post()
    given, key = form.get("token"), request.app[KEY]
    if not isinstance(given, str) or not key.fits(given.strip()):
        return await request.app[GUESSES].answer(request, token.refused(request, "That was not the token."))
    response = web.Response(status=303, headers={"Location": "./", "Cache-Control": "no-store"})
    # Behind a proxy with TLS the request comes in plain, but the form's page says what the browser sees.
    key.bind(response, secure=request.secure or request.headers.get("Origin", "").startswith("https://"))
    return response


async def _mark(_request: web.Request, response: web.StreamResponse) -> None:
    """No answer is guessed to be a page or a script because of what it looks like; no page is put into a frame of others."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.content_type == "text/html":
        response.headers.setdefault("X-Frame-Options", "SAMEORIGIN")

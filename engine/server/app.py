"""The aiohttp application: every route once and once more below `/api`, and what is true for all of them."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.jobs.store import StoreError
from engine.options import Options
from engine.server import frontend
from engine.server.access import gate
from engine.server.access.guesses import Guesses
from engine.server.bodies import BadBodyError, refusal
from engine.server.caching import cache_control
from engine.server.openapi import document
from engine.server.routes import (
    history,
    jobs,
    logs,
    models,
    nodes,
    packs,
    prompt,
    queue,
    settings,
    system,
    upload,
    userdata,
)
from engine.server.routes import users as user_routes
from engine.server.routes import view as view_routes
from engine.server.services import SERVICES, Services
from engine.server.websocket import connect

log = logging.getLogger(__name__)

# What the file system says of a name that fits no file there, such as a folder's: the sender's fault and not ours.
_BAD_NAMES = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ}
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Method, path, handler. `jobs` paths carry the prefix themselves, as ComfyUI's do.
_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/ws", connect),
    ("GET", "/prompt", prompt.remaining),
    ("POST", "/prompt", prompt.submit),
    ("POST", "/interrupt", prompt.interrupt),
    ("POST", "/free", prompt.free),
    ("GET", "/queue", queue.show),
    ("POST", "/queue", queue.change),
    ("DELETE", "/queue/{prompt_id}", queue.delete),
    ("GET", "/history", history.show),
    ("POST", "/history", history.change),
    ("GET", "/history/{prompt_id}", history.one),
    ("DELETE", "/history/{prompt_id}", history.delete),
    ("GET", "/api/jobs", jobs.listing),
    ("POST", "/api/jobs/cancel", jobs.cancel_many),
    ("GET", "/api/jobs/{prompt_id}", jobs.one),
    ("POST", "/api/jobs/{prompt_id}/cancel", jobs.cancel),
    ("GET", "/object_info", nodes.every),
    ("GET", "/object_info/{node_class}", nodes.one),
    ("GET", "/extensions", frontend.extensions),
    ("GET", "/workflow_templates", packs.templates),
    ("GET", "/workflow_templates/{module}/{file:.+}", packs.template),
    ("GET", "/i18n", packs.translations),
    ("GET", "/global_subgraphs", packs.subgraphs),
    ("GET", "/global_subgraphs/{id}", packs.subgraph),
    ("GET", "/view", view_routes.view),
    ("GET", "/view_metadata/{folder}", view_routes.metadata),
    ("POST", "/upload/image", upload.image),
    ("POST", "/upload/mask", upload.mask),
    ("GET", "/embeddings", models.embeddings),
    ("GET", "/models", models.kinds),
    ("GET", "/models/{folder}", models.names),
    ("GET", "/experiment/models", models.kinds_with_folders),
    ("GET", "/experiment/models/{folder}", models.files),
    ("GET", "/experiment/models/preview/{folder}/{path_index}/{file:.*}", models.preview),
    ("GET", "/openapi.json", document.serve),
    ("GET", "/system_stats", system.stats),
    ("GET", "/features", system.features),
    ("GET", "/settings", settings.show),
    ("POST", "/settings", settings.merge),
    ("GET", "/settings/{setting}", settings.one),
    ("POST", "/settings/{setting}", settings.change),
    ("GET", "/users", user_routes.show),
    ("POST", "/users", user_routes.add),
    ("GET", "/userdata", userdata.listing),
    ("GET", "/v2/userdata", userdata.tree),
    ("GET", "/userdata/{file}", userdata.read),
    ("POST", "/userdata/{file}", userdata.write),
    ("DELETE", "/userdata/{file}", userdata.delete),
    ("POST", "/userdata/{file}/move/{dest}", userdata.move),
)
# Without a twin below /api.
_INTERNAL: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", frontend.index),
    ("GET", "/internal/logs", logs.text),
    ("GET", "/internal/logs/raw", logs.entries),
    ("PATCH", "/internal/logs/subscribe", logs.subscribe),
    ("GET", "/internal/folder_paths", models.folder_paths),
    ("GET", "/internal/files/{kind}", logs.files),
)


def make(shared: Services) -> web.Application:
    """The application for `shared`; it starts nothing by itself."""
    options, guesses = shared.options, Guesses()
    middlewares: list[Middleware] = [cache_control, *gate.middlewares(options, guesses), _refuse_clearly]
    if options.enable_compress_response_body:
        middlewares.insert(0, _compress)
    app = web.Application(client_max_size=options.max_upload_bytes, middlewares=middlewares)
    app[SERVICES] = shared
    app[frontend.ROOT] = frontend.find(options)
    add_routes(app, options, guesses)
    return app


def add_routes(app: web.Application, options: Options, guesses: Guesses | None = None) -> None:
    """Every route there is with these options; what they share is not needed to name them."""
    gate.install(app, options, guesses or Guesses())
    for method, path, handler in _ROUTES:
        app.router.add_route(method, path, handler)
        app.router.add_route(method, f"/api{path}", handler)
        if method == "GET" and path != "/ws":
            app.router.add_route("HEAD", path, handler)
            app.router.add_route("HEAD", f"/api{path}", handler)
    for method, path, handler in _INTERNAL:
        app.router.add_route(method, path, handler)
        if method == "GET":
            app.router.add_route("HEAD", path, handler)
    app.router.add_route("*", "/{anything:.*}", frontend.static)


@web.middleware
async def _refuse_clearly(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what handlers raise into answers that name the thing; a fault of ours is logged with its place."""
    try:
        return await handler(request)
    except BadBodyError as error:
        return refusal("invalid_request", "The request cannot be understood", str(error))
    except web.HTTPRequestEntityTooLarge as error:
        if (error.text or "").startswith("Maximum request body"):  # the framework's own words, which know no flag
            error.text = f"{error.text}. The flag --max-upload-size sets it"
        raise
    except web.HTTPException:
        raise
    except StoreError as error:
        log.warning("%s %s: %s", request.method, request.path, error)
        message = "The queue and the history cannot be read or written"
        return refusal("storage", message, str(error), status=507 if error.trouble == "full" else 503)
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise  # the client has gone; there is nobody to answer
        if error.errno in _BAD_NAMES:
            return refusal("bad_name", "The name cannot be used", error.strerror or "")
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        log.warning("%s %s: %s", request.method, request.path, error)
        message = "The disk is full" if full else "A file cannot be read or written"
        return refusal("storage", message, str(error), status=507 if full else 503)
    except Exception as error:
        log.exception("%s %s failed", request.method, request.path)
        return refusal(
            "internal", "The server failed; its log says where", f"{type(error).__name__}: {error}", status=500
        )


@web.middleware
async def _compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """gzip for JSON and text, if the client takes it."""
    response = await handler(request)
    if not response.prepared and response.content_type in ("application/json", "text/plain"):
        response.enable_compression()
    return response

"""The OpenAPI 3.1 document: what the router holds, in the words of the descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from engine.server.bodies import answer
from engine.server.openapi import events, execution, files, jobs, models, nodes, personal, system
from engine.server.openapi.describe import ABSENT, BAD, EMPTY, JSON, Answer, Body, Input, Operation, Operations, Refusal


class Group(Protocol):
    """A module that describes routes; its docstring is the description of the group."""

    TITLE: str
    OPERATIONS: Operations


GROUPS: tuple[Group, ...] = (
    execution,
    jobs,
    files,
    nodes,
    models,
    personal,
    system,
    events,
)  # in the order of the document
_REFERENCE = "#/components/schemas/{name}"
_INFO = {
    "title": "The comfytui engine",
    "description": (
        "A local engine for ComfyUI workflows that speaks ComfyUI's HTTP and WebSocket API. "
        "Every path that lists the server `/api` is there twice, with and without that prefix. "
        "Every GET answers HEAD too, and every OPTIONS is answered with 200. "
        "Bodies are read as JSON whatever their Content-Type says. "
        "A GET of any path that is not listed is a file of the web front end, where one is installed, or 404; "
        "another method is answered with 405."
    ),
    "license": {"name": "MIT", "identifier": "MIT"},
}
_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that the engine was started with. An engine without one asks for nothing.",
    }
}
# What any route may answer, because it is decided before or around it.
_EVERYWHERE = {
    401: Answer(
        "The engine has a token and the request does not bring it. Many wrong ones are answered late, or with 429.",
        Refusal,
        (JSON, "text/html"),
    ),
    403: Answer("The name in `Host`, or the page in `Origin`, is not one of this engine's.", Refusal),
    500: Answer("The engine failed; its log says where.", Refusal),
    503: Answer("The database, or the worker that runs the nodes, is not to be reached now.", Refusal),
    507: Answer("The disk is full.", Refusal),
}
_TOO_LARGE = Answer("The body is over a limit, which the text names.", str, ("text/plain",))
# By the names they have below `components`, so that the document says them once.
_COMMON = {
    "Unauthorized": _EVERYWHERE[401],
    "Forbidden": _EVERYWHERE[403],
    "TooLarge": _TOO_LARGE,
    "Failed": _EVERYWHERE[500],
    "Unavailable": _EVERYWHERE[503],
    "DiskFull": _EVERYWHERE[507],
    "Empty": EMPTY,
    "BadRequest": BAD,
    "Absent": ABSENT,
}


async def serve(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return answer(make(request.app.router))


def operations() -> dict[tuple[str, str], tuple[str, Operation]]:
    """Everything that is described: method and path → the title of the group, the operation."""
    return {key: (group.TITLE, told) for group in GROUPS for key, told in group.OPERATIONS.items()}


def routes(router: web.UrlDispatcher) -> set[tuple[str, str]]:
    """Method and path of all that the router has, as the document counts: without HEAD, and without the way out."""
    found = set()
    for route in router.routes():
        if route.resource is not None and route.method not in ("HEAD", "*"):
            found.add((route.method, route.resource.canonical))
    return found


def make(router: web.UrlDispatcher) -> dict[str, Any]:
    """The document for the routes of an application; one that nobody has described is left out."""
    from engine.server.routes.system import version

    present, described = routes(router), operations()
    # In the order of the descriptions, which is the order in which a person reads them.
    chosen = {key: told for key, told in described.items() if key in present}
    shapes = _Shapes([told for _, told in chosen.values()])
    paths: dict[str, Any] = {}
    for (method, path), (title, told) in chosen.items():
        item = paths.setdefault(path, {})
        item[method.lower()] = shapes.operation(title, told)
        if (method, f"/api{path}") not in present:
            item["servers"] = [{"url": "/"}]
    return {
        "openapi": "3.1.0",
        "info": {**_INFO, "version": version()},
        "servers": [{"url": "/"}, {"url": "/api"}],
        "security": [{"token": []}, {}],
        "tags": [{"name": group.TITLE, "description": group.__doc__} for group in GROUPS],
        "paths": paths,
        "components": {
            "schemas": shapes.components,
            "responses": {name: shapes.answer(told) for name, told in _COMMON.items()},
            "securitySchemes": _SECURITY,
        },
    }


class _Shapes:
    """Shapes as JSON Schema, the named ones once below `components`."""

    def __init__(self, told: Iterable[Operation]) -> None:
        self._shapes: list[Any] = []
        for answer_ in _COMMON.values():
            self._add(answer_.shape)
        for operation in told:
            self._collect(operation)
        schemas, components = msgspec.json.schema_components(self._shapes, ref_template=_REFERENCE)
        self._schemas = dict(zip(map(id, self._shapes), schemas, strict=True))
        self.components: dict[str, Any] = dict(sorted(components.items()))

    def operation(self, title: str, told: Operation) -> dict[str, Any]:
        made: dict[str, Any] = {"operationId": told.name, "tags": [title], "summary": told.what}
        if told.more:
            made["description"] = told.more
        if told.inputs:
            made["parameters"] = [self._input(one) for one in told.inputs]
        if told.body is not None:
            made["requestBody"] = self._body(told.body)
        if told.open_to_all:
            made["security"] = []
        made["responses"] = {str(status): self._response(one) for status, one in sorted(_answers(told).items())}
        return {**made, **told.extra}

    def _collect(self, told: Operation) -> None:
        for answer_ in _answers(told).values():
            self._add(answer_.shape)
        for one in told.inputs:
            self._add(one.shape)
        if told.body is not None:
            self._add(told.body.shape)

    def _add(self, shape: Any) -> None:
        if shape is not None and all(shape is not known for known in self._shapes):
            self._shapes.append(shape)

    def _schema(self, shape: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._schemas[id(shape)]
        return found

    def _response(self, told: Answer) -> dict[str, Any]:
        for name, common in _COMMON.items():
            if told is common:
                return {"$ref": f"#/components/responses/{name}"}
        return self.answer(told)

    def answer(self, told: Answer) -> dict[str, Any]:
        if told.shape is None:
            return {"description": told.what}
        return {"description": told.what, "content": self._content(told.media, told.shape)}

    def _body(self, told: Body) -> dict[str, Any]:
        content = self._content(told.media, told.shape)
        return {"description": told.what, "required": told.required, "content": content}

    def _content(self, media: tuple[str, ...], shape: Any) -> dict[str, Any]:
        """Only JSON and forms have the shape; a page beside them is text."""
        described = {kind: self._schema(shape) for kind in media}
        if len(media) > 1 and JSON in media:
            described |= {kind: {"type": "string"} for kind in media if kind != JSON}
        return {kind: {"schema": schema} for kind, schema in described.items()}

    def _input(self, told: Input) -> dict[str, Any]:
        return {
            "name": told.name,
            "in": told.place,
            "description": told.what,
            "required": told.required,
            "schema": self._schema(told.shape),
        }


def _answers(told: Operation) -> dict[int, Answer]:
    """Its own, and those that any route may give."""
    everywhere = {403: _EVERYWHERE[403], 500: _EVERYWHERE[500]} if told.open_to_all else _EVERYWHERE
    body = {413: _TOO_LARGE} if told.body is not None else {}
    return {**everywhere, **body, **told.answers}

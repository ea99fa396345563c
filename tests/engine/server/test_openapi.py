"""The document says what the router has, and the pages that show it are up to date."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from engine.options import parse
from engine.server import app
from engine.server.openapi import document
from tests.engine.server.conftest import Rig

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def router() -> web.UrlDispatcher:
    """With a token, so that every route is there."""
    application = web.Application()
    app.add_routes(application, msgspec.structs.replace(parse([]), token="t" * 32))
    return application.router


@pytest.fixture(scope="module")
def made(router: web.UrlDispatcher) -> dict[str, Any]:
    return document.make(router)


def documented(made: dict[str, Any]) -> set[tuple[str, str]]:
    """Method and whole path of everything, on every server that it names."""
    found = set()
    for path, item in made["paths"].items():
        for server in item.get("servers", made["servers"]):
            prefix = server["url"].rstrip("/")
            found |= {(method.upper(), prefix + path) for method in item if method != "servers"}
    return found


def operations(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in made["paths"].items():
        for method, operation in item.items():
            if method != "servers":
                yield f"{method.upper()} {path}", operation


def test_every_route_is_described_and_nothing_else(router: web.UrlDispatcher, made: dict[str, Any]) -> None:
    routes, told = document.routes(router), documented(made)
    assert not routes - told, "routes that nobody described: add them in engine/server/openapi/"
    assert not told - routes, "described, but there is no such route"
    assert set(document.operations()) == {key for key in document.operations() if key in routes}


def test_every_get_answers_head_except_the_socket(router: web.UrlDispatcher) -> None:
    methods: dict[str, set[str]] = {}
    for route in router.routes():
        assert route.resource is not None
        methods.setdefault(route.resource.canonical, set()).add(route.method)
    without = {path for path, found in methods.items() if "GET" in found and "HEAD" not in found}
    assert without == {"/ws", "/api/ws"}


def test_every_parameter_of_a_path_is_described(made: dict[str, Any]) -> None:
    for path, item in made["paths"].items():
        for operation in (one for method, one in item.items() if method != "servers"):
            described = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert described == set(re.findall(r"{(\w+)}", path)), path


def test_operations_have_names_words_and_refusals(made: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(made)]
    assert len(names) == len(set(names))
    for name, operation in operations(made):
        assert operation["summary"], name
        assert {"403", "500"} <= operation["responses"].keys(), name
        # What takes a body can be sent too much of one; what needs the token can be asked without it.
        assert ("requestBody" in operation) <= ("413" in operation["responses"]), name
        assert (operation.get("security") != []) <= ("401" in operation["responses"]), name


def test_every_reference_leads_somewhere(made: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "#/components/(\w+)/(\w+)"', json.dumps(made)))
    present = {(kind, name) for kind in ("schemas", "responses") for name in made["components"][kind]}
    assert references <= present
    assert not present - references - {("responses", name) for name in made["components"]["responses"]}


def test_the_socket_is_described(made: dict[str, Any]) -> None:
    about = made["paths"]["/ws"]["get"]["x-websocket"]
    told = "status execution_start execution_cached executing progress progress_state executed execution_success"
    more = "execution_error execution_interrupted feature_flags logs"
    assert {*told.split(), *more.split()} <= about["events"].keys()
    assert {"1", "3", "4"} <= about["binary"].keys()


async def test_the_engine_serves_it_twice(rig: Rig) -> None:
    first, second = await rig.get("/openapi.json"), await rig.get("/api/openapi.json")
    assert first == second
    assert first["openapi"].startswith("3.1")
    assert first["paths"].keys() == document.make(rig.client.app.router)["paths"].keys()
    assert "/login" not in first["paths"]  # there is no token, so there is no such route


def test_the_page_in_docs_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/openapi.py", "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr

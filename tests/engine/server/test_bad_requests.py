"""Whatever is sent is answered, and never with a failure of the server: names, numbers and bodies that nobody expects."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from yarl import URL

from tests.engine.server.conftest import Rig

# As they stand in a URL.
SEGMENTS = (
    *(
        "%00",
        "%FF",
        "%ED%A0%80",
        "..%2F..%2Fx",
        "%2e%2e",
        "%5C..%5Cx",
        "%E2%80%AEgnp.exe",
        "a%0Ab",
        "'",
        "%22",
        "%25",
        "%",
    ),
    *("%zz", "%2F", ".", "con", "x" * 300, "x" * 2000, "-1", "9" * 30, "1.5", "%D9%A3", "a%20b", "*", "{}"),
)
QUERIES = (
    *("/history?max_items={}", "/history?offset={}", "/history?max_items=1&offset={}", "/api/jobs?limit={}"),
    *("/api/jobs?offset={}", "/api/jobs?status={}", "/api/jobs?sort_by={}", "/api/jobs?sort_order={}"),
    *("/api/jobs?workflow_id={}", "/view?filename={}", "/view?filename=a.png&subfolder={}", "/view?filename=a&type={}"),
    *("/view?filename=a&preview={}", "/view_metadata/loras?filename={}", "/userdata?dir={}", "/v2/userdata?path={}"),
)
BODIES = (
    *(b"", b"{", b"null", b"[]", b"3", b'"x"', b"\xff", b"\x00", b'"\\ud800"', b'{"\\ud800": 1}', b"1e999", b"NaN"),
    *(b"[" * 100_000, b'{"a":' * 100_000, b'{"a": 1, "a": 2}', b"--x\r\n", b"a=b"),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1e308,
        2**70,
        "",
        "x",
        "a\0b",
        "../x",
        "9" * 500,
        [],
        [1],
        [[]],
        [None],
        {},
        {"a": 1},
        "\u202e",
    ),
)
KEYS = {
    "/prompt": ("prompt", "client_id", "prompt_id", "number", "front", "extra_data", "partial_execution_targets"),
    "/queue": ("clear", "delete"),
    "/history": ("clear", "delete"),
    "/free": ("unload_models", "free_memory"),
    "/settings": ("a",),
    "/users": ("username",),
    "/api/jobs/cancel": ("job_ids",),
    "/interrupt": ("prompt_id",),
}
GRAPH = {"1": {"class_type": "A", "inputs": {}}}


async def ask(rig: Rig, method: str, url: str, body: bytes | None = None) -> int:
    async with rig.client.request(method, URL(url, encoded=True), data=body) as response:
        text = await response.text("utf-8", "replace")
    assert response.status < 500, f"{method} {url[:120]} {body!r:.80}: {response.status} {text[:300]}"
    assert response.status < 400 or "Traceback" not in text
    return response.status


async def test_names_in_paths(rig: Rig) -> None:
    """Every route that there is, with hostile names in the place of its variables."""
    for route in rig.client.app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        if "{" not in path or route.method == "*" or path.startswith("/api/api"):
            continue
        for segment in SEGMENTS:
            body = b"1" if route.method == "POST" else None
            await ask(rig, route.method, re.sub(r"\{\w+\}", lambda _, one=segment: one, path), body)


async def test_names_and_numbers_in_queries(rig: Rig) -> None:
    for query in QUERIES:
        for segment in SEGMENTS:
            await ask(rig, "GET", query.format(segment))


@pytest.mark.parametrize("path", [*KEYS, "/settings/x", "/upload/image", "/upload/mask"])
async def test_bodies(rig: Rig, path: str) -> None:
    for body in BODIES:
        status = await ask(rig, "POST", path, body)
        readable = path in {"/settings/x", "/interrupt"}
        assert status in (200, 400) if readable or body == b'{"a": 1, "a": 2}' else status == 400, (body[:20], status)
    for body in BODIES:
        await ask(rig, "PATCH", "/internal/logs/subscribe", body)


@pytest.mark.parametrize("path", KEYS)
async def test_values_in_bodies(rig: Rig, path: str) -> None:
    for key in KEYS[path]:
        for value in VALUES:
            body = {key: value} if path != "/prompt" else {"prompt": GRAPH, key: value}
            await ask(rig, "POST", path, json.dumps(body).encode())


async def test_values_in_graphs(rig: Rig) -> None:
    for value in VALUES:
        inputs: tuple[Any, ...] = (value, {"a": value}, {"a": [value, 0]}, {"a": ["1", value]})
        graphs: list[Any] = [value, {"1": value}, {"1": {"class_type": value}}]
        graphs += [{"1": {"class_type": "A", "inputs": one}} for one in inputs]
        for graph in graphs:
            await ask(rig, "POST", "/prompt", json.dumps({"prompt": graph}).encode())
        for extra in ({"extra_pnginfo": value}, {"extra_pnginfo": {"workflow": value}}, {"preview_method": value}):
            await ask(rig, "POST", "/prompt", json.dumps({"prompt": GRAPH, "extra_data": extra}).encode())


async def test_a_bad_body_is_refused_with_its_place(rig: Rig) -> None:
    for path in ("/prompt", "/queue", "/history", "/free", "/settings", "/settings/x", "/users", "/api/jobs/cancel"):
        async with rig.client.post(path, data=b'{"a": 1,\n "b" 2}') as response:
            error = (await response.json())["error"]
        assert (response.status, error["type"]) == (400, "invalid_request")
        assert "line 2, column 6" in error["details"], error

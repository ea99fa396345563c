"""Who may call: names, pages and preflights."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import WSServerHandshakeError
from hypothesis import given
from hypothesis import strategies as st

from engine.server.access.hosts import Hosts, parse
from tests.engine.server.conftest import Rig, make_rig

Make = Callable[..., Awaitable[Rig]]


@asynccontextmanager
async def started(base: Path, *flags: str) -> AsyncIterator[Rig]:
    rig = await make_rig(base, *flags)
    try:
        yield rig
    finally:
        await rig.client.close()
        await rig.shared.store.close()


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://evil.example", None, 403),
        ("http://evil.example", "localhost:8188", 403),
        ("http://localhost:8188", "localhost:8188", 200),
        ("http://localhost", "localhost:8188", 200),
        ("http://LOCALHOST:8188", "localhost:8188", 200),
        ("http://localhost:9999", "localhost:8188", 403),
        ("http://localhost:8188", "127.0.0.1:8188", 403),
        ("http://[::1]:8188", "[::1]:8188", 200),
        ("http://evil.example", "[::1]:8188", 403),
        ("http://[", "localhost:8188", 403),
        ("null", "localhost:8188", 403),
        ("file://", "localhost:8188", 403),
        ("http://localhost:8188@evil.example", "localhost:8188", 403),
        ("chrome-extension://localhost:8188", "localhost:8188", 403),
    ],
)
async def test_pages_from_elsewhere_cannot_reach_this_machine(
    rig: Rig, origin: str, host: str | None, status: int
) -> None:
    headers = {"Origin": origin} | ({} if host is None else {"Host": host})
    for method, path in (("GET", "/queue"), ("POST", "/interrupt")):
        async with rig.client.request(method, path, headers=headers) as response:
            assert response.status == status
            if status == 403:
                assert await response.read() == b""


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:9999",  # the near end of ssh -L 9999:localhost:8188
        "LocalHost.:8188",
        "engine.localhost:8188",
        "127.0.0.1",
        "127.5.6.7:1",
        "[::1]:8188",
        "[::ffff:127.0.0.1]",
    ],
)
async def test_names_of_this_machine(rig: Rig, host: str) -> None:
    async with rig.client.get("/queue", headers={"Host": host}) as response:
        assert response.status == 200, await response.text()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8188",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "192.0.2.7:8188",
        "0.0.0.0:8188",
        "[2001:db8::1]:8188",
        "2130706433",
    ],
)
async def test_a_name_that_was_pointed_here_is_refused_with_the_flag(rig: Rig, host: str) -> None:
    for headers in (
        {"Host": host},
        {"Host": host, "X-Forwarded-Host": "localhost"},
        {"Host": host, "Origin": f"http://{host}"},
    ):
        async with rig.client.get("/queue", headers=headers) as response:
            assert response.status == 403
            assert "--allowed-host" in (await response.json())["error"]["details"]
    with pytest.raises(WSServerHandshakeError) as refused:
        await rig.client.ws_connect("/ws", headers={"Host": host})
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "localhost@evil.example",
        "localhost:x",
        "localhost:99999",
        "[::1",
        "::1",
        "[evil]",
        "lo\u00e9",
        "/etc",
        ".",
        "-",
    ],
)
async def test_what_is_no_host_is_refused(rig: Rig, host: str) -> None:
    async with rig.client.get("/queue", headers={"Host": host}) as response:
        assert response.status in (400, 403)


async def test_a_socket_of_another_page_is_refused(rig: Rig) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await rig.client.ws_connect("/ws", origin="http://evil.example")
    assert refused.value.status == 403


async def test_a_program_of_the_time_before_host_is_served(rig: Rig) -> None:
    import asyncio

    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(b"GET /queue HTTP/1.0\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(b"GET /queue HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()


async def test_names_that_the_owner_gives(tmp_path: Path) -> None:
    async with started(tmp_path, "--allowed-host", "Comfy.Example.org", "--allowed-host", "box") as rig:
        for host in ("comfy.example.org", "COMFY.example.org.:443", "box:8188", "localhost"):
            async with rig.client.get("/queue", headers={"Host": host, "Origin": f"https://{host}"}) as response:
                assert response.status == 200, host
        # A proxy that puts its own name into Host: the page's name is still the owner's.
        headers = {"Host": "127.0.0.1:8188", "Origin": "https://comfy.example.org"}
        async with rig.client.get("/queue", headers=headers) as response:
            assert response.status == 200
        async with rig.client.get("/queue", headers={"Host": "sub.comfy.example.org"}) as response:
            assert response.status == 403


def test_beyond_the_loopback_addresses_and_this_machines_names_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "GPU-Box.lan")
    hosts = Hosts.of(["0.0.0.0", "::"])
    for text in ("192.0.2.7:8188", "[2001:db8::1]", "gpu-box", "gpu-box.lan:1", "gpu-box.local", "localhost:8188"):
        found = parse(text)
        assert found is not None
        assert hosts.allows(found), text
    for text in ("evil.example", "gpu-box.evil.example", "lan"):
        found = parse(text)
        assert found is not None
        assert not hosts.allows(found), text
    anything = parse("whatever.example")
    assert anything is not None
    assert Hosts.of(["127.0.0.1"], ["*"]).allows(anything)
    with pytest.raises(ValueError, match="--allowed-host"):
        Hosts.of(["127.0.0.1"], ["http://x"])


@given(st.text(max_size=30))
def test_whatever_is_parsed_is_a_normal_name(text: str) -> None:
    found = parse(text)
    if found is not None:
        assert found.name == found.name.lower()
        assert not set(found.name) & set("/@ \\?#[]")
        assert parse(f"[{found.name}]" if ":" in found.name else found.name) is not None


async def test_pictures_and_scripts_are_not_for_other_sites(rig: Rig) -> None:
    for mode, status in (("no-cors", 403), ("cors", 403), ("navigate", 200)):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        async with rig.client.get("/queue", headers=headers) as response:
            assert response.status == status
    async with rig.client.get("/queue", headers={"Sec-Fetch-Site": "same-origin"}) as response:
        assert response.status == 200


async def test_programs_without_an_origin_are_served(rig: Rig) -> None:
    assert await rig.get("/queue") == {"queue_running": [], "queue_pending": []}


async def test_cross_site_calls_are_allowed_when_asked_for(tmp_path: Path) -> None:
    async with started(tmp_path, "--enable-cors-header", "http://page.example") as rig:
        async with rig.client.get("/queue", headers={"Origin": "http://page.example"}) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "http://page.example"
        async with rig.client.get("/queue", headers={"Origin": "http://evil.example"}) as response:
            assert response.status == 403
        async with rig.client.options("/prompt") as response:
            assert (response.status, await response.read()) == (200, b"")
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
    evil = {"Origin": "http://evil.example"}
    async with (
        started(tmp_path / "any", "--enable-cors-header") as rig,
        rig.client.get("/queue", headers=evil) as response,
    ):
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, "*")


async def test_without_the_flag_no_answer_allows_another_site(rig: Rig) -> None:
    for method, path in (("OPTIONS", "/prompt"), ("OPTIONS", "/nosuch"), ("GET", "/queue")):
        async with rig.client.request(method, path) as response:
            assert response.status == 200
            assert not [name for name in response.headers if name.lower().startswith("access-control")]
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_unknown_paths_and_methods(rig: Rig) -> None:
    for path in ("/nosuch", "/api/nosuch", "/interrupt"):
        async with rig.client.get(path) as response:
            assert (response.status, await response.read()) == (404, b"")
            assert response.content_type == "application/octet-stream"
    for method, path in (("POST", "/nosuch"), ("DELETE", "/prompt"), ("PUT", "/queue")):
        async with rig.client.request(method, path) as response:
            assert (response.status, await response.text()) == (405, "405: Method Not Allowed")
    async with rig.client.options("/queue") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_bodies_over_the_limit_are_refused(tmp_path: Path) -> None:
    async with (
        started(tmp_path, "--max-upload-size", "0.01") as rig,
        rig.client.post("/prompt", data=b" " * 20_000) as response,
    ):
        assert response.status == 413
        assert "--max-upload-size" in await response.text()

"""The token: who has it gets in, by each of the ways; nobody else does, and it shows up nowhere."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSServerHandshakeError

from engine.options import from_json, parse, to_json
from engine.server import limits
from engine.server.access import gate, guesses, secret
from engine.server.access.token import Key
from tests.engine.server.conftest import Rig
from tests.engine.server.test_security import started

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FLAGS = ("--token", TOKEN)


def carried(token: str) -> str:
    return "comfytui.token." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


async def test_everything_but_the_liveness_route_needs_the_token(tmp_path: Path) -> None:
    async with started(tmp_path, *FLAGS) as rig:
        routes = {
            (route.method, route.resource.canonical)
            for route in rig.client.app.router.routes()
            if route.resource is not None
        }
        open_routes = set()
        for method, path in sorted(routes):
            url = path.replace("{anything}", "x").replace("{", "").replace("}", "")
            async with rig.client.request("POST" if method == "*" else method, url) as response:
                if response.status != 401:
                    open_routes.add((method, path))
                else:
                    assert response.headers["WWW-Authenticate"].startswith("Bearer")
                    assert response.headers["Cache-Control"] == "no-store"
        assert {path for _, path in open_routes} == {"/health", "/api/health", "/login"}
        async with rig.client.get("/health") as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        for path in ("/nosuch", "/health/", "/health/../queue", "/login/x", "/%2e/queue", "/HEALTH"):
            async with rig.client.get(path) as response:
                assert response.status == 401, path
        async with rig.client.get("/queue") as response:
            assert "Authorization: Bearer" in (await response.json())["error"]["details"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN.upper()}",
        "Bearer \u00e9",
        f"Bearer {TOKEN} {TOKEN}",
    ],
)
async def test_wrong_headers(tmp_path: Path, value: str) -> None:
    async with started(tmp_path, *FLAGS) as rig:
        async with rig.client.get("/queue", headers={"Authorization": value}) as response:
            assert response.status == 401
        async with rig.client.get(f"/queue?token={TOKEN}") as response:  # the query is for sockets alone
            assert response.status == 401


async def test_the_ways_in(tmp_path: Path) -> None:
    async with started(tmp_path, *FLAGS) as rig:
        for value in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
            async with rig.client.get("/queue", headers={"Authorization": value}) as response:
                assert response.status == 200
        socket = await rig.client.ws_connect("/ws", headers=BEARER)
        assert (await socket.receive_json())["type"] == "status"
        await socket.close()
        for path in ("/ws", "/api/ws"):
            socket = await rig.client.ws_connect(f"{path}?token={TOKEN}&clientId=c")
            await socket.close()
        socket = await rig.client.ws_connect("/ws", protocols=(carried(TOKEN),))
        assert socket.protocol == carried(TOKEN)  # browsers want one of theirs back
        await socket.close()
        socket = await rig.client.ws_connect("/ws", protocols=("comfytui", carried(TOKEN)))
        assert socket.protocol == "comfytui"
        await socket.close()
        for wrong in ("/ws", "/ws?token=", "/ws?token=wrong", f"/ws?token=wrong&token={TOKEN}"):
            with pytest.raises(WSServerHandshakeError) as refused:
                await rig.client.ws_connect(wrong)
            assert refused.value.status == 401
        for protocols in ((carried("wrong"),), ("comfytui.token.!!!",), ("comfytui",), (carried(TOKEN)[:-2],)):
            with pytest.raises(WSServerHandshakeError):
                await rig.client.ws_connect("/ws", protocols=protocols)


async def test_a_browser_logs_in_with_the_form(tmp_path: Path) -> None:
    async with started(tmp_path, *FLAGS) as rig:
        page = {"Accept": "text/html,*/*"}
        async with rig.client.get("/", headers=page) as response:
            assert response.status == 401
            assert "type=password" in await response.text()
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        async with rig.client.get("/login") as response:
            assert response.status == 200
            assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
        for wrong in ({"token": "wrong"}, {}, {"other": TOKEN}):
            async with rig.client.post("/login", data=wrong, headers=page) as response:
                assert response.status == 401
                assert "Set-Cookie" not in response.headers
        async with rig.client.post("/login", data=b"x" * 20_000) as response:
            assert response.status == 413
        evil = {"Origin": "http://evil.example"}
        async with rig.client.post("/login", data={"token": TOKEN}, headers=evil) as response:
            assert response.status == 403
        async with rig.client.post("/login", data={"token": f" {TOKEN} "}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "./")
            cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie
        assert TOKEN not in cookie
        pair = {"Cookie": cookie.partition(";")[0]}
        rig.client.session.cookie_jar.clear()  # what follows sends cookies by hand
        async with rig.client.get("/queue", headers=pair) as response:
            assert response.status == 200
        socket = await rig.client.ws_connect("/ws", headers=pair)
        await socket.close()
        async with rig.client.get("/queue", headers={"Cookie": pair["Cookie"][:-1]}) as response:
            assert response.status == 401
        # The cookie does not help a page of another site, even if a browser sent it.
        async with rig.client.post("/interrupt", headers=pair | evil) as response:
            assert response.status == 403
    async with (
        started(tmp_path / "other", "--token", TOKEN + "2") as rig,
        rig.client.get("/queue", headers=pair) as response,
    ):
        assert response.status == 401


async def test_behind_tls_of_a_proxy_the_cookie_is_for_tls_alone(tmp_path: Path) -> None:
    async with started(tmp_path, *FLAGS, "--allowed-host", "c.example") as rig:
        headers = {"Origin": "https://c.example", "Host": "c.example"}
        async with rig.client.post("/login", data={"token": TOKEN}, headers=headers, allow_redirects=False) as response:
            assert "Secure" in response.headers["Set-Cookie"]


async def test_preflights_say_nothing_and_need_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, *FLAGS, "--enable-cors-header", "http://page.example") as rig:
        for path in ("/queue", "/nosuch"):
            async with rig.client.options(path) as response:
                assert (response.status, await response.read()) == (200, b"")
        # The page is told why: without the header it could not read the 401.
        async with rig.client.get("/queue", headers={"Origin": "http://page.example"}) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == "http://page.example"


def test_the_token_goes_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    options = parse([*FLAGS])
    assert TOKEN not in repr(options)
    assert TOKEN not in to_json(options)
    assert from_json(to_json(options)).token is None
    assert secret.shown_arguments(["engine", "--token", TOKEN, "--port", "1"]) == (
        "engine",
        "--token",
        "…",
        "--port",
        "1",
    )
    assert secret.shown_arguments([f"--token={TOKEN}"]) == ("--token=…",)
    assert TOKEN not in repr(Key.of(TOKEN))
    record = logging.LogRecord("x", logging.INFO, "f", 1, "a %s b", (TOKEN,), None)
    assert secret.Redact(TOKEN).filter(record)
    assert record.getMessage() == "a … b"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"a b", "spaces"),
        ("ü".encode(), "ASCII"),
        (b"two\nlines", "one line"),
        (b"x" * 2000, "longer"),
    ],
)
def test_files_that_hold_no_token(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(secret.TokenError, match=words) as problem:
        secret.with_token(parse(["--token-file", str(path)]), {})
    assert str(path) in str(problem.value)


def test_where_the_token_comes_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\r\n")
    path.chmod(0o600)
    assert secret.with_token(parse(["--token-file", str(path)]), {}).token == TOKEN
    assert not caplog.records
    path.chmod(0o644)
    assert secret.with_token(parse(["--token-file", str(path)]), {}).token == TOKEN
    assert "chmod 600" in caplog.text
    environ = {secret.VARIABLE: TOKEN, "OTHER": "1"}
    assert secret.with_token(parse([]), environ).token == TOKEN
    assert environ == {"OTHER": "1"}  # the worker inherits the rest
    assert secret.with_token(parse([]), {}).token is None
    for flags, environ in ((["--token", ""], {}), ([], {secret.VARIABLE: ""})):
        with pytest.raises(secret.TokenError, match="empty"):
            secret.with_token(parse(flags), environ)
    with pytest.raises(secret.TokenError, match="cannot be read"):
        secret.with_token(parse(["--token-file", str(tmp_path / "none")]), {})
    with pytest.raises(SystemExit):
        parse(["--token", "a", "--token-file", "b"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--listen"], "Anybody who can reach"),
        (["--listen", "127.0.0.1,192.0.2.7"], "Anybody who can reach"),
        (["--listen", *FLAGS], "unencrypted"),
        (["--listen", *FLAGS, "--tls-certfile", "c"], None),
        (["--listen", "127.0.0.1,::1"], None),
        (["--listen", "localhost"], None),
        (["--enable-cors-header"], "every page"),
        (["--enable-cors-header", "http://a.example"], None),
    ],
)
def test_what_is_open_is_said(flags: list[str], words: str | None) -> None:
    said = gate.warnings(parse(flags))
    assert (words is None and not said) or (words is not None and words in said[0])


async def test_no_header_breaks_the_gate(tmp_path: Path) -> None:
    """Requests by hand, of which each is answered or cut off, and none with 500."""
    values = [
        b"",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"a" * 7000,
        b"=;=;=",
        b"%00",
        b"Bearer \xc3\xa9",
        b"{",
        b"\x7f",
        b"a,b,,",
        b"::",
        b"[",
        b"*",
    ]
    async with started(tmp_path, *FLAGS) as rig:
        for name in (
            b"Host",
            b"Origin",
            b"Cookie",
            b"Authorization",
            b"Sec-WebSocket-Protocol",
            b"Accept",
            b"Sec-Fetch-Site",
        ):
            for value in values:
                for path in (b"/queue", b"/ws?token=%ed%a0%80", b"/login", b"/health"):
                    head = b"" if name == b"Host" else b"Host: localhost\r\n"
                    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
                    writer.write(
                        b"GET %s HTTP/1.1\r\n%s%s: %s\r\nConnection: close\r\n\r\n" % (path, head, name, value)
                    )
                    status = await reader.readline()
                    writer.close()
                    assert b" 500 " not in status, (name, value, path)
                    assert path in (b"/login", b"/health") or b" 200 " not in status


async def test_a_flood_of_wrong_tokens_waits_and_the_right_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guesses, "_RATE", 1e-3)  # after the first ones nobody's turn comes while the test runs
    monkeypatch.setattr(guesses, "_BURST", 3)
    monkeypatch.setattr(guesses, "_ROOM", 5)
    async with started(tmp_path, *FLAGS) as rig:

        async def guess(number: int) -> int:
            headers = {"Authorization": f"Bearer guess{number}"}
            async with rig.client.get("/queue", headers=headers) as response:
                return response.status

        assert [await guess(number) for number in range(3)] == [401] * 3
        waiting = [asyncio.create_task(guess(number)) for number in range(5)]
        async with asyncio.timeout(10):
            while rig.client.app[gate.GUESSES]._waiting < 5:
                await asyncio.sleep(0)
        assert await guess(9) == 429
        async with rig.client.post("/login", data={"token": "guess"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
        async with rig.client.get("/queue", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status == 200
        async with rig.client.post("/login", data={"token": TOKEN}, allow_redirects=False) as response:
            assert response.status == 303
        rig.client.session.cookie_jar.clear()
        async with rig.client.get("/queue") as response:  # no guess
            assert response.status == 401
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert caplog.text.count("wrong tokens, the last one from 127.0.0.1") == 1
    assert "guess" not in caplog.text.replace("guesses", "")


def test_wrong_tokens_are_answered_at_a_rate() -> None:
    now = 100.0
    made = guesses.Guesses(lambda: now)
    delays = [made._delay() for _ in range(40)]
    assert delays[: guesses._BURST] == [0.0] * guesses._BURST
    assert delays[-1] == pytest.approx(20 / guesses._RATE)
    now += 60
    assert made._delay() == 0.0


async def test_too_many_sockets_are_refused_in_words_and_one_that_closes_makes_room(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKETS", 2)
    first = await rig.client.ws_connect("/ws?clientId=a")
    async with rig.client.ws_connect("/ws?clientId=a") as second:  # it takes the place, and both are open
        await second.receive()
        async with rig.client.get("/ws?clientId=b") as response:
            assert (response.status, await response.text()) == (
                503,
                "2 WebSockets are open, which is the limit; try again when some have closed",
            )
        await first.close()
        async with asyncio.timeout(10):
            while rig.shared.hub.open > 1:
                await asyncio.sleep(0)
        async with rig.client.ws_connect("/ws?clientId=b") as third:
            assert (await third.receive()).type is aiohttp.WSMsgType.TEXT

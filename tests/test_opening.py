"""Profiles against servers that let nobody else in: over HTTP, the event socket and /view alike; and what is said if they do not."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from comfytui.client.errors import BadTarget, ClientError, Denied, ReadOnly, Unreachable
from comfytui.client.recording import Recorder
from comfytui.opening import open_profile
from comfytui.settings.schema import SettingsError, validate
from comfytui.state.connection import Connection
from comfytui.state.model import Output, Phase
from comfytui.state.opening import WAY, Way
from tests.support.replay import FakeComfy

SECRET = "pa&ss/w+ord of=ours"
BASIC = "Basic " + base64.b64encode(f"anna:{SECRET}".encode()).decode()
PATIENCE = 15.0
Admits = Callable[[web.Request], bool]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("COMFYTUI_SERVER", "COMFYTUI_TOKEN", "COMFYTUI_ENGINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SECRET_OF_BOX", SECRET)


async def used(profile: dict[str, Any]) -> str:
    """Use HTTP, the socket and /view with a profile; returns the repr of all that has to do with it."""
    settings = validate({"servers": {"box": profile}})
    opened = await open_profile(settings, "box")
    assert opened.name == "box"
    running = asyncio.create_task(opened.connection.run())
    try:
        await live(opened.connection)
        assert await opened.connection.fetch(Output("1", "images", "a b.png", "x", "output")) == b"picture"
        return f"{settings!r} {opened.connection.target!r} {opened.label} {opened.connection.state!r}"
    finally:
        await opened.close()
        await running


async def live(connection: Connection) -> None:
    """Wait for it; the first failure is raised."""
    settled = asyncio.Event()
    connection.subscribe(lambda state: settled.set() if state.link.error or state.link.phase is Phase.LIVE else None)
    await asyncio.wait_for(settled.wait(), PATIENCE)
    if connection._reason is not None:
        raise connection._reason


def header(name: str, value: str) -> Admits:
    return lambda request: request.headers.get(name) == value


WAYS: dict[str, tuple[dict[str, Any], Admits, str]] = {
    "bearer": ({"token": "$SECRET_OF_BOX"}, header("Authorization", f"Bearer {SECRET}"), "servers.box.token"),
    "basic": (
        {"user": "anna", "password": "$SECRET_OF_BOX"},
        header("Authorization", BASIC),
        "servers.box.user and servers.box.password",
    ),
    "header": (
        {"headers": {"X-Api-Key": "$SECRET_OF_BOX", "X-Team": "art"}},
        lambda request: (request.headers.get("X-Api-Key"), request.headers.get("X-Team")) == (SECRET, "art"),
        "servers.box.headers.X-Api-Key",
    ),
    "query": (
        {"query": {"token": "$SECRET_OF_BOX", "tkn": "second"}},
        lambda request: (request.query.get("token"), request.query.get("tkn")) == (SECRET, "second"),
        "servers.box.query.token",
    ),
    "basic and header": (
        {"user": "anna", "password": "$SECRET_OF_BOX", "headers": {"X-Api-Key": "second"}},
        lambda request: request.headers.get("Authorization") == BASIC and request.headers.get("X-Api-Key") == "second",
        "servers.box.headers.X-Api-Key",
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_in_for_requests_events_and_pictures(way: str, caplog: pytest.LogCaptureFixture) -> None:
    profile, admits, _ = WAYS[way]
    caplog.set_level(logging.DEBUG)
    async with FakeComfy(prefix="/deep/comfy", admits=admits) as server:
        server.files["output", "x", "a b.png"] = b"picture"
        shown = await used({"url": server.url + "/", **profile})
        assert {"/ws", "/view", "/prompt", "/queue"} <= {request.path for request in server.requests}
    shown += "".join(str(each.getMessage()) for each in caplog.records if not each.name.startswith("aiohttp"))
    assert SECRET not in shown
    assert BASIC.split()[1] not in shown
    assert "pa%26ss" not in shown


@pytest.mark.parametrize("way", WAYS)
async def test_a_wrong_secret_is_named_by_its_key_and_not_shown(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile, admits, key = WAYS[way]
    wrong = "wrong&one of+them"
    monkeypatch.setenv("SECRET_OF_BOX", wrong)
    recorder = Recorder(tmp_path / "taken")
    token = WAY.set(Way(recorder=recorder))
    try:
        async with FakeComfy(admits=admits) as server:
            with pytest.raises(Denied) as caught:
                await used({"url": server.url, **profile})
    finally:
        WAY.reset(token)
        recorder.close()
    text = f"{caught.value} {caught.value!r} {(tmp_path / 'taken').read_text()}"
    assert key in str(caught.value)
    assert "401" in str(caught.value)
    for form in (wrong, "wrong%26", base64.b64encode(f"anna:{wrong}".encode()).decode()):
        assert form not in text


async def test_without_any_credentials_the_places_for_them_are_named() -> None:
    async with FakeComfy(admits=lambda _: False) as server:
        with pytest.raises(Denied, match=r"None were sent: .*COMFYTUI_TOKEN.*\[servers\.NAME\]"):
            await used({"url": server.url})


async def test_an_address_may_bring_its_token_as_people_copy_it() -> None:
    async with FakeComfy(admits=lambda request: request.query.get("token") == SECRET) as server:
        server.files["output", "x", "a b.png"] = b"picture"
        shown = await used({"url": server.url + "/?token=pa%26ss/w%2Bord+of%3Dours"})
        assert "pa&ss" not in shown
        assert "pa%26ss" not in shown


# TLS -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_an_authority_of_our_own(authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with FakeComfy(prefix="/comfy", tls=tls, token=SECRET) as server:
        server.files["output", "x", "a b.png"] = b"picture"
        profile = {"url": server.url, "token": "$SECRET_OF_BOX"}
        await used({**profile, "ca": str(bundle)})
        await used({**profile, "verify": False})
        with pytest.raises(Unreachable, match=r"certificate is not trusted .*\(ca\).*verify = false"):
            await used(profile)
        with pytest.raises(Unreachable):  # it speaks TLS only
            await used({**profile, "url": server.url.replace("https", "http")})
    trustme.CA().cert_pem.write_to_path(str(bundle))
    async with FakeComfy(tls=tls) as server:
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            await used({"url": server.url, "ca": str(bundle)})


async def test_a_certificate_of_ours(authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours = authority.issue_cert("anna@example.org")
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    key = serialization.load_pem_private_key(ours.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRET.encode()),
    )
    (tmp_path / "key.pem").write_bytes(locked)
    async with FakeComfy(tls=tls) as server:
        server.files["output", "x", "a b.png"] = b"picture"
        profile = {"url": server.url, "ca": str(tmp_path / "ca.pem")}
        pair = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
        await used({**profile, "cert": str(tmp_path / "both.pem")})
        await used({**profile, **pair, "key_password": "$SECRET_OF_BOX"})
        with pytest.raises(Unreachable, match=r"(?i)wants a certificate of ours.* cert and key"):
            await used(profile)
        # Without a password it is an error, and no question on the terminal.
        for password in ("", "wrong-password"):
            with pytest.raises(BadTarget, match=r"cert\.pem cannot be used") as caught:
                await used({**profile, **pair, "key_password": password})
            assert "wrong-password" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no certificate\n"])
async def test_files_that_are_no_certificates(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_bytes(content)
    for profile in ({"ca": str(file)}, {"cert": str(file)}):
        with pytest.raises(BadTarget, match=r"file\.pem cannot be used: ."):
            await used({"url": "https://127.0.0.1:1", **profile})


# The rest ------------------------------------------------------------------------------------------------------------


async def test_reading_only_and_the_timeout_of_a_profile() -> None:
    async with FakeComfy() as server:
        settings = validate({"servers": {"box": {"url": server.url, "read_only": True, "timeout": 3}}})
        opened = await open_profile(settings, "box", remember=False)
        assert opened.connection.target.timeout == 3
        with pytest.raises(ReadOnly):
            await opened.connection.submit({})
        await opened.close()
        assert not server.requests


async def test_the_variable_token_goes_to_the_server_that_was_chosen_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYTUI_TOKEN", "for-one")
    settings = validate({"servers": {"box": {"url": "box"}, "own": {"url": "own", "headers": {"X-Key": "k"}}}})
    for server, variable, token in (
        ("box", True, "for-one"),
        ("box", False, None),
        ("own", True, None),  # it has credentials, and a token beside them might be refused
        ("http://anna:pw@elsewhere", True, None),
        ("elsewhere", True, "for-one"),
    ):
        opened = await open_profile(settings, server, remember=False, variable=variable)
        assert opened.connection.target.token == token, server
        await opened.close()


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ({"headers": {"X-Key": "caf\u00e9-secret"}}, "the header 'X-Key': its value must be plain ASCII"),
        ({"headers": {"X Key": "secret"}}, "the header 'X Key': a name has"),
        ({"headers": {"Host": "other-secret"}}, "the header 'Host' cannot be set"),
        ({"token": "secret \u2026"}, "the token: its value must be plain ASCII"),
        ({"token": "$NOT_SET_HERE"}, r"servers\.box\.token: the environment has no NOT_SET_HERE"),
        ({"headers": {"X": "a\nsecret: b"}}, r"servers\.box\.headers\.X: the secret holds a line break"),
        ({"url": "http://anna:secret@h:99999"}, "is not a server's address"),
        ({"url": "http://h:99999/?token=secret"}, "is not a server's address"),
        ({"url": "http://anna:secret/x@h"}, "is not a server's address"),
        ({"url": "ftp://anna:secret@h"}, "does not speak ftp"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_it_is(profile: dict[str, Any], why: str) -> None:
    settings = validate({"servers": {"box": {"url": "h", **profile}}})
    with pytest.raises((ClientError, SettingsError), match=why) as caught:
        await open_profile(settings, "box")
    assert "secret" not in str(caught.value).replace("the secret holds", "")

"""https and wss from a certificate and its key, and what is said when they cannot be used."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from engine.options import parse
from engine.server import app, run
from tests.engine.server.conftest import Rig

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(["openssl", "req", *made, *named, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


async def test_https_and_wss(rig: Rig, files: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    cert, key = files
    options = parse(["--port", "0", "--tls-certfile", str(cert), "--tls-keyfile", str(key)])
    runner = web.AppRunner(app.make(rig.shared))
    await runner.setup()
    caplog.set_level("INFO")
    try:
        await run._listen(runner, options)
        port = runner.addresses[0][1]
        assert f"https://127.0.0.1:{port}" in caplog.text
        trust = ssl.create_default_context(cafile=str(cert))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
            async with session.get(f"https://127.0.0.1:{port}/queue") as response:
                assert response.status == 200
            async with session.ws_connect(f"wss://localhost:{port}/ws", origin=f"https://localhost:{port}") as socket:
                assert (await socket.receive_json())["type"] == "status"
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/queue"):
                pass
    finally:
        await runner.cleanup()


def test_what_cannot_be_used_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = files
    nonsense, locked = tmp_path / "nonsense.pem", tmp_path / "locked.pem"
    nonsense.write_text("no certificate")
    subprocess.run(
        ["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked], check=True, capture_output=True
    )
    for flags, words in (
        (["--tls-certfile", str(cert)], "--tls-keyfile"),
        (["--tls-keyfile", str(key)], "--tls-certfile"),
        (
            ["--tls-certfile", str(tmp_path / "none.pem"), "--tls-keyfile", str(key)],
            "--tls-certfile .*none.pem.*No such",
        ),
        (["--tls-certfile", str(cert), "--tls-keyfile", str(tmp_path)], "--tls-keyfile .*directory"),
        (["--tls-certfile", str(nonsense), "--tls-keyfile", str(key)], "nonsense.pem"),
        (["--tls-certfile", str(cert), "--tls-keyfile", str(nonsense)], "nonsense.pem"),
        (["--tls-certfile", str(cert), "--tls-keyfile", str(locked)], "password"),
    ):
        with pytest.raises(run.StartError, match=words):
            run._tls(parse(flags))

"""The tunnel: opened, watched, opened again, explained when it fails, and never left behind."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import socket
import ssl as tls
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from comfytui.client.errors import Denied
from comfytui.client.messages import RawName
from comfytui.client.target import Target, Via
from comfytui.opening import open_profile
from comfytui.settings.schema import Ssh, validate
from comfytui.state.model import Output, ServerState
from comfytui.state.model import Phase as LinkPhase
from comfytui.tunnel import Phase, Tunnel, TunnelError
from tests.support.fake_ssh import FakeSsh
from tests.support.replay import FakeComfy

PATIENCE = 20.0


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSsh:
    fake = FakeSsh(tmp_path)
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    for name in ("COMFYTUI_SERVER", "COMFYTUI_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return fake


@asynccontextmanager
async def tunnel_to(port: int, **options: Any) -> AsyncIterator[Tunnel]:
    tunnel = Tunnel(Ssh(host="me@box"), "127.0.0.1", port, backoff=lambda _: 0.0, **options)
    tunnel.start()
    try:
        yield tunnel
    finally:
        await tunnel.stop()


async def phase(tunnel: Tunnel, wanted: Phase) -> None:
    reached = asyncio.Event()
    unsubscribe = tunnel.subscribe(lambda status: reached.set() if status.phase is wanted else None)
    try:
        if tunnel.status.phase is not wanted:
            await asyncio.wait_for(reached.wait(), PATIENCE)
    finally:
        unsubscribe()


async def gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_requests_and_events_go_through_and_the_server_sees_its_own_name(ssh: FakeSsh) -> None:
    async with FakeComfy(prefix="/comfy", token="s3cret-of-box") as server:
        server.files["output", "", "a.png"] = b"picture"
        profile = {"url": server.url, "token": "s3cret-of-box", "ssh": {"host": "box", "user": "me", "port": 2222}}
        opened = await open_profile(validate({"servers": {"far": profile}}), "far")
        running = asyncio.create_task(opened.connection.run())
        try:
            await opened.connection.wait_live(PATIENCE)
            assert await opened.connection.fetch(Output("1", "images", "a.png", "", "output")) == b"picture"
            assert len(server.sockets) == 1
        finally:
            await opened.close()
            await running
        assert opened.tunnel is not None
        assert str(opened.tunnel.status) == "tunnel: stopped"
        hosts = {request.headers["Host"] for request in server.requests}
        assert hosts == {f"127.0.0.1:{server.port}"}
        assert opened.label == f"me@box/127.0.0.1:{server.port}/comfy"
        assert opened.connection.state.link.url == f"ssh://{opened.label}"
    (call,) = ssh.calls()
    assert call["arguments"][-2:] == ["--", "me@box"]
    assert call["arguments"][call["arguments"].index("-p") :][:2] == ["-p", "2222"]
    assert "BatchMode=yes" in call["arguments"]
    assert "ExitOnForwardFailure=yes" in call["arguments"]
    assert not call["terminal"]
    assert not call["askpass"]
    assert "s3cret" not in str(call)
    await gone(call["pid"])


async def test_tls_goes_through_and_is_checked_for_the_name_in_the_url(ssh: FakeSsh, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with FakeComfy(tls=context) as server:
        for host, told in (("localhost", ""), ("127.0.0.1", "certificate is not trusted")):
            profile = {"url": f"https://{host}:{server.port}", "ca": str(tmp_path / "ca.pem"), "ssh": "me@box"}
            opened = await open_profile(validate({"servers": {"far": profile}}), "far", remember=False)
            running = asyncio.create_task(opened.connection.run())
            settled = asyncio.Event()
            opened.connection.subscribe(
                lambda state, settled=settled: settled.set() if state.link.error or state.link.phase == "live" else None
            )
            try:
                await asyncio.wait_for(settled.wait(), PATIENCE)
                assert told in (opened.connection.state.link.error or "")
                assert (opened.connection.state.link.phase is LinkPhase.LIVE) is (not told)
            finally:
                await opened.close()
                await running


async def test_two_boxes_with_one_url_are_two_servers() -> None:
    near, far = (Target.parse("127.0.0.1", via=via) for via in (None, Via("/x", "me@box")))
    assert near.url == far.url
    assert near.place != far.place
    assert near.is_loopback
    assert not far.is_loopback  # figures of this machine are not those of the box


async def test_a_tunnel_that_breaks_is_opened_again_and_the_connection_comes_back(ssh: FakeSsh) -> None:
    async with FakeComfy() as server:
        settings = validate({"servers": {"far": {"url": server.url, "ssh": "me@box"}}})
        opened = await open_profile(settings, "far", remember=False)
        connection, tunnel = opened.connection, opened.tunnel
        assert tunnel is not None
        tunnel._backoff = lambda _: 0.0
        connection.backoff = lambda _: 0.0
        running = asyncio.create_task(connection.run())
        try:
            await connection.wait_live(PATIENCE)
            lost = asyncio.Event()
            back = asyncio.Event()

            def heard(state: ServerState) -> None:
                if state.link.phase is LinkPhase.RECONNECTING:
                    lost.set()
                elif state.link.phase is LinkPhase.LIVE and lost.is_set():
                    back.set()

            connection.subscribe(heard)
            os.kill(ssh.calls()[0]["pid"], signal.SIGKILL)
            await asyncio.wait_for(lost.wait(), PATIENCE)
            await asyncio.wait_for(back.wait(), PATIENCE)
            assert len(ssh.calls()) == 2
            assert str(tunnel.status) == "tunnel: up"
        finally:
            await opened.close()
            await running
    await gone(ssh.calls()[1]["pid"])
    assert not tunnel.path.parent.exists()


@pytest.mark.parametrize(
    ("says", "told", "hopeless"),
    [
        ("me@box: Permission denied (publickey).\n", "(publickey). Load your key", True),
        ("Host key verification failed.\r\n", "`ssh me@box` once", True),
        ("ssh: connect to host box port 22: Connection refused\r\n", "port 22: Connection refused", False),
        ("ssh: Could not resolve hostname box: Name or service not known\n", "Is the name right?", False),
        ("\x1b[31mbanner\x1b]0;title\x07\n", "banner", False),
        ("", "ssh ended with code 255", False),
    ],
)
async def test_what_ssh_says_is_the_reason(ssh: FakeSsh, says: str, told: str, hopeless: bool) -> None:
    ssh.says.write_text(says)
    tunnel = Tunnel(Ssh(host="me@box"), "127.0.0.1", 1, backoff=lambda _: 3600.0)
    tunnel.start()
    try:
        with pytest.raises(TunnelError) as caught:
            await asyncio.wait_for(tunnel.wait_up(), PATIENCE)
        assert told in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert caught.value.hopeless is tunnel.status.hopeless is hopeless
        assert str(tunnel.status).startswith("tunnel: failed: ")
        assert tunnel.status.retry_at is not None
        ssh.says.unlink()
        tunnel.retry_now()  # the user has done something about it
        await asyncio.wait_for(tunnel.wait_up(), PATIENCE)
    finally:
        await tunnel.stop()


async def test_the_connection_tells_why_and_does_not_hammer_a_box_that_refuses_us(ssh: FakeSsh) -> None:
    ssh.says.write_text("me@box: Permission denied (publickey).\n")
    async with FakeComfy() as server:
        settings = validate({"servers": {"far": {"url": server.url, "ssh": "me@box"}}})
        opened = await open_profile(settings, "far", remember=False)
        running = asyncio.create_task(opened.connection.run())
        try:
            with pytest.raises(Denied, match=r"tunnel to me@box: .*Permission denied"):
                await opened.connection.wait_live(PATIENCE)
            assert opened.connection.state.link.phase is LinkPhase.REFUSED
            before = len(ssh.calls())
            ssh.says.unlink()
            changed = asyncio.Event()
            opened.connection.subscribe(lambda state: changed.set() if state.link.phase is LinkPhase.LIVE else None)
            opened.connection.retry_now()
            await asyncio.wait_for(changed.wait(), PATIENCE)
            assert len(ssh.calls()) == before + 1
        finally:
            await opened.close()
            await running


async def test_a_server_that_is_not_there_is_told_apart_from_a_tunnel_that_is_not(ssh: FakeSsh) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening: refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        opened = await open_profile(
            validate({"servers": {"far": {"url": url, "ssh": "me@box"}}}), "far", remember=False
        )
        running = asyncio.create_task(opened.connection.run())
        failed = asyncio.Event()
        opened.connection.subscribe(lambda state: failed.set() if state.link.error else None)
        try:
            await asyncio.wait_for(failed.wait(), PATIENCE)
            error = opened.connection.state.link.error or ""
            assert "tunnel to me@box is open" in error
            assert url.partition("://")[2] in error
        finally:
            await opened.close()
            await running


async def test_without_ssh_the_package_is_named(tmp_path: Path) -> None:
    async with tunnel_to(1, command=(str(tmp_path / "no-ssh"),)) as tunnel:
        with pytest.raises(TunnelError, match="is not installed"):
            await asyncio.wait_for(tunnel.wait_up(), PATIENCE)


async def test_stopping_while_it_opens_leaves_nothing(ssh: FakeSsh) -> None:
    ssh.program.write_text('#!/bin/sh\necho $$ > "$FAKE_SSH_LOG"\nexec sleep 600\n')
    async with tunnel_to(1) as tunnel:
        async with asyncio.timeout(PATIENCE):
            while not (ssh.log.exists() and ssh.log.read_text().strip()):
                await asyncio.sleep(0.02)
        assert str(tunnel.status) == "tunnel: connecting"
    await gone(int(ssh.log.read_text()))
    assert not tunnel.path.parent.exists()


LEFT = """
import asyncio, sys
from comfytui.settings.schema import Ssh
from comfytui.tunnel import Tunnel

async def main():
    tunnel = Tunnel(Ssh(host="me@box"), "127.0.0.1", int(sys.argv[1]))
    tunnel.start()
    await tunnel.wait_up()
    print(tunnel.path, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_it_does_not_outlive_us_however_we_end(ssh: FakeSsh, how: signal.Signals) -> None:
    async with FakeComfy() as server:
        program = subprocess.Popen([sys.executable, "-c", LEFT, str(server.port)], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        path = Path((await asyncio.to_thread(program.stdout.readline)).strip())
        assert path.is_socket()
        assert path.parent.stat().st_mode & 0o077 == 0
        os.kill(program.pid, how)
        program.wait(PATIENCE)
        program.stdout.close()
        await gone(ssh.calls()[0]["pid"])
        async with asyncio.timeout(PATIENCE):
            while path.parent.exists():
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("bad", ["-oProxyCommand=touch /tmp/x", "", "a b", "me@box\n-x"])
@pytest.mark.parametrize("key", ["host", "jump"])
def test_no_host_is_taken_for_an_option(bad: str, key: str) -> None:
    if (key, bad) == ("jump", ""):
        return
    with pytest.raises(ValueError, match=r"servers\.far"):
        validate({"servers": {"far": {"url": "h", "ssh": {"host": "box", key: bad}}}})
    if key == "host" and bad:
        with pytest.raises(ValueError, match=r"ssh: host must not begin with -"):
            validate({"servers": {"far": {"url": "h", "ssh": bad}}})


# The real thing ------------------------------------------------------------------------------------------------------


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Callable[..., Ssh]]:
    """A real server on this machine that lets a new key in; returns what makes the settings for it."""
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("OpenSSH's server is not installed")
    for name in ("host", "mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "allowed").write_text((tmp_path / "mine.pub").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'host'}\nAuthorizedKeysFile {tmp_path / 'allowed'}\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it separates its privileges
    kind, key, _ = (tmp_path / "host.pub").read_text().split(" ", 2)
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    server = subprocess.Popen([program, "-D", "-e", "-f", tmp_path / "config"], stderr=subprocess.PIPE)
    assert server.stderr is not None
    if b"Server listening" not in server.stderr.readline():
        server.kill()
        server.wait()
        pytest.skip("OpenSSH's server does not start here")

    def settings(key: str = "mine", known: str = "known") -> Ssh:
        options = (f"UserKnownHostsFile={tmp_path / known}", "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes")
        return Ssh(host="127.0.0.1", user=getpass.getuser(), port=port, identity=str(tmp_path / key), options=options)

    yield settings
    server.terminate()
    server.communicate(timeout=PATIENCE)


async def test_through_a_real_ssh(sshd: Callable[..., Ssh], monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    async with FakeComfy() as server:
        server.files["output", "", "a.png"] = b"picture"
        profile = {"url": server.url, "ssh": msgspec.to_builtins(sshd())}
        opened = await open_profile(validate({"servers": {"far": profile}}), "far", remember=False)
        running = asyncio.create_task(opened.connection.run())
        try:
            await opened.connection.wait_live(PATIENCE)
            assert await opened.connection._http.view(RawName("a.png", "", "output")) == b"picture"
            assert len(server.sockets) == 1
        finally:
            await opened.close()
            await running


async def test_a_real_ssh_says_why_not(sshd: Callable[..., Ssh], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for ssh, told in (
        (sshd(key="other"), "Permission denied"),
        (sshd(known="unknown"), "Host key verification failed"),
    ):
        tunnel = Tunnel(ssh, "127.0.0.1", 1)
        tunnel.start()
        try:
            with pytest.raises(TunnelError, match=told) as caught:
                await asyncio.wait_for(tunnel.wait_up(), PATIENCE)
            assert caught.value.hopeless
        finally:
            await tunnel.stop()

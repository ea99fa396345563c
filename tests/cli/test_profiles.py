"""Commands use a named server as the dashboard does: with its secrets, and through its tunnel."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.support.fake_ssh import FakeSsh
from tests.support.replay import FakeComfy

from .conftest import Call

SECRET = "a-token-that-nobody-sees"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSsh:
    fake = FakeSsh(tmp_path)
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    return fake


def write(tmp_path: Path, table: str) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "settings.toml").write_text(table)


def test_a_command_through_a_tunnel_with_a_token_from_a_command(
    call: Call, ssh: FakeSsh, tmp_path: Path, workflow: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\nanother line\n")
    with FakeComfy.in_thread(token=SECRET) as server:
        token = f"!cat {tmp_path / 'secret'}"
        write(tmp_path, f'[servers.box]\nurl = "{server.url}"\ntoken = "{token}"\nssh = "me@box"\n')
        done = call("run", workflow, "--server", "box", "--output", "results")
        assert done.code == 0, done.err
        assert Path(done.lines[0]).is_file()
    (used,) = ssh.calls()
    assert SECRET not in done.out + done.err + str(used)
    assert not psutil.pid_exists(used["pid"]) or psutil.Process(used["pid"]).status() == psutil.STATUS_ZOMBIE


def test_a_tunnel_that_fails_says_why_and_soon(call: Call, ssh: FakeSsh, tmp_path: Path) -> None:
    ssh.says.write_text("me@box: Permission denied (publickey).\n")
    write(tmp_path, '[servers.box]\nurl = "127.0.0.1:8188"\nssh = "me@box"\n')
    done = call("queue", "--server", "box")
    assert done.code == 3
    assert "The tunnel to me@box: me@box: Permission denied (publickey)" in done.err
    assert "ssh-add" in done.err


def test_a_secret_that_cannot_be_had_is_a_wrong_setting(call: Call, tmp_path: Path) -> None:
    write(tmp_path, '[servers.box]\nurl = "127.0.0.1:1"\ntoken = "!false hunter2"\n')
    done = call("queue", "--server", "box")
    assert done.code == 9
    assert "servers.box.token: the command false ended with code 1" in done.err
    assert "hunter2" not in done.err
    write(tmp_path, '[servers.box]\nurl = "127.0.0.1:1"\nssh = "-oProxyCommand=touch x"\n')
    done = call("queue", "--server", "box")
    assert done.code == 9
    assert "servers.box: ssh: host must not begin with -" in done.err
    assert not (Path.cwd() / "x").exists()

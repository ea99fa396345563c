"""Secrets that the settings only point to: found, or refused by the name of their key and without being shown."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from comfytui.settings import credentials
from comfytui.settings.credentials import read_token, resolve
from comfytui.settings.schema import SettingsError

KEY = "servers.box.token"


def told(command: str) -> str:
    return resolve(f"!{command}", KEY)


def python(code: str) -> str:
    return f"{sys.executable} -S -c {shlex.quote(code)}"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOX_TOKEN", "from the environment")
    assert resolve("$BOX_TOKEN", KEY) == "from the environment"
    assert resolve("$BOX_TOKEN and more", KEY) == "$BOX_TOKEN and more"  # a secret as it is
    monkeypatch.delenv("BOX_TOKEN")
    with pytest.raises(SettingsError, match=r"servers\.box\.token: the environment has no BOX_TOKEN. export BOX_TOKEN"):
        resolve("$BOX_TOKEN", KEY)


def test_from_a_command_without_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("echo 'first  word' second") == "first  word second"
    assert told("printf 'a line\\nanother\\n'") == "a line"
    monkeypatch.chdir(tmp_path)
    assert told("echo $HOME; touch made") == "$HOME; touch made"
    assert not (tmp_path / "made").exists()
    (tmp_path / "mine").write_text("#!/bin/sh\necho own\n")
    (tmp_path / "mine").chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert told("~/mine") == "own"


def test_a_command_gets_no_terminal_and_no_input() -> None:
    code = "import os, sys; print(sys.stdin.read() == '' and os.getsid(0) == os.getpid())"
    assert told(python(code)) == "True"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("", "there is no command after the !"),
        ("echo 'open", "the command cannot be read: no closing quotation"),
        ("/nowhere/at-all --secret hunter2", "the command /nowhere/at-all cannot be run: No such file"),
        ("true hunter2", "the command true wrote nothing"),
        (python("import sys; print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(3)"), "ended with code 3"),
        (python("import os; print('hunter2', flush=True); os.kill(os.getpid(), 9)"), "ended with code -9"),
        (python("print('hunter2\\x1b[31m')"), "holds a line break or another control character"),
    ],
)
def test_a_command_that_fails_is_named_and_not_quoted(command: str, why: str) -> None:
    with pytest.raises(SettingsError) as caught:
        told(command)
    assert why in str(caught.value)
    assert str(caught.value).startswith(KEY)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "PATIENCE", 0.2)
    script = tmp_path / "hang"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path / 'pid'}\necho hunter2\nwait\n")
    script.chmod(0o755)
    with pytest.raises(SettingsError, match=r"the command .*hang took more than 0\.2 s") as caught:
        told(str(script))
    assert "hunter2" not in str(caught.value)
    if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text().strip()):
        gone = threading.Event()
        for _ in range(200):
            try:
                os.kill(int(pid), 0)
                if Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z"):
                    gone.set()
            except OSError:
                gone.set()
            if gone.wait(0.02):
                break
        else:
            os.kill(int(pid), signal.SIGKILL)
            pytest.fail("what the command started still runs")


class Ring(KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise KeyringLocked("the keyring is locked")
        return {("https://box/comfy", "anna"): "from the keyring"}.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
def test_from_the_keyring() -> None:
    assert resolve("keyring:https://box/comfy/anna", KEY) == "from the keyring"
    with pytest.raises(SettingsError, match=r"has no box/anna\. Put it there: keyring set box anna"):
        resolve("keyring:box/anna", KEY)
    with pytest.raises(SettingsError, match="KeyringLocked"):
        resolve("keyring:locked/anna", KEY)
    for wrong in ("keyring:", "keyring:box", "keyring:/anna", "keyring:box/"):
        with pytest.raises(SettingsError, match="keyring:service/user"):
            resolve(wrong, KEY)


def test_without_the_library_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match=r"servers\.box\.token: .*pip install 'comfytui\[keyring\]'"):
        resolve("keyring:box/anna", KEY)


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert read_token(str(file), KEY) == "from-file"
    file.write_text("two\nlines")
    with pytest.raises(SettingsError, match="holds a line break"):
        read_token(str(file), KEY)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_token(str(tmp_path), KEY)


@given(st.text(max_size=40))
def test_any_text_is_a_secret_or_an_error_that_names_its_key(text: str) -> None:
    if text.startswith(("!", "keyring:")):  # these start programs
        return
    try:
        found = resolve(text, KEY)
    except SettingsError as error:
        assert error.key == KEY
        return
    assert found == text
    assert not found or found in credentials.known()

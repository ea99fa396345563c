"""Secrets that the settings only point to: in the environment, told by a command, in the system's keyring, in a file.

What was found is known here for as long as the program runs, so that it can be blotted out of a crash report.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

from comfytui.settings.schema import SettingsError

KEYRING = "keyring:"
INSTALL = "pip install 'comfytui[keyring]'"
MAX = 4096  # bytes of a secret
PATIENCE = 20.0  # seconds for a command: a password manager may ask a server of its own

_found: set[str] = set()  # by the whole program: a crash has no other way to know them


def known() -> tuple[str, ...]:
    """All secrets that were resolved since the start."""
    return tuple(_found)


def resolve(value: str, key: str) -> str:
    """The secret that a value of the settings stands for; a value of no special form is the secret itself.

    `$NAME` is taken from the environment, `!command arguments` is the first line that a command writes (run without a
    shell), `keyring:service/user` is a password of the keyring. Blocks, a command up to PATIENCE seconds: call it in a
    thread. Raises SettingsError naming `key`, and never what was found.
    """
    if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
        found = os.environ.get(value[1:])
        if found is None:
            raise SettingsError(f"the environment has no {value[1:]}", key=key, fix=f"export {value[1:]}=…")
    elif value.startswith("!"):
        found = _of_command(value[1:], key)
    elif value.startswith(KEYRING):
        found = _of_keyring(value.removeprefix(KEYRING), key)
    else:
        found = value
    return _checked(found, key)


def read_token(file: str, key: str) -> str:
    """The one line of a file. Raises SettingsError naming `key`."""
    try:
        with Path(file).expanduser().open("rb") as opened:
            return _checked(opened.read(MAX).decode("latin-1").strip(), key)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}", key=key) from error


def _checked(found: str, key: str) -> str:
    """Fit for a header or a query, and remembered. A line break would end the header and begin another."""
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in found):
        raise SettingsError("the secret holds a line break or another control character", key=key)
    if found:
        _found.add(found)
    return found


def _of_command(command: str, key: str) -> str:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"the command cannot be read: {str(error).lower()}", key=key) from None
    if not arguments:
        raise SettingsError("there is no command after the !", key=key)
    name = arguments[0]
    fix = "Run it in a terminal to see why"
    try:
        # A session of its own: whatever it asks for, it cannot ask our terminal. What it says of its failure may
        # quote the secret, so nobody reads that.
        process = subprocess.Popen(
            [str(Path(name).expanduser()), *arguments[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "it cannot be a command"
        raise SettingsError(f"the command {name} cannot be run: {said}", key=key) from None
    with process:
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what it started, which may hold the pipe
            # From None, and no `raise from`: the exception holds what the command wrote so far.
            raise SettingsError(f"the command {name} took more than {PATIENCE:g} s", key=key, fix=fix) from None
    if process.returncode:
        raise SettingsError(f"the command {name} ended with code {process.returncode}", key=key, fix=fix)
    first = output[:MAX].decode("utf-8", "replace").split("\n", 1)[0].strip()
    if not first:
        raise SettingsError(f"the command {name} wrote nothing", key=key, fix=fix)
    return first


def _of_keyring(entry: str, key: str) -> str:
    service, slash, user = entry.rpartition("/")
    if not (service and slash and user):
        raise SettingsError("names no entry of the keyring", key=key, fix=f"Write {KEYRING}service/user")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise SettingsError("the package keyring is not installed", key=key, fix=f"Install it: {INSTALL}") from None
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise SettingsError(f"the keyring cannot be used ({type(error).__name__}): {error}", key=key) from None
    if found is None:
        fix = f"Put it there: keyring set {shlex.quote(service)} {shlex.quote(user)}"
        raise SettingsError(f"the keyring has no {service}/{user}", key=key, fix=fix)
    return found

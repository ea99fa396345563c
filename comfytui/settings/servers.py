"""Which server is meant: by the command line, the environment or the settings; by address or by name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from comfytui.settings.schema import Engine, Profile, Settings, SettingsError

VARIABLE = "COMFYTUI_SERVER"
TOKEN = "COMFYTUI_TOKEN"  # noqa: S105 -- the name of the variable
ENGINE_TOKEN = "COMFYTUI_ENGINE_TOKEN"  # noqa: S105 -- the engine's own, which it would be started with
MAX_TOKEN = 4096  # bytes of a file with a token


def names(settings: Settings) -> tuple[str, ...]:
    """The names of `[servers]`, in the order of the file."""
    return tuple(settings.servers)


def meant(settings: Settings, given: str | None = None) -> tuple[str, Profile]:
    """(name, profile as it is written) of `given`, else of the variable COMFYTUI_SERVER, else of the settings.

    An address that is no name gets a profile of its own, and as its name the address without a password.
    """
    wanted = given or os.environ.get(VARIABLE) or settings.server
    if wanted in settings.servers:
        return wanted, settings.servers[wanted]
    return wanted.rpartition("@")[2].partition("?")[0], Profile(url=wanted)


def chosen(settings: Settings, given: str | None = None) -> Profile:
    """The profile of `given`, else of the variable COMFYTUI_SERVER, else of the settings.

    A name of `[servers]` gives that profile, everything else is an address. Secrets written as `$NAME` are taken from
    the environment. The token is the profile's, else that of COMFYTUI_TOKEN, else the one that our own engine is
    started with if this is its address. Raises SettingsError if a variable is not set, or a file cannot be read.
    """
    wanted = given or os.environ.get(VARIABLE) or settings.server
    profile = settings.servers.get(wanted)
    if profile is None:
        return Profile(url=wanted, token=os.environ.get(TOKEN) or _of_our_engine(settings.engine, wanted))
    place = f"servers.{wanted}"
    token = _secret(profile.token, f"{place}.token")
    if not token and profile.token_file:
        token = read_token(profile.token_file, f"{place}.token_file")
    headers = {key: _secret(value, f"{place}.headers.{key}") for key, value in profile.headers.items()}
    token = token or os.environ.get(TOKEN, "")
    return Profile(url=profile.url, token=token, headers=headers, verify=profile.verify, ca=profile.ca)


def split_token(arguments: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The engine's arguments without `--token`, and the token that was there: a process list shows arguments."""
    kept: list[str] = []
    token = ""
    rest = iter(arguments)
    for text in rest:
        if text == "--token":
            token = next(rest, "")
        elif text.startswith("--token="):
            token = text.partition("=")[2]
        else:
            kept.append(text)
    return tuple(kept), token


def read_token(file: str, key: str) -> str:
    """The one line of a file. Raises SettingsError naming `key`."""
    try:
        with Path(file).expanduser().open("rb") as opened:
            return opened.read(MAX_TOKEN).decode("latin-1").strip()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}", key=key) from error


def _of_our_engine(engine: Engine, address: str) -> str:
    """The token of the engine that we start, if `address` is where it listens; empty if it has none."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        ours = parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.port == engine.port
    except ValueError:
        return ""
    if not ours:
        return ""
    arguments, token = split_token(engine.arguments)
    for index, text in enumerate(arguments):
        if not token and text.startswith("--token-file="):
            token = read_token(text.partition("=")[2], "engine.arguments")
        elif not token and text == "--token-file" and index + 1 < len(arguments):
            token = read_token(arguments[index + 1], "engine.arguments")
    return token or os.environ.get(ENGINE_TOKEN, "")


def _secret(value: str, key: str) -> str:
    if not re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
        return value
    found = os.environ.get(value[1:])
    if found is None:
        raise SettingsError(f"the environment has no {value[1:]}", key=key, fix=f"export {value[1:]}=…")
    return found

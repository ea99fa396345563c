"""Which server is meant: by the command line, the environment or the settings; by address or by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec.structs import replace

from comfytui.settings.credentials import read_token, resolve
from comfytui.settings.schema import Engine, Profile, Settings

VARIABLE = "COMFYTUI_SERVER"
TOKEN = "COMFYTUI_TOKEN"  # noqa: S105 -- the name of the variable
ENGINE_TOKEN = "COMFYTUI_ENGINE_TOKEN"  # noqa: S105 -- the engine's own, which it would be started with


def names(settings: Settings) -> tuple[str, ...]:
    """The names of `[servers]`, in the order of the file."""
    return tuple(settings.servers)


def meant(settings: Settings, given: str | None = None) -> tuple[str, Profile]:
    """(name, profile as it is written) of `given`, else of the variable COMFYTUI_SERVER, else of the settings.

    An address that is no name gets a profile of its own, and as its name the address without credentials.
    """
    wanted = given or os.environ.get(VARIABLE) or settings.server
    if wanted in settings.servers:
        return wanted, settings.servers[wanted]
    profile = Profile(url=wanted)
    return profile.address, profile


def chosen(settings: Settings, given: str | None = None, *, variable: bool = True) -> Profile:
    """What `meant` gives, with its secrets as they are sent. Blocks while a command tells one: call it in a thread.

    A server without credentials of its own gets the token of COMFYTUI_TOKEN, unless `variable` is False: the token is
    meant for the server that the user chose, and not for all that are connected beside it. Our own engine,
    known by its address, gets the token that it is started with. Raises SettingsError naming the key of a secret that
    cannot be had.
    """
    name, profile = meant(settings, given)
    token = os.environ.get(TOKEN, "") if variable else ""
    in_address = "@" in profile.url or "?" in profile.url
    if name not in settings.servers:
        if in_address:  # it brings its own
            return profile
        return replace(profile, token=resolve(token or _of_our_engine(settings.engine, profile.url), TOKEN))
    place = f"servers.{name}"
    own = replace(
        profile,
        token=read_token(profile.token_file, f"{place}.token_file")
        if profile.token_file
        else resolve(profile.token, f"{place}.token"),
        token_file="",
        user=resolve(profile.user, f"{place}.user"),
        password=resolve(profile.password, f"{place}.password"),
        headers={key: resolve(value, f"{place}.headers.{key}") for key, value in profile.headers.items()},
        query={key: resolve(value, f"{place}.query.{key}") for key, value in profile.query.items()},
        key_password=resolve(profile.key_password, f"{place}.key_password"),
    )
    if own.token or own.user or own.query or own.headers or in_address:
        return own
    return replace(own, token=resolve(token, TOKEN))


def written_secrets(settings: Settings) -> list[str]:
    """The credentials that stand in the settings and in our variables themselves, to be blotted out of a report."""
    found = [os.environ.get(TOKEN, ""), os.environ.get(ENGINE_TOKEN, ""), split_token(settings.engine.arguments)[1]]
    for address in (os.environ.get(VARIABLE, ""), settings.server, *(each.url for each in settings.servers.values())):
        head, _, query = address.partition("?")
        password = head.rpartition("@")[0].rpartition("/")[2].partition(":")[2]
        found += [password, unquote(password), query, *(value for _, value in parse_qsl(query))]
    for profile in settings.servers.values():
        found += [profile.token, profile.password, profile.key_password]
        found += [*profile.headers.values(), *profile.query.values()]
    return [each for each in found if each]


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

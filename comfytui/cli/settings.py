"""`comfytui settings`: what is set, one setting, and changing it in the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from comfytui.cli import output
from comfytui.cli.options import json_option
from comfytui.cli.shapes import Setting
from comfytui.client import sanitize
from comfytui.settings import files, schema, servers
from comfytui.settings.schema import Option, Profile, Settings, SettingsError, Ssh

HIDDEN = "•••"
SECRETS = frozenset({"token", "password", "key_password"})  # of a profile; headers and query hold others
REFERENCE = re.compile(r"\$|!|keyring:")  # a secret that is written so stands elsewhere
WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def _keys(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    return [each.key for each in schema.options() if each.key.startswith(begun)]


@click.command()
@click.argument("key", required=False, shell_complete=_keys)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Take KEY out of the file: its default holds again.")
@click.option("--path", "where", is_flag=True, help="Print where the settings file is.")
@json_option
def command(key: str | None, value: str | None, unset: bool, where: bool, as_json: bool) -> None:
    """Show all settings, or KEY; with a VALUE, change it in the file, whose comments stay.

    Lists are written as in TOML: '["a", "b"]'; without brackets a single word is a list of one. A VALUE that begins with -
    goes after --.
    """
    if where:
        output.line(str(files.settings_path()))
        return
    settings = files.load()
    if key is None:
        if unset:
            raise click.UsageError("--unset needs a KEY.")
        _print([_told(settings, each) for each in schema.options()], as_json)
        return
    if unset and value is not None:
        raise click.UsageError("--unset takes no VALUE.")
    option = _option(settings, key)
    if unset:
        settings = files.change(key, None)
    elif value is not None:
        settings = files.change(key, typed(option, value))
    told = _told(settings, option)
    if as_json:
        output.json([told])
    elif value is None and not unset:
        output.line(_shown(told.value))


def typed(option: Option, text: str) -> Any:
    """A value as it was typed, as one of the setting's kind. Raises SettingsError."""
    if option.kind == "yes/no":
        if (found := WORDS.get(text.strip().lower())) is None:
            raise SettingsError(f"has to be yes or no, not {text[:60]!r}", key=option.key)
        return found
    if option.kind in ("text", "choice"):
        return text
    try:
        found_value = tomllib.loads(f"x = {text}")["x"]
    except (tomllib.TOMLDecodeError, KeyError, RecursionError) as error:
        if option.kind == "list" and not text.lstrip().startswith("["):
            return [text]
        wanted = {"number": "a number", "list": 'a list, as in ["a", "b"]', "table": 'a table, as in {a = "b"}'}
        raise SettingsError(f"has to be {wanted[option.kind]}, not {text[:60]!r}", key=option.key) from error
    return [str(found_value)] if option.kind == "list" and not isinstance(found_value, list) else found_value


def _option(settings: Settings, key: str) -> Option:
    """What is known of a key: one of the settings, of a server's profile, or of a free table. Raises SettingsError."""
    for each in schema.options():
        if each.key == key:
            return each
    parts = key.split(".")
    if parts[0] == "servers" and len(parts) >= 3:
        below = ".".join(parts[2:])
        known = {each.key: each for each in schema.options(Profile)} | {
            f"ssh.{each.key}": each for each in schema.options(Ssh)
        }
        if below in known:
            found = known[below]
            return Option(key, found.kind, found.default, found.description, found.choices)
        if parts[2] in ("headers", "query") and len(parts) == 4:
            return Option(key, "text", "", known[parts[2]].description)
    if (parts[0] == "keys" and len(parts) >= 2) or (parts[0] == "servers" and len(parts) == 2):
        described = next(each.description for each in schema.options() if each.key == parts[0])
        return Option(key, "text" if parts[0] == "keys" else "table", None, described)
    schema.get(settings, key)  # says what there is
    raise SettingsError("is a part of the settings: name one of its keys", key=key)


def _told(settings: Settings, option: Option) -> Setting:
    try:
        value = schema.get(settings, option.key)
    except SettingsError:
        value = option.default
    default = msgspec.to_builtins(option.default)
    builtin = msgspec.to_builtins(value)  # keeps tuples
    builtin = list(builtin) if isinstance(builtin, tuple) else builtin
    default = list(default) if isinstance(default, tuple) else default
    return Setting(
        key=option.key, value=_hidden(option.key.split("."), builtin), default=default, kind=option.kind,
        description=option.description, choices=option.choices, given=builtin != default,
    )  # fmt: skip


def _hidden(place: list[str], value: Any) -> Any:
    """The value without credentials that stand in it: it may be printed where somebody looks on."""
    if place == ["server"] or (place[0] == "servers" and place[2:] == ["url"]):
        return Profile(url=value).address if value else value
    if place == ["engine", "arguments"]:
        kept, token = servers.split_token(value)
        return [*kept, f"--token={HIDDEN}"] if token else list(kept)
    if isinstance(value, Mapping):
        return {key: _hidden([*place, key], each) for key, each in value.items()}
    if place[0] == "servers" and isinstance(value, str) and value and not REFERENCE.match(value):
        return HIDDEN if place[2:3] in (["headers"], ["query"]) or place[-1] in SECRETS else value
    return value


def _print(told: list[Setting], as_json: bool) -> None:
    if as_json:
        output.json(told)
        return
    output.table(
        ("KEY", "VALUE", "DEFAULT"), [(each.key, _shown(each.value), "no" if each.given else "yes") for each in told]
    )


def _shown(value: Any) -> str:
    """As it would be typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "[" + ", ".join(_quoted(each) for each in value) + "]"
    if isinstance(value, Mapping):
        return ", ".join(sanitize.line(str(each)) for each in value) or "none"
    return sanitize.line(str(value), 2000)


def _quoted(value: Any) -> str:
    return msgspec.json.encode(sanitize.line(str(value), 2000)).decode()

"""What is done with servers: shown, connected, left, added, kept in the settings. Each runs in a worker."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from comfytui.settings import files, schema
from comfytui.settings.schema import Option, Profile, SettingsError

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard
    from comfytui.tui.server_list import Row

ADDRESS = "host:port, http(s)://host:port/path, or a name of [servers]"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")


async def show(dashboard: Dashboard, row: Row) -> None:
    """Let all screens show a server, connecting to it if need be, and go to Live."""
    await switch(dashboard, row.name)
    await dashboard.action_show("live")


async def switch(dashboard: Dashboard, name: str) -> None:
    """Let all screens show a server."""
    session = dashboard.session
    if session.fleet.get(name) is not None:
        session.show(name)
    else:
        await session.connect(name)


async def connect(dashboard: Dashboard, row: Row) -> None:
    """Connect to a server, or try again at once; the one that is shown stays."""
    connection = dashboard.session.fleet.get(row.name)
    if connection is not None:
        connection.retry_now()
    else:
        await dashboard.session.open(row.name)
    dashboard.session.changed()


async def disconnect(dashboard: Dashboard, row: Row) -> None:
    """Leave a server; what runs there goes on."""
    await dashboard.session.leave(row.name)
    dashboard.say(f"left {row.name}; its jobs go on")


async def add(dashboard: Dashboard) -> None:
    """Ask for an address, and connect to it."""
    from comfytui.tui.widgets.text_input_dialog import TextInputDialog

    address = await dashboard.push_screen_wait(TextInputDialog("Connect to which server?", "", ADDRESS))
    if address:
        await dashboard.session.connect(address)


async def save(dashboard: Dashboard, row: Row) -> None:
    """Keep a server that was given by its address, under a name; credentials of the address are not written."""
    from comfytui.tui.widgets.text_input_dialog import TextInputDialog

    connection = dashboard.session.fleet.get(row.name)
    if row.saved:
        dashboard.say(f"{row.name} is in the settings; e changes it")
        return
    url = connection.target.url if connection is not None else row.address
    suggested = re.sub(r"[^A-Za-z0-9_-]+", "-", row.address.partition("/")[0].partition(":")[0]).strip("-")
    hint = f"written to {files.settings_path()} as [servers.NAME]; a token or password is not: e adds one"
    name = await dashboard.push_screen_wait(TextInputDialog(f"Keep {row.address} under which name?", suggested, hint))
    if name is None:
        return
    _check_name(name, dashboard)
    dashboard.settings = await asyncio.to_thread(files.change, f"servers.{name}.url", url)
    was_shown = row.shown
    await dashboard.session.leave(row.name)
    await (dashboard.session.connect(name) if was_shown else dashboard.session.open(name))
    dashboard.say(f"kept as {name}")


def _check_name(name: str, dashboard: Dashboard) -> None:
    if not NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot be a server's name: use letters, digits, - and _")
    if name in dashboard.settings.servers:
        raise SettingsError(f"there is a server called {name!r} already; e changes it")


async def edit(dashboard: Dashboard, row: Row) -> None:
    """Choose what to change of a server's profile, and change it; connect anew with it."""
    from comfytui.tui.widgets.pick import Pick
    from comfytui.tui.widgets.text_input_dialog import TextInputDialog

    if not row.saved:
        dashboard.say("It is not in the settings yet: s keeps it under a name")
        return
    profile = dashboard.settings.servers[row.name]
    options = schema.options(Profile)
    names = [f"{each.key:<12} {_written(each, getattr(profile, each.key))}" for each in options]
    chosen = await dashboard.push_screen_wait(Pick(f"servers.{row.name}", names, does="change"))
    if chosen is None:
        return
    option = options[chosen]
    question = f"servers.{row.name}.{option.key}"
    now = _written(option, getattr(profile, option.key))
    answer = await dashboard.push_screen_wait(
        TextInputDialog(
            question, "" if now == "–" else now, f"{option.description}; empty: the default", may_be_empty=True
        )
    )
    if answer is None:
        return
    value = _parsed(option, answer, getattr(profile, option.key))
    dashboard.settings = await asyncio.to_thread(files.change, question, value)
    if dashboard.session.fleet.get(row.name) is not None:
        was_shown = row.shown
        await dashboard.session.leave(row.name)
        await (dashboard.session.connect(row.name) if was_shown else dashboard.session.open(row.name))
    dashboard.say(f"{question} is changed")


HIDDEN = "•••"  # a secret that is written in the file itself; typed back, it stays as it is


def _written(option: Option, value: Any) -> str:
    """A value as it is typed. Secrets are shown where they are $VARIABLE, !command or keyring:…; else they are hidden."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={_shown(each)}" for key, each in value.items()) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, schema.Part):
        return "a table: change it in the file"
    if option.key in ("token", "password", "key_password"):
        return _shown(str(value)) or "–"
    return str(value) or "–"


def _shown(value: str) -> str:
    return value if not value or re.match(r"[$!]|keyring:", value) else HIDDEN


def _parsed(option: Option, text: str, old: Any) -> Any:
    """What was typed, as the settings want it; None is the default. Raises SettingsError."""
    if not text:
        return None
    if text == HIDDEN:
        return old
    if option.kind == "yes/no":
        if text.lower() not in ("yes", "no", "true", "false"):
            raise SettingsError(f"{option.key} is yes or no, not {text!r}")
        return text.lower() in ("yes", "true")
    if option.kind == "number":
        try:
            return float(text)
        except ValueError as error:
            raise SettingsError(f"{option.key} is a number, not {text!r}") from error
    if option.kind == "table":
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        if any(not sign for _, sign, _ in pairs):
            raise SettingsError(f"{option.key} is written as name=value, name=value")
        found = {key.strip(): value.strip() for key, _, value in pairs}
        return {key: old.get(key, value) if value == HIDDEN else value for key, value in found.items()}
    return text


async def delete(dashboard: Dashboard, row: Row) -> None:
    """Take a server out of the settings, and leave it."""
    if not row.saved:
        await disconnect(dashboard, row)
        return
    if await dashboard.confirm(f"Take {row.name} ({row.address}) out of the settings?", "forget it", "keep it"):
        dashboard.settings = await asyncio.to_thread(files.change, f"servers.{row.name}", None)
        await dashboard.session.leave(row.name)
        dashboard.say(f"{row.name} is forgotten")

"""`comfytui servers`: those of the settings, each with how it is; and adding and removing one."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Literal

import click
import msgspec

from comfytui.cli import diagnostics, output, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_names
from comfytui.cli.shapes import Server
from comfytui.client import sanitize
from comfytui.client.errors import ClientError, Denied, NotComfyUI
from comfytui.settings import files, servers
from comfytui.settings.schema import Profile, Settings, SettingsError

SECONDS = 10.0  # for all of them together, which are asked at once
TUNNELLED = 30.0  # where tunnels are opened first
NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


@click.group(invoke_without_command=True)
@json_option
@click.option("--offline", is_flag=True, help="Only what the settings say: no server is asked.")
@click.pass_context
def command(ctx: click.Context, as_json: bool, offline: bool) -> None:
    """List the servers of the settings, each with how it is; all are asked at once, and for a few seconds at most.

    Ends with 0 whether they answer or not.
    """
    if ctx.invoked_subcommand is not None:
        if as_json or offline:
            raise click.UsageError("--json and --offline are for the list.")
        return
    settings = files.load()
    if offline:
        _offline(settings, as_json)
        return
    session.run(_list(settings, as_json))


@command.command()
@click.argument("name")
@click.argument("url")
@click.option("--ssh", metavar="USER@HOST", default="", help="Open a tunnel to there first.")
@click.option("--token", metavar="SECRET", default="", help="$VARIABLE, !command or keyring:service/user.")
@click.option("--read-only", is_flag=True, help="Let nothing change this server.")
def add(name: str, url: str, ssh: str, token: str, read_only: bool) -> None:
    """Write a server into the settings, under a NAME."""
    if not NAME.fullmatch(name):
        raise click.BadParameter("use letters, digits, - and _", param_hint="NAME")
    settings = files.load()
    if name in settings.servers:
        raise Failed(
            Exit.USAGE, f"there is a server {name} already: comfytui settings servers.{name}.url {url} changes it"
        )
    given = {"url": url, "ssh": ssh, "token": token, "read_only": read_only}
    try:  # all of it before the first key is written
        profile = msgspec.convert({key: value for key, value in given.items() if value}, Profile)
    except msgspec.ValidationError as error:
        raise Failed(Exit.USAGE, f"servers.{name}: {error}") from error
    _usable(profile, name)
    for key, value in given.items():
        if value:
            files.change(f"servers.{name}.{key}", value)
    diagnostics.say(f"{name} is in {files.settings_path()}; comfytui servers shows whether it answers")


@command.command()
@click.argument("name", shell_complete=server_names)
def remove(name: str) -> None:
    """Take a server out of the settings. The server itself does not notice."""
    settings = files.load()
    if name not in settings.servers:
        there = ", ".join(servers.names(settings)) or "none"
        raise Failed(Exit.USAGE, f"the settings have no server {name!r}; there is: {there}")
    files.change(f"servers.{name}", None)
    diagnostics.say(f"{name} is no longer in {files.settings_path()}")


def _usable(profile: Profile, name: str) -> None:
    """Raises BadTarget for an address that no server can have."""
    from comfytui.opening import target_of

    target_of(msgspec.structs.replace(profile, token=""), f"servers.{name}")


def _offline(settings: Settings, as_json: bool) -> None:
    name, _ = servers.meant(settings)
    if as_json:
        raise click.UsageError("--json tells how they are: not with --offline.")
    rows = [
        (each, sanitize.line(settings.servers[each].address), "default" if each == name else "")
        for each in settings.servers
    ]
    output.table(("NAME", "ADDRESS", "DEFAULT"), rows)


async def _list(settings: Settings, as_json: bool) -> None:
    meant, _ = servers.meant(settings)
    names = dict.fromkeys((meant, *servers.names(settings)))
    found = await asyncio.gather(*(_asked(settings, each, each == meant) for each in names))
    if as_json:
        output.json(found)
        return
    header = ("NAME", "ADDRESS", "STATE", "LATENCY", "VERSION", "RUNNING", "WAITING")
    rows = []
    for each in found:
        latency = f"{each.latency * 1000:.0f} ms" if each.latency is not None else ""
        numbers = ["" if count is None else str(count) for count in (each.running, each.waiting)]
        name = each.name + (" *" if each.default else "")
        rows.append((name, each.url, each.state, latency, each.version, *numbers))
    output.table(header, rows)
    for each in found:
        if each.error:
            diagnostics.say(f"{each.name}: {each.error}")


async def _asked(settings: Settings, name: str, default: bool) -> Server:
    """How one server is; never raises for what it does."""
    profile = settings.servers.get(name) or servers.meant(settings, None if default else name)[1]
    told = Server(
        name=sanitize.line(name), url=sanitize.line(profile.address), default=default, state="ok", latency=None,
        version="", running=None, waiting=None, error="",
    )  # fmt: skip
    seconds = SECONDS if profile.tunnel is None else TUNNELLED
    try:
        async with (
            asyncio.timeout(seconds),
            session.connected(None if default else name, variable=default) as connection,
        ):
            began = time.perf_counter()
            await connection.refresh_stats()
            took = time.perf_counter() - began
            state = connection.state
            return msgspec.structs.replace(
                told, latency=round(took, 4), running=len(state.running), waiting=len(state.waiting),
                version=state.stats.version if state.stats is not None else "",
            )  # fmt: skip
    except TimeoutError:
        return _bad(told, "unreachable", f"did not answer within {seconds:.0f} s")
    except SettingsError as error:
        return _bad(told, "wrong", str(error))
    except (Denied, NotComfyUI) as error:
        return _bad(told, "refused", str(error))
    except ClientError as error:
        return _bad(told, "unreachable", str(error))


def _bad(told: Server, state: Literal["refused", "unreachable", "wrong"], error: str) -> Server:
    return msgspec.structs.replace(told, state=state, error=sanitize.block(error))

"""`comfytui engine`: starts the engine on this machine so that it stays, stops it, and tells how it is."""

from __future__ import annotations

import asyncio
from datetime import datetime

import click
import msgspec

from comfytui.cli import diagnostics, output, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option
from comfytui.cli.shapes import EngineState
from comfytui.client import sanitize
from comfytui.client.errors import ClientError
from comfytui.local_engine import LocalEngine, answers, who_listens
from comfytui.settings import files
from comfytui.state.opening import WAY

VERSION = 5.0  # seconds to ask it for its version

port_option = click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="Where it listens; without, as the settings say."
)


@click.group()
def command() -> None:
    """The engine on this machine: start it so that it stays when you leave, stop it, ask how it is."""


@command.command(context_settings={"ignore_unknown_options": True})
@port_option
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[-- FLAG…]")
@json_option
def start(port: int | None, flags: tuple[str, ...], as_json: bool) -> None:
    """Start it, and return when it answers. FLAGs are the engine's own; without, those of the settings."""
    session.run(_start(port, flags, as_json))


@command.command()
@port_option
@json_option
def stop(port: int | None, as_json: bool) -> None:
    """Stop the engine that was started by us, here or by the dashboard. Its queue and its history are kept."""
    session.run(_stop(port, as_json))


@command.command()
@port_option
@json_option
def status(port: int | None, as_json: bool) -> None:
    """Tell whether it runs, its pid, port and version, and since when. Ends with 8 if it does not run."""
    session.run(_status(port, as_json))


async def _start(port: int | None, flags: tuple[str, ...], as_json: bool) -> None:
    engine = _engine(port, flags)
    left = engine.left()
    if left is not None and left.alive and flags:
        text = f"the engine runs already (pid {left.pid}), with the flags it was started with: comfytui engine stop"
        raise Failed(Exit.ENGINE, text)
    if left is None or not left.alive:
        _may_change()
        diagnostics.say("starting the engine …")
    begun = await engine.start()
    try:
        await engine.wait_ready(session.START)
    except BaseException:
        for text in engine.status.log[-8:]:
            diagnostics.say(f"  {text}")
        if not begun.found:  # half started helps nobody; one that ran before is not ours to end
            await engine.stop()
        raise
    await engine.leave()
    await _tell(engine, as_json)


async def _stop(port: int | None, as_json: bool) -> None:
    _may_change()
    engine = _engine(port)
    left = engine.left()
    if not await engine.adopt():
        listener = await who_listens(engine.port)
        if listener is not None:
            raise Failed(Exit.ENGINE, f"{listener}, and was not started by us: stop it where it was started")
        gone = f"; one with pid {left.pid} has ended before" if left is not None else ""
        diagnostics.say(f"no engine runs at port {engine.port}{gone}")
    else:
        await engine.stop()
        diagnostics.say(f"stopped the engine at port {engine.port}")
    if as_json:
        output.json(await _state(engine))


async def _status(port: int | None, as_json: bool) -> None:
    told = await _tell(_engine(port), as_json)
    if told.state not in ("running", "starting"):
        raise Failed(Exit.ENGINE)


async def _tell(engine: LocalEngine, as_json: bool) -> EngineState:
    told = await _state(engine)
    if as_json:
        output.json(told)
        return told
    since = datetime.fromtimestamp(told.since).strftime("%Y-%m-%d %H:%M:%S") if told.since is not None else ""
    rows = [
        ("state", told.state), ("url", told.url), ("pid", str(told.pid or "")), ("version", told.version),
        ("since", since), ("log", told.log),
    ]  # fmt: skip
    output.table(("WHAT", "VALUE"), rows)
    if told.text:
        diagnostics.say(told.text)
    return told


async def _state(engine: LocalEngine) -> EngineState:
    left = engine.left()
    listener = await who_listens(engine.port)
    told = EngineState(
        state="stopped", port=engine.port, url=engine.url, pid=None, version="", since=None, log=str(engine.log_path),
        text="",
    )  # fmt: skip
    if left is not None and left.alive:
        ready = listener is not None and await answers(engine.port)
        return msgspec.structs.replace(
            told, state="running" if ready else "starting", pid=left.pid, since=left.since,
            version=await _version(engine.url) if ready else "",
        )  # fmt: skip
    if listener is not None:
        return msgspec.structs.replace(
            told, state="taken", pid=listener.pid, text=f"{listener}, and was not started by us"
        )
    if left is not None:
        text = (
            f"the engine with pid {left.pid} has ended without being stopped; its last words are in {engine.log_path}"
        )
        return msgspec.structs.replace(told, state="stale", pid=left.pid, since=left.since, text=text)
    return told


async def _version(url: str) -> str:
    """What it says of itself; nothing if it lets us not in, which is no news here."""
    try:
        async with asyncio.timeout(VERSION), session.connected(url) as connection:
            await connection.refresh_stats()
            return connection.state.stats.version if connection.state.stats is not None else ""
    except (ClientError, TimeoutError):
        return ""


def _engine(port: int | None, flags: tuple[str, ...] = ()) -> LocalEngine:
    settings = files.load().engine
    return LocalEngine(port or settings.port, flags or settings.arguments, clean=sanitize.line)


def _may_change() -> None:
    if WAY.get().read_only:
        raise Failed(Exit.READ_ONLY, "--read-only: the engine is neither started nor stopped")

"""From the settings to a connection: which server is meant, how it lets us in, and the tunnel to it; for commands and screens alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec.structs import replace

from comfytui.client.errors import Denied, Unreachable
from comfytui.client.target import Certificate, Target, Via
from comfytui.settings import servers
from comfytui.settings.schema import Profile, Settings
from comfytui.state.opening import open_connection

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.tunnel import Tunnel


class Opened:
    """A server that is meant, ready to be run: `connection.run()` is the caller's, `close` ends all of it.

    name     the profile's name, else the address as it was given (never with a password)
    profile  what the settings say of it, with secrets as they are written there, not as they are sent
    tunnel   what the profile opens, if it does; it is kept open until `close`
    """

    def __init__(self, name: str, profile: Profile, connection: Connection, tunnel: Tunnel | None = None) -> None:
        self.name = name
        self.profile = profile
        self.connection = connection
        self.tunnel = tunnel

    @property
    def label(self) -> str:
        """Where it is: host, port and prefix."""
        return self.connection.target.label

    async def close(self) -> None:
        """Leave the server, and close the tunnel."""
        await self.connection.close()
        if self.tunnel is not None:
            await self.tunnel.stop()


async def open_profile(
    settings: Settings, server: str | None = None, *, remember: bool = True, variable: bool = True
) -> Opened:
    """The connection to a name of `[servers]`, to an address, or (None) to what the environment or the settings name.

    Does not wait for the network: the connection waits for its tunnel before each try. Secrets are fetched in a
    thread, for a command or a keyring may take seconds. `remember`: jobs and times are known to later programs.
    `variable` False: COMFYTUI_TOKEN is not for this one (see `servers.chosen`). Raises SettingsError (a secret that
    cannot be had, named by its key), BadTarget (an address, header or certificate that cannot be used).
    """
    name, profile = servers.meant(settings, server)
    resolved = await asyncio.to_thread(servers.chosen, settings, server, variable=variable)
    target = target_of(resolved, f"servers.{name}" if name in settings.servers else "")
    if profile.tunnel is None:
        return Opened(name, profile, _connection(profile, target, remember))

    from comfytui.tunnel import Phase, Tunnel, TunnelError

    parts = urlsplit(target.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    tunnel = Tunnel(profile.tunnel, parts.hostname or "", port)

    async def ready(asked: bool) -> None:
        if asked:
            tunnel.retry_now()
        try:
            await tunnel.wait_up()
        except TunnelError as error:
            kind = Denied if error.hopeless else Unreachable
            raise kind(f"The tunnel to {tunnel.ssh.destination}: {error}.", where=target.url) from error

    try:
        via = Via(str(tunnel.path), profile.tunnel.destination)
        connection = _connection(profile, replace(target, via=via), remember, ready)
    except BaseException:
        await tunnel.stop()  # its folder exists already
        raise
    tunnel.subscribe(lambda status: connection.retry_now() if status.phase is Phase.UP else None)
    tunnel.start()
    return Opened(name, profile, connection, tunnel)


def target_of(profile: Profile, key: str = "") -> Target:
    """Address and credentials from a profile with its secrets as they are sent; `key` is its own in the settings.

    Raises BadTarget.
    """
    certificate = Certificate(_path(profile.cert), _path(profile.key), profile.key_password) if profile.cert else None
    return Target.parse(
        profile.url,
        headers=profile.headers,
        query=profile.query,
        token=profile.token or None,
        basic=(profile.user, profile.password) if profile.user else None,
        verify=_path(profile.ca) if profile.ca else profile.verify,
        certificate=certificate,
        timeout=profile.timeout,
        profile=key,
    )


def _connection(
    profile: Profile, target: Target, remember: bool, ready: Callable[[bool], Awaitable[None]] | None = None
) -> Connection:
    connection = open_connection(target, remember=remember, ready=ready)
    connection.read_only = connection.read_only or profile.read_only
    return connection


def _path(text: str) -> str:
    return str(Path(text).expanduser()) if text else ""

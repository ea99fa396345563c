"""From the settings to a connection: which server is meant, how it lets us in, and the tunnel to it; for commands and screens alike."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.client.target import Target
from comfytui.settings import servers
from comfytui.settings.schema import Profile, Settings
from comfytui.state.opening import open_connection

if TYPE_CHECKING:
    from comfytui.state.connection import Connection


class Opened:
    """A server that is meant, ready to be run: `connection.run()` is the caller's, `close` ends all of it.

    name     the profile's name, else the address as it was given (never with a password)
    profile  what the settings say of it, with secrets as they are written there, not as they are sent
    """

    def __init__(self, name: str, profile: Profile, connection: Connection) -> None:
        self.name = name
        self.profile = profile
        self.connection = connection
        self.tunnel = None

    @property
    def label(self) -> str:
        """Host, port and prefix."""
        return self.connection.target.label

    async def close(self) -> None:
        """Leave the server."""
        await self.connection.close()


async def open_profile(settings: Settings, server: str | None = None, *, remember: bool = True) -> Opened:
    """The connection to a name of `[servers]`, to an address, or (None) to what the environment or the settings name.

    Nothing is sent before `connection.run()`. Secrets are fetched in a thread: a command or a keyring may take seconds.
    `remember`: jobs and times are known to later programs. Raises SettingsError (a secret that cannot be had, named by
    its key), BadTarget (an address, header or certificate that cannot be used).
    """
    name, profile = servers.meant(settings, server)
    resolved = await asyncio.to_thread(servers.chosen, settings, server)
    connection = open_connection(target_of(resolved), remember=remember)
    return Opened(name, profile, connection)


def target_of(profile: Profile) -> Target:
    """Address and credentials from a profile with its secrets as they are sent. Raises BadTarget."""
    return Target.parse(
        profile.url,
        headers=profile.headers,
        token=profile.token or None,
        verify=str(Path(profile.ca).expanduser()) if profile.ca else profile.verify,
    )

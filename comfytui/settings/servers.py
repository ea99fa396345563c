"""Which server is meant: by the command line, the environment or the settings; by address or by name."""

from __future__ import annotations

import os
import re

from comfytui.settings.schema import Profile, Settings, SettingsError

VARIABLE = "COMFYTUI_SERVER"


def chosen(settings: Settings, given: str | None = None) -> Profile:
    """The profile of `given`, else of the variable COMFYTUI_SERVER, else of the settings.

    A name of `[servers]` gives that profile, everything else is an address. Secrets written as `$NAME` are taken from
    the environment. Raises SettingsError if such a variable is not set.
    """
    wanted = given or os.environ.get(VARIABLE) or settings.server
    profile = settings.servers.get(wanted)
    if profile is None:
        return Profile(url=wanted)
    token = _secret(profile.token, f"servers.{wanted}.token")
    headers = {key: _secret(value, f"servers.{wanted}.headers.{key}") for key, value in profile.headers.items()}
    return Profile(url=profile.url, token=token, headers=headers, verify=profile.verify, ca=profile.ca)


def _secret(value: str, key: str) -> str:
    if not re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
        return value
    found = os.environ.get(value[1:])
    if found is None:
        raise SettingsError(f"the environment has no {value[1:]}", key=key, fix=f"export {value[1:]}=…")
    return found

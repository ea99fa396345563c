"""Who uses a server, and what it says of itself beyond what the dashboard reads all the time: `/users`, `/system_stats`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer, ClientError, Missing, NotComfyUI
from comfytui.client.readers import decode, mapping, text

if TYPE_CHECKING:
    from comfytui.client.http import Http

MAX_USERS = 1000
MAX_NAME = 60  # characters


class BadUser(ClientError):  # noqa: N818 -- as its siblings
    """A name that no user can have; nothing was sent."""


class Users(msgspec.Struct, frozen=True):
    """The users of a server. `multi`: it was started with `--multi-user`; `names` by id, clean."""

    multi: bool = False
    names: Mapping[str, str] = {}


class Account:
    """Its methods raise ClientError."""

    def __init__(self, http: Http) -> None:
        self._http = http

    @property
    def user(self) -> str:
        """The id of the user that we are, "" for nobody in particular."""
        return sanitize.line(self._http.user, 100)

    def use(self, user: str) -> None:
        """Be this user from now on, in this run; "" is who the server's profile says."""
        self._http.user = user

    async def users(self) -> Users:
        """GET /users."""
        try:
            value = mapping(decode(await self._http.exchange("GET", "/users")))
        except (Missing, NotComfyUI):
            return Users()
        if not isinstance(value.get("users"), dict):
            return Users()
        names = {sanitize.key(id): text(name, id) for id, name in list(value["users"].items())[:MAX_USERS]}
        return Users(True, names)

    async def add(self, name: str, users: Users) -> str:
        """POST /users: the id of the new user. Raises BadUser for a name that cannot be."""
        name = checked(name, users)
        answer = decode(await self._http.exchange("POST", "/users", body={"username": name}))
        if not isinstance(answer, str) or not answer:
            raise BadAnswer("The server made a user but did not tell its id.", where=self._http.target.url)
        return sanitize.key(answer)

    async def system(self) -> Mapping[str, str]:
        """Every fact in the `system` of GET /system_stats, in the server's order, as text."""
        system = mapping(mapping(decode(await self._http.exchange("GET", "/system_stats"))).get("system"))
        return {sanitize.line(key, 60): said for key, value in list(system.items())[:50] if (said := _told(value))}


def _told(value: object) -> str:
    """A fact as text; of an object (custom nodes that failed, and why) the names with what they hold. Lists: empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{text(name)}: {text(said)}" for name, said in list(value.items())[:40])
    return text(value) if isinstance(value, str | int | float) else ""


def checked(name: str, users: Users) -> str:
    """A user's name as it is sent. Raises BadUser with what is wrong."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not re.search(r"\w", name):
        raise BadUser(f"A user's name has 1 to {MAX_NAME} characters, a letter or a digit among them.")
    if sanitize.line(name) != name:
        raise BadUser("The name holds control characters.")
    if name.lower() in (known.lower() for known in users.names.values()):
        raise BadUser(f"There is a user {name} already.")
    return name

"""What can go wrong between us and a server: one small tree, each message saying what, where and what to do."""

# ruff: noqa: N818 -- the names say what happened, as those of httpx do

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from comfytui.client.target import Target


class Problem(msgspec.Struct, frozen=True):
    """One thing that validation found wrong with a node. All text is cleaned."""

    type: str
    message: str
    details: str = ""
    input_name: str | None = None

    def __str__(self) -> str:
        return f"{self.message}: {self.details}" if self.details else self.message


class NodeProblems(msgspec.Struct, frozen=True):
    """What validation found wrong with one node of a graph."""

    node_id: str
    class_type: str = ""
    problems: tuple[Problem, ...] = ()
    dependent_outputs: tuple[str, ...] = ()


class ClientError(Exception):
    """Base of all that the client raises for a server's or the network's doing.

    `str(error)` is one paragraph for a person; `where` is the URL, without credentials.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(message)
        self.where = where


class BadTarget(ClientError):
    """The address itself is not usable; nothing was sent."""


class Unreachable(ClientError):
    """No answer: refused, timed out, no such host, a certificate we do not trust, a gateway without a server behind."""


class NotComfyUI(ClientError):
    """Something answered, but not as ComfyUI does (HTML, a redirect, a missing route)."""


class Denied(ClientError):
    """401, 403 or 407: the server or a proxy before it wants credentials, or other ones."""


def denied(target: Target, what: str, status: int, said: str = "") -> Denied:
    """`Denied` with what to do. `what`: the path that was asked for; `said`: the server's own words, cleaned."""
    label, where = target.label, target.url
    words = f" It says: {said}." if said else ""
    brought = _brought(target)
    if status == 403:
        fix = f"It was given {brought}." if brought else "Give it credentials."
        return Denied(f"{label} does not let us in (HTTP {status} for {what}).{words or ' ' + fix}", where=where)
    if status == 407:
        text = f"the proxy before {label} wants credentials (HTTP {status}). Put them into HTTPS_PROXY's address."
        return Denied(text, where=where)
    if brought:
        fix = f"Is {brought} right? It was sent, and not taken."
    else:
        fix = (
            "None were sent: put a token into COMFYTUI_TOKEN, or token, user and password, headers or query into "
            "[servers.NAME] of the settings."
        )
    return Denied(f"{label} wants credentials (HTTP {status} for {what}).{words} {fix}", where=where)


def _brought(target: Target) -> str:
    """The credentials that were sent, by the keys where they can be mended."""
    at = f"{target.profile}." if target.profile else ""
    found = []
    if target.token is not None:
        found.append(f"{at}token" if at else "the token of COMFYTUI_TOKEN")
    elif target.basic is not None:
        found.append(f"{at}user and {at}password" if at else "the user and password of the address")
    found += [f"{at}headers.{name}" if at else f"the header {name}" for name in target.headers]
    found += [f"{at}query.{name}" if at else f"{name} in the address's query" for name in target.query]
    return ", or ".join(found)


class BadAnswer(ClientError):
    """The answer could not be read: not JSON, or not of the documented shape."""


class TooLarge(ClientError):
    """An answer exceeded its bound, or the server found our request too large (413)."""


class Missing(ClientError):
    """The server does not have (any more) what was asked for."""


class Exists(ClientError):
    """409: the server has something of that name already; nothing was changed."""


class ServerFailed(ClientError):
    """The server reported an error of its own (5xx, or a refusal without reasons)."""


class ReadOnly(ClientError):
    """The connection may only look: what was asked for would have changed the server. Nothing was sent."""


class NotKept(ClientError):
    """What must be remembered on this side could not be written down; where it matters, nothing was sent."""


class Refused(ClientError):
    """A prompt did not pass validation; nothing was queued.

    `type` is the server's error type (`prompt_outputs_failed_validation`, …), `message` its sentence, `details` the
    rest of it, `node_errors` what is wrong with which node.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str = "",
        details: str = "",
        node_errors: Mapping[str, NodeProblems] | None = None,
        where: str = "",
    ) -> None:
        self.message = message
        self.type = type
        self.details = details
        self.node_errors: Mapping[str, NodeProblems] = node_errors or {}
        lines = [f"{message}: {details}" if details not in ("", message) else message]
        for node in self.node_errors.values():
            name = f"node {node.node_id}" + (f" ({node.class_type})" if node.class_type else "")
            lines += [f"{name}: {problem}" for problem in node.problems]
        super().__init__("\n".join(lines), where=where)

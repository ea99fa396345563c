"""What can go wrong between us and a server: one small tree, each message saying what, where and what to do."""

# ruff: noqa: N818 -- the names say what happened, as those of httpx do

from __future__ import annotations

from collections.abc import Mapping

import msgspec


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


def denied(label: str, what: str, status: int, said: str = "", *, where: str = "") -> Denied:
    """`Denied` with what to do. `what`: the path that was asked for; `said`: the server's own words, cleaned."""
    if status == 403:
        text = f"{label} does not let us in (HTTP {status} for {what})."
        return Denied(f"{text} It says: {said}" if said else f"{text} Give it other credentials.", where=where)
    return Denied(
        f"{label} wants credentials, or other ones (HTTP {status} for {what}). Put a token into COMFYTUI_TOKEN, "
        "or token or token_file of the server's part of the settings; a password goes into the address.",
        where=where,
    )


class BadAnswer(ClientError):
    """The answer could not be read: not JSON, or not of the documented shape."""


class TooLarge(ClientError):
    """An answer exceeded its bound, or the server found our request too large (413)."""


class Missing(ClientError):
    """The server does not have (any more) what was asked for."""


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

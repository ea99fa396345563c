"""What this server is, how it fares, and its log."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.server.openapi.describe import (
    BAD,
    EMPTY,
    Answer,
    AnyObject,
    Body,
    Count,
    Operation,
    Operations,
    Refusal,
    ok,
)

TITLE = "system"

Bytes = Annotated[int, Meta(ge=0, description="Bytes.")]
Page = Annotated[str, Meta(description="HTML.")]


class System(Struct):
    """The machine and the versions."""

    os: str
    ram_total: Bytes
    ram_free: Bytes
    comfyui_version: Annotated[str, Meta(description="Whose API this is.")]
    required_frontend_version: str
    installed_templates_version: str
    required_templates_version: str
    python_version: str
    pytorch_version: str
    embedded_python: bool
    argv: list[str]
    engine: Annotated[str, Meta(description="What really runs here.")]
    worker: Annotated[str, Meta(description="`ready`, or `starting`: prompts are accepted once it is ready.")]


class Device(Struct):
    """What the nodes run on."""

    name: str
    type: Annotated[str, Meta(examples=["cuda"])]
    index: int | None
    vram_total: Bytes
    vram_free: Bytes
    torch_vram_total: Bytes
    torch_vram_free: Bytes


class SystemStats(Struct):
    """Machine, versions and devices."""

    system: System
    devices: list[Device]


class Features(Struct):
    """What this server can do."""

    supports_preview_metadata: bool
    max_upload_size: Bytes
    extension: AnyObject


class LogEntry(Struct):
    """A piece of the log."""

    t: Annotated[str, Meta(description="When, in ISO 8601.")]
    m: Annotated[str, Meta(description="The text, with its line end.")]


class TerminalSize(Struct):
    """Of the terminal that the lines were made for."""

    cols: Count
    rows: Count


class Log(Struct):
    """The newest pieces of the log."""

    entries: list[LogEntry]
    size: TerminalSize


class Subscription(Struct):
    """Who is to get `logs` messages, or no longer."""

    clientId: Annotated[str, Meta(min_length=1, description="Of an open socket.")]  # noqa: N815 - the wire's name
    enabled: bool | UnsetType = UNSET


class Health(Struct):
    """That the process answers."""

    status: str


class Login(Struct):
    """The form of the page that asks for the token."""

    token: str


_PAGE = Answer("A page.", Page, ("text/html",))

OPERATIONS: Operations = {
    ("GET", "/health"): Operation("getHealth", "Whether the process answers", ok("It does.", Health), open_to_all=True),
    ("GET", "/system_stats"): Operation("getSystemStats", "The machine", ok("Machine and devices.", SystemStats)),
    ("GET", "/features"): Operation("getFeatures", "What this server can do", ok("Flags.", Features)),
    ("GET", "/openapi.json"): Operation("getDocument", "This document", ok("OpenAPI 3.1.", AnyObject)),
    ("GET", "/internal/logs"): Operation("getLogText", "The log as text", ok("Lines with their times.", str)),
    ("GET", "/internal/logs/raw"): Operation("getLog", "The log", ok("The newest pieces.", Log)),
    ("PATCH", "/internal/logs/subscribe"): Operation(
        "subscribeLog",
        "Get the log on a socket",
        {200: EMPTY, 400: BAD},
        body=Body("Who, and whether.", Subscription),
    ),
    ("GET", "/"): Operation("getPage", "The web front end, or a page that says what runs here", {200: _PAGE}),
    ("GET", "/login"): Operation(
        "getLogin",
        "The page that asks for the token",
        {200: _PAGE, 303: Answer("The token is there already.")},
        more="Only with a token.",
        open_to_all=True,
    ),
    ("POST", "/login"): Operation(
        "login",
        "Bring the token",
        {
            303: Answer("The cookie is set; on to the front page."),
            401: Answer("That was not the token.", Refusal, ("application/json", "text/html")),
        },
        more="Only with a token. It sets a cookie that opens everything to this browser.",
        body=Body("The form.", Login, ("application/x-www-form-urlencoded",)),
        open_to_all=True,
    ),
}

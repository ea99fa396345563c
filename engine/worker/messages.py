"""What the front process and a worker say to each other.

Frames on a local stream socket: a 4-byte big-endian length, then one msgpack message. Every message
is a tagged struct, so that either side may be replaced, and one encoder serves both. Payloads that
the front only passes on (node definitions, previews, encoded events) travel as bytes, already in the
form the client gets: the front decodes nothing it does not own.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

MAX_FRAME = 1 << 30  # bytes; a frame longer than this is a broken stream, not a message


class _Message(msgspec.Struct, tag=True, tag_field="message", omit_defaults=True):
    """Base of all messages: the tag is the class name."""


# ── front → worker ──────────────────────────────────────────────────────────────────────────────


class DescribeNodes(_Message):
    """Ask for node definitions; answered by `NodesDescribed`."""

    request: int
    node: str | None = None  # one class, or all of them


class Validate(_Message):
    """Check a prompt; answered by `Validated`. May arrive while another prompt runs."""

    request: int
    prompt_id: str
    prompt: dict[str, Any]
    targets: list[str] | None = None  # partial_execution_targets


# Keys of `extra_data` that are for the nodes alone: never stored, shown or logged.
SECRETS = ("auth_token_comfy_org", "api_key_comfy_org")


class Execute(_Message):
    """Run a validated prompt. Answered by `Event`s and `Preview`s, and exactly one `Finished`."""

    prompt_id: str
    prompt: dict[str, Any]
    outputs: list[str]  # output nodes that passed validation
    extra_data: dict[str, Any] = msgspec.field(default_factory=dict)


class Interrupt(_Message):
    """Stop the running prompt at its next progress report, if it is this one (or whichever it is)."""

    prompt_id: str | None = None


class Free(_Message):
    """Unload models and, with `free_memory`, drop cached results too. Acts between prompts."""

    unload_models: bool = False
    free_memory: bool = False


class DescribeDevices(_Message):
    """Ask for devices and memory; answered by `DevicesDescribed`."""

    request: int


class Shutdown(_Message):
    """Finish at once; what runs is interrupted."""


# ── worker → front ──────────────────────────────────────────────────────────────────────────────


class Ready(_Message):
    """The worker imported everything and takes prompts."""

    pid: int
    pytorch_version: str
    nodes: int
    import_failures: dict[str, str] = msgspec.field(default_factory=dict)  # custom node module → reason
    web: dict[str, str] = msgspec.field(default_factory=dict)  # custom node module → folder of its scripts


class NodesDescribed(_Message):
    request: int
    body: bytes  # JSON object class → info, as `/object_info` answers it


class Validated(_Message):
    """`error` is ComfyUI's error object, or None if at least one output may run."""

    request: int
    prompt: dict[str, Any]  # with values coerced
    outputs: list[str]
    node_errors: dict[str, Any] = msgspec.field(default_factory=dict)
    error: dict[str, Any] | None = None


class Event(_Message):
    """One execution event; `type` and `data` are ComfyUI's own."""

    prompt_id: str
    type: str
    data: dict[str, Any]
    broadcast: bool = False  # to everyone where the prompt named no client


class Preview(_Message):
    """A picture of the latent while it is sampled."""

    prompt_id: str
    node_id: str
    display_node_id: str
    parent_node_id: str | None
    real_node_id: str
    image_type: str  # image/jpeg or image/png
    image: bytes


class Text(_Message):
    """Progress text of a node (binary frame 3)."""

    prompt_id: str
    node_id: str
    text: str


class Finished(_Message):
    """The end of a prompt, for the history. `messages` is the history's list of events."""

    prompt_id: str
    status: str  # success | error | interrupted
    outputs: dict[str, Any] = msgspec.field(default_factory=dict)
    meta: dict[str, Any] = msgspec.field(default_factory=dict)
    messages: list[tuple[str, dict[str, Any]]] = msgspec.field(default_factory=list)


class DevicesDescribed(_Message):
    """`devices` as `/system_stats` lists them."""

    request: int
    devices: list[dict[str, Any]]
    pytorch_version: str


class Log(_Message):
    """A line the worker logged or printed."""

    time: str  # ISO 8601, local
    text: str


ToWorker: TypeAlias = DescribeNodes | Validate | Execute | Interrupt | Free | DescribeDevices | Shutdown
FromWorker: TypeAlias = Ready | NodesDescribed | Validated | Event | Preview | Text | Finished | DevicesDescribed | Log

encode = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode

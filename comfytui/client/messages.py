"""What a server says, as structs: every answer and every event, already cleaned.

Fields that a server left out have their defaults; `frames` and `answers` make these and nothing else does. Ids are cleaned text too;
where the server's own form differs, it travels beside in a `Raw…` struct and is what must be sent back.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from comfytui.client.errors import NodeProblems

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Message(msgspec.Struct, frozen=True):
    """Base of all that comes from a server."""


# What is kept verbatim to be sent back -------------------------------------------------------------------------------


class RawName(Message, frozen=True):
    """A file's name as the server has it. Never shown: only `http` reads the fields."""

    filename: str
    subfolder: str
    type: str

    def __repr__(self) -> str:
        return "RawName(…)"

    __str__ = __repr__


class RawPrompt(Message, frozen=True):
    """A prompt as the server has it, kept when cleaning changed something. Never shown."""

    prompt_id: str
    graph: Mapping[str, Any]
    extra_data: Mapping[str, Any]
    outputs: tuple[str, ...]

    def __repr__(self) -> str:
        return "RawPrompt(…)"

    __str__ = __repr__


# Parts ---------------------------------------------------------------------------------------------------------------


class Media(Message, frozen=True):
    """One result of a node: a file that `/view` serves, or a text."""

    node_id: str
    kind: str  # images, latents, audio, video, text, …
    filename: str = ""
    subfolder: str = ""
    type: str = "output"
    text: str | None = None
    raw: RawName | None = None  # if the name held something that may not be shown


class Prompt(Message, frozen=True):
    """A prompt as the queue or the history holds it. `graph` is None where the caller said it knows the id."""

    prompt_id: str
    number: float = 0.0
    graph: Mapping[str, Any] | None = None
    extra_data: Mapping[str, Any] = NOTHING
    outputs: tuple[str, ...] = ()
    client_id: str = ""
    name: str = ""  # what we called it when we submitted it
    created: float | None = None  # seconds, the server's clock
    raw: RawPrompt | None = None


class NodeProgress(Message, frozen=True):
    """One node in `progress_state`."""

    node_id: str
    display_node: str
    state: str  # pending, running, finished, error
    value: float = 0.0
    maximum: float = 0.0


# Events --------------------------------------------------------------------------------------------------------------


class Status(Message, frozen=True):
    """The queue changed. `sid` is set in the first frame of a connection."""

    queue_remaining: int | None = None
    sid: str | None = None


class FeatureFlags(Message, frozen=True):
    features: Mapping[str, Any] = NOTHING


class ExecutionStart(Message, frozen=True):
    prompt_id: str
    timestamp: float | None = None  # seconds, the server's clock


class ExecutionCached(Message, frozen=True):
    prompt_id: str
    nodes: tuple[str, ...] = ()


class Executing(Message, frozen=True):
    """`node` None: the prompt has ended. `prompt_id` None: told after a reconnect, or by an old server."""

    node: str | None
    display_node: str | None = None
    prompt_id: str | None = None


class Progress(Message, frozen=True):
    """The old dialect: one node, one number."""

    value: float
    maximum: float
    node: str | None = None
    prompt_id: str | None = None


class ProgressState(Message, frozen=True):
    """The new dialect: all nodes that have begun."""

    prompt_id: str
    nodes: tuple[NodeProgress, ...] = ()


class Executed(Message, frozen=True):
    prompt_id: str
    node: str
    display_node: str
    outputs: tuple[Media, ...] = ()


class ExecutionSuccess(Message, frozen=True):
    prompt_id: str
    timestamp: float | None = None


class ExecutionError(Message, frozen=True):
    """`blocked`: a node refused to pass something on; the run goes on and may well succeed."""

    prompt_id: str
    message: str
    exception_type: str = ""
    node_id: str | None = None
    node_type: str | None = None
    traceback: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = NOTHING
    executed: tuple[str, ...] = ()
    timestamp: float | None = None
    blocked: bool = False


class ExecutionInterrupted(Message, frozen=True):
    prompt_id: str
    node_id: str | None = None
    node_type: str | None = None
    executed: tuple[str, ...] = ()
    timestamp: float | None = None


class PreviewImage(Message, frozen=True):
    """A picture of what is being sampled. Ids are None for clients that did not announce metadata."""

    image: bytes
    image_type: str
    prompt_id: str | None = None
    node_id: str | None = None


class ProgressText(Message, frozen=True):
    node_id: str
    text: str
    prompt_id: str | None = None


class LogPiece(Message, frozen=True):
    """What the server wrote at once: part of a line, or several. `\\n` ends a line, `\\r` begins it again (a progress bar)."""

    text: str
    stamp: str = ""  # the server's local time, ISO 8601


class Logs(Message, frozen=True):
    pieces: tuple[LogPiece, ...] = ()


class Unknown(Message, frozen=True):
    """A well-formed event of a type we have no use for (custom nodes send their own)."""

    type: str


class Garbage(Message, frozen=True):
    """A frame that could not be read; `reason` says why."""

    reason: str


Event = (
    Status
    | FeatureFlags
    | ExecutionStart
    | ExecutionCached
    | Executing
    | Progress
    | ProgressState
    | Executed
    | ExecutionSuccess
    | ExecutionError
    | ExecutionInterrupted
    | PreviewImage
    | ProgressText
    | Logs
    | Unknown
    | Garbage
)

# Answers -------------------------------------------------------------------------------------------------------------


class Submitted(Message, frozen=True):
    """The answer to a submitted prompt. `node_errors` may hold problems even so: those outputs were dropped."""

    prompt_id: str
    number: float = 0.0
    node_errors: Mapping[str, NodeProblems] = NOTHING


class Queue(Message, frozen=True):
    """`/queue`; `waiting` in the order in which it will run (the server's list is a heap)."""

    running: tuple[Prompt, ...] = ()
    waiting: tuple[Prompt, ...] = ()


class HistoryEntry(Message, frozen=True):
    """One finished prompt. `outcome` is done, failed or interrupted. Times: seconds, the server's clock."""

    prompt: Prompt
    outcome: str
    outputs: tuple[Media, ...] = ()
    cached: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    error: ExecutionError | None = None
    interrupted: ExecutionInterrupted | None = None


class DeviceStats(Message, frozen=True):
    """Bytes."""

    name: str
    type: str = ""
    index: int | None = None
    vram_total: int = 0
    vram_free: int = 0
    torch_vram_total: int = 0
    torch_vram_free: int = 0


class SystemStats(Message, frozen=True):
    """`/system_stats`. Bytes."""

    version: str = ""
    pytorch: str = ""
    python: str = ""
    os: str = ""
    argv: tuple[str, ...] = ()
    ram_total: int = 0
    ram_free: int = 0
    devices: tuple[DeviceStats, ...] = ()

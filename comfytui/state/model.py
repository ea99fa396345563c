"""What the dashboard knows about one server, frozen: every change makes a new value.

All text in here has passed `client.sanitize`; nothing below this layer needs to clean again.
Times are seconds since the epoch (float), as our own clock has them, unless a field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from comfytui.client.messages import RawName
from comfytui.workflow.summary import Facts

EMPTY: Mapping[str, Any] = MappingProxyType({})


class Frozen(msgspec.Struct, frozen=True, gc=False):
    """Base: equality by value, `msgspec.structs.replace` for changes.

    The collector of garbage leaves them alone (`gc=False`): frozen values make no cycles, and looking through those of ten
    thousand jobs stopped the program for a quarter of a second.
    """


class Phase(StrEnum):
    """The connection's state."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"  # it answered, but not as ComfyUI does (HTML, 401, 404): retrying will not help
    CLOSED = "closed"


class Link(Frozen, frozen=True):
    """The connection itself."""

    url: str
    phase: Phase = Phase.CONNECTING
    since: float = 0.0  # when this phase began
    latency: float | None = None  # seconds, of the last exchange
    error: str | None = None  # what failed last, and what to do
    retry_at: float | None = None
    attempts: int = 0


class Stats(Frozen, frozen=True):
    """`/system_stats`, the parts that are shown. Bytes."""

    version: str = ""
    pytorch: str = ""
    python: str = ""
    os: str = ""
    argv: tuple[str, ...] = ()
    ram_total: int = 0
    ram_free: int = 0
    devices: tuple[Device, ...] = ()
    taken: float = 0.0


class Device(Frozen, frozen=True):
    name: str
    type: str = ""
    index: int | None = None
    vram_total: int = 0
    vram_free: int = 0
    torch_vram_total: int = 0
    torch_vram_free: int = 0


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"  # we submitted it and the server no longer knows it
    HELD = "held"  # taken out of the server's queue and kept on this side until it is released


class Origin(StrEnum):
    """Whose job it is, as far as the server tells. Progress is told of our own and of broadcast ones only."""

    OURS = "ours"
    OTHER = "other"  # another client's: only the queue and the history tell of it
    BROADCAST = "broadcast"  # submitted without a client id: its progress goes to everybody
    UNKNOWN = "unknown"  # nothing has told yet who submitted it


class NodeState(StrEnum):
    WAITING = "waiting"
    CACHED = "cached"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class NodeRun(Frozen, frozen=True):
    """A node of a job, in the order in which it is expected to run."""

    id: str
    class_type: str
    title: str
    state: NodeState = NodeState.WAITING
    value: float = 0.0
    maximum: float = 0.0  # 0: it told no progress
    started: float | None = None
    ended: float | None = None


class Output(Frozen, frozen=True):
    """A file that a job made; what `/view` needs to fetch it."""

    node_id: str
    kind: str  # images, latents, audio, video, text, …
    filename: str = ""
    subfolder: str = ""
    type: str = "output"  # output | temp | input
    text: str | None = None  # for kind text
    raw: RawName | None = None  # only for fetching: the true name, if it holds what may not be shown


class Failure(Frozen, frozen=True):
    """Why a job failed, as the server told it."""

    message: str
    exception_type: str = ""
    node_id: str | None = None
    node_type: str | None = None
    traceback: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = EMPTY


class TimelineEntry(Frozen, frozen=True):
    """Something that happened. `until` where it lasted: a node's run, a gap in what we were told."""

    at: float
    kind: str  # connected, gap, started, cached, node, done, failed, interrupted, …
    text: str
    prompt_id: str | None = None
    until: float | None = None
    node_id: str | None = None


class Job(Frozen, frozen=True):
    """A prompt that the server has, had, or should have."""

    id: str
    state: JobState
    number: float = 0.0
    mine: bool = False
    graph: Mapping[str, Any] = EMPTY  # API format; empty if the server did not tell it
    extra_data: Mapping[str, Any] = EMPTY
    facts: Facts = Facts()
    nodes: tuple[NodeRun, ...] = ()
    outputs: tuple[Output, ...] = ()
    failure: Failure | None = None
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    targets: tuple[str, ...] = ()  # the output nodes that passed validation; empty: not known
    touched: int = 0  # the state's version when the job last changed its own state: an answer asked before is older
    client_id: str | None = None  # whose it is; "": nobody's, None: not told yet
    shape: str = ""  # which workflow it is, whatever its values (`workflow.identity`); "": not known
    notes: tuple[TimelineEntry, ...] = ()  # what its nodes do not tell: gaps, blocked branches, moves. Bounded

    @property
    def origin(self) -> Origin:
        """Whose job it is."""
        if self.mine:
            return Origin.OURS
        if self.client_id is None:
            return Origin.UNKNOWN
        return Origin.OTHER if self.client_id else Origin.BROADCAST

    @property
    def seconds(self) -> float | None:
        """How long it ran, if both ends are known."""
        return None if self.started is None or self.ended is None else self.ended - self.started


class Preview(Frozen, frozen=True):
    """The newest picture of what is being sampled."""

    prompt_id: str | None
    node_id: str | None
    image_type: str
    image: bytes
    serial: int  # grows with each preview


class Run(Frozen, frozen=True):
    """What is being executed now."""

    prompt_id: str
    node_id: str | None = None
    value: float = 0.0
    maximum: float = 0.0
    rate: float | None = None  # steps a second, smoothed
    left: float | None = None  # seconds, estimated
    told: bool = True  # False: somebody else's job, the server tells us no progress
    detailed: bool = False  # the server lists every node's state; otherwise a node ends when the next begins
    mark: tuple[float, float] | None = None  # (time, value) from which the rate is measured next


class Timing(Frozen, frozen=True):
    """How long a workflow took the last times. Seconds."""

    nodes: Mapping[str, float] = EMPTY  # by node id, of those that ran; smoothed
    total: float | None = None  # of all of them together
    work: float | None = None  # steps × pixels × batch of that run, to scale by; None: not known
    model: str = ""
    at: float = 0.0


class Mark(Frozen, frozen=True):
    """What somebody thinks of a job. `note` is their own text."""

    star: bool = False
    note: str = ""


class Gpu(Frozen, frozen=True):
    """One GPU of this machine. `load` and `memory` between 0 and 1, `temperature` in °C, `power` in watts; None: not told."""

    name: str
    load: float | None = None
    memory: float | None = None
    temperature: float | None = None
    power: float | None = None


class Sample(Frozen, frozen=True):
    """One look at this machine. `cpu` and `ram` between 0 and 1."""

    at: float
    cpu: float
    ram: float
    gpus: tuple[Gpu, ...] = ()


class Gap(Frozen, frozen=True):
    """A time of which we know nothing, until it has ended."""

    since: float
    jobs: tuple[str, ...] = ()  # what ran when it began


class ServerState(Frozen, frozen=True):
    """Everything about one server. `jobs` holds running, waiting and loaded history entries by id."""

    link: Link
    client_id: str = ""  # ours, as the server knows it
    version: int = 0  # grows with every change, so that a view can tell old from new
    features: Mapping[str, Any] = EMPTY
    stats: Stats | None = None
    stats_history: tuple[Stats, ...] = ()  # newest last, bounded
    jobs: Mapping[str, Job] = EMPTY
    running: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # in the order in which they will run
    history: tuple[str, ...] = ()  # newest first
    history_complete: bool = False
    history_loaded: bool = False
    run: Run | None = None
    preview: Preview | None = None
    timeline: tuple[TimelineEntry, ...] = ()  # newest last, bounded
    object_info: Mapping[str, Any] | None = None  # cleaned; None until loaded
    queue_remaining: int = 0
    held: tuple[str, ...] = ()  # in the order in which they will be released
    paused: bool = False  # what we submit is held, too
    read_only: bool = False  # nothing that would change the server is sent
    gap: Gap | None = None  # while the link is down
    rates: tuple[tuple[float, float], ...] = ()  # (time, steps a second), one a second while sampling; bounded
    timings: Mapping[str, Timing] = EMPTY  # by shape, those used last; bounded
    marks: Mapping[str, Mark] = EMPTY  # stars and notes by job id, of all jobs, loaded or not
    local: tuple[Sample, ...] = ()  # of this machine, if the server runs on it; newest last, bounded
    last_error: str | None = None  # of an action, for a toast

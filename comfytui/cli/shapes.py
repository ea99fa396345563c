"""What each command prints with `--json`; `docs/schemas/` is made from these by `tools/schemas.py`.

A field that is not told is null, or left out where the text says so. Times are seconds since the epoch, sizes are bytes. Keys may be
added; none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from comfytui.cli.doctor.findings import Finding
from comfytui.state.model import JobState, Stats
from comfytui.workflow.summary import Facts


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the shapes."""


class Line(Shape, frozen=True, omit_defaults=True):
    """Base of lines that come one by one: what is not told is left out."""


class File(Shape, frozen=True):
    """A file or a text that a node made."""

    node_id: str
    kind: Annotated[str, Meta(description="images, latents, audio, video, text, …")]
    filename: str
    subfolder: str
    type: Annotated[str, Meta(description="the server's folder: output, temp or input")]
    text: str | None


class Job(Shape, frozen=True):
    """A job of the queue or the history, without its graph."""

    prompt_id: str
    state: JobState
    number: Annotated[float, Meta(description="its place among those that wait: the lowest runs first")]
    facts: Annotated[Facts, Meta(description="what the workflow is about")]
    created: float | None
    started: float | None
    ended: float | None
    outputs: tuple[File, ...]
    error: Annotated[str | None, Meta(description="why it failed")]


class Result(Shape, frozen=True, omit_defaults=True):
    """One job of `run`. With --no-wait its state is waiting, and there are no files."""

    prompt_id: str
    state: JobState
    seed: int | None
    files: Annotated[tuple[str, ...], Meta(description="paths on this machine")]
    seconds: float | None = None
    texts: tuple[str, ...] = ()
    error: str = ""


EventName = Literal[
    "connected", "disconnected", "gap", "queue",
    "waiting", "running", "held", "done", "failed", "interrupted", "lost", "removed",
    "node", "progress", "output",
]  # fmt: skip


class Event(Line, frozen=True):
    """One thing that happened. A job's own: its states (waiting, running, held, done, failed, interrupted, lost, removed),
    node, progress and output. The server's: connected, disconnected, gap (nothing is known of the time since `since`), queue.
    """

    at: Annotated[float, Meta(description="when we learned of it")]
    event: EventName
    prompt_id: str | None = None
    server: Annotated[str | None, Meta(description="of connected and disconnected: its address")] = None
    node_id: str | None = None
    node: Annotated[str | None, Meta(description="the node's title")] = None
    class_type: str | None = None
    state: Annotated[str | None, Meta(description="of node: running, cached, done, failed, interrupted")] = None
    value: Annotated[float | None, Meta(description="of progress: steps done")] = None
    maximum: Annotated[float | None, Meta(description="of progress: steps in all")] = None
    rate: Annotated[float | None, Meta(description="of progress: steps a second")] = None
    left: Annotated[float | None, Meta(description="of progress: seconds, estimated")] = None
    kind: Annotated[str | None, Meta(description="of output: images, video, text, …")] = None
    filename: str | None = None
    subfolder: str | None = None
    type: Annotated[str | None, Meta(description="of output: the server's folder")] = None
    text: str | None = None
    workflow: Annotated[str | None, Meta(description="of waiting and running: the workflow's name")] = None
    seconds: Annotated[float | None, Meta(description="of an end: how long it ran")] = None
    error: str | None = None
    since: Annotated[float | None, Meta(description="of gap")] = None
    running: Annotated[int | None, Meta(description="of queue: how many jobs run")] = None
    waiting: Annotated[int | None, Meta(description="of queue: how many jobs wait")] = None


class BatchJob(Shape, frozen=True, omit_defaults=True):
    """One job of `batch`. planned: nothing was sent yet; left: it was sent, and its server has gone."""

    number: Annotated[int, Meta(description="from 1, in the order of the job file")]
    workflow: str
    values: Annotated[dict[str, Any], Meta(description="the inputs that are swept, as the job file names them")]
    state: Literal["planned", "done", "failed", "interrupted", "left"]
    prompt_id: str | None = None
    server: Annotated[str | None, Meta(description="its address")] = None
    seconds: float | None = None
    attempts: int = 0
    files: Annotated[tuple[str, ...], Meta(description="paths on this machine")] = ()
    texts: tuple[str, ...] = ()
    error: str = ""


class BatchReport(Shape, frozen=True):
    """What `batch` did, all runs of the job file together. With --dry-run, what it would do."""

    file: str
    state: Annotated[str, Meta(description="the file that keeps what is done")]
    total: int
    done: int
    failed: int
    interrupted: int
    left: Annotated[int, Meta(description="not ended yet: another run goes on with them")]
    seconds: Annotated[float, Meta(description="that this run took")]
    estimate: Annotated[float | None, Meta(description="seconds for what is left, as far as is known")]
    jobs: tuple[BatchJob, ...]


class Stopped(Shape, frozen=True):
    """What `cancel` and `interrupt` did, by job ids."""

    cancelled: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()


class Fetched(Shape, frozen=True):
    """One file of `fetch`."""

    path: Annotated[str, Meta(description="on this machine")]
    prompt_id: str
    node_id: str
    filename: Annotated[str, Meta(description="as the server calls it")]
    bytes: int


class Uploaded(Shape, frozen=True):
    """One file of `upload`."""

    file: Annotated[str, Meta(description="on this machine")]
    name: Annotated[str, Meta(description="on the server: the value for LoadImage and its like")]
    bytes: int


class Lacking(Shape, frozen=True):
    """Something that the server does not have."""

    kind: Annotated[str, Meta(description="node, or file: a model, a picture or another choice")]
    name: str
    input: Annotated[str, Meta(description="of a file: the input that names it")]
    where: Annotated[tuple[str, ...], Meta(description="titles of the nodes that want it")]
    near: Annotated[tuple[str, ...], Meta(description="what the server has that is alike, best first")]
    how: Annotated[
        tuple[str, ...], Meta(description="of each near file: in another folder, in another precision, or alike")
    ] = ()
    directory: Annotated[str, Meta(description="of a model: the folder that the workflow tells")] = ""
    url: Annotated[str, Meta(description="of a model: where the workflow tells to get it; https only")] = ""
    sha256: str = ""
    fetch: Annotated[str, Meta(description="the shell command that would fetch it; --fetch does the same here")] = ""
    path: Annotated[str | None, Meta(description="the file of this disk that could be uploaded for it")] = None


class Fault(Shape, frozen=True):
    """Another reason why the server would refuse the workflow."""

    kind: str
    node_id: str
    title: str
    input: str
    text: str
    fix: str


class Checked(Shape, frozen=True):
    """What `check` found. `ok`: nothing is missing and nothing is wrong, as far as can be told before it runs."""

    file: str
    ok: bool
    missing: tuple[Lacking, ...]
    problems: tuple[Fault, ...]
    warnings: Annotated[tuple[str, ...], Meta(description="of the conversion, for a workflow in the UI form")]
    estimate: Annotated[
        float | None, Meta(description="seconds that a run should take; null if it never ran here, nor anything alike")
    ] = None
    fetched: Annotated[tuple[str, ...], Meta(description="paths of the models that --fetch got")] = ()


class Input(Shape, frozen=True):
    """An input with a plain value."""

    node_id: str
    title: str
    class_type: str
    input: str
    role: Annotated[str, Meta(description="positive, negative, seed, steps, …; empty for none")]
    value: Any


class Inspected(Shape, frozen=True):
    """What `inspect` read in a file. Of the UI form only what can be told without a server: it has no inputs."""

    file: str
    form: Annotated[
        Literal["api", "ui", "none"],
        Meta(description="which form of the workflow was read; none: a picture of another program has only parameters"),
    ]
    source: Annotated[
        str,
        Meta(description="api, ui, post body, history, queue, picture, film, sound, scene, file or another program"),
    ]
    facts: Facts
    nodes: Annotated[dict[str, int], Meta(description="how many of each class")]
    models: tuple[str, ...]
    inputs: tuple[Input, ...]
    parameters: Annotated[dict[str, str], Meta(description="settings that another program wrote, by its names")] = {}


class Remark(Shape, frozen=True):
    """What a conversion has to tell of a node."""

    text: str
    node_id: Annotated[str, Meta(description="in the API graph, as 12:7 within a subgraph; empty: the whole workflow")]
    title: str


class Unknown(Shape, frozen=True):
    """A node whose class the server does not know."""

    class_type: str
    node_id: str
    title: str
    pack: Annotated[
        str, Meta(description="where it is from, as the workflow tells: an id of the registry, or owner/name")
    ]
    version: str


class Conversion(Shape, frozen=True):
    """What `convert` made."""

    to: Literal["api", "ui"]
    result: Annotated[
        Any, Meta(description="the workflow; null if it was written to `path`, or nodes are `missing`")
    ] = None
    path: Annotated[str | None, Meta(description="on this machine")] = None
    warnings: Annotated[tuple[Remark, ...], Meta(description="what was left out or mended")] = ()
    problems: Annotated[tuple[Remark, ...], Meta(description="what probably will not run as it should")] = ()
    missing: tuple[Unknown, ...] = ()


class Model(Shape, frozen=True):
    """A model file."""

    folder: str
    name: Annotated[str, Meta(description="below the folder: the value for a loader")]
    size: int | None
    modified: float | None


class Logged(Shape, frozen=True):
    """A line of a server's log."""

    at: Annotated[str | None, Meta(description="the server's local time, ISO 8601")]
    level: Annotated[str | None, Meta(description="error, warning, info, debug; null: the line says none")]
    text: str


class Freed(Shape, frozen=True):
    """What `free` asked for."""

    models: bool
    cache: bool


class Server(Shape, frozen=True):
    """A server of the settings, or the one that is meant."""

    name: str
    url: Annotated[str, Meta(description="without credentials")]
    default: Annotated[bool, Meta(description="the one that commands without --server talk to")]
    state: Annotated[Literal["ok", "refused", "unreachable", "wrong"], Meta(
        description="refused: it wants credentials, or is not ComfyUI; wrong: its settings are"
    )]  # fmt: skip
    latency: Annotated[float | None, Meta(description="seconds for one answer")]
    version: str
    running: int | None
    waiting: int | None
    error: str


class Setting(Shape, frozen=True):
    """A setting. Secrets that stand in the file themselves are shown as •••."""

    key: str
    value: Any
    default: Any
    kind: str
    description: str
    choices: tuple[str, ...]
    given: Annotated[bool, Meta(description="its value is not the default")]


class EngineState(Shape, frozen=True):
    """The engine on this machine. `taken`: something else has the port; `stale`: it has ended without being stopped."""

    state: Literal["running", "starting", "stopped", "stale", "taken"]
    port: int
    url: str
    pid: int | None
    version: str
    since: Annotated[float | None, Meta(description="when its process began")]
    log: Annotated[str, Meta(description="the file that it writes to")]
    text: str


class Report(Shape, frozen=True):
    """What `doctor` found. `ok`: nothing is wrong."""

    ok: bool
    findings: tuple[Finding, ...]


# Command → (shape, whether it prints one a line instead of one in all).
SHAPES: Mapping[str, tuple[Any, bool]] = {
    "run": (Result, True),
    "watch": (Event, True),
    "queue": (tuple[Job, ...], False),
    "history": (tuple[Job, ...], False),
    "batch": (BatchReport, False),
    "cancel": (Stopped, False),
    "interrupt": (Stopped, False),
    "fetch": (tuple[Fetched, ...], False),
    "upload": (tuple[Uploaded, ...], False),
    "check": (Checked, False),
    "inspect": (Inspected, False),
    "convert": (Conversion, False),
    "nodes": (dict[str, dict[str, Any]], False),
    "models": (tuple[Model, ...], False),
    "stats": (Stats, False),
    "logs": (Logged, True),
    "free": (Freed, False),
    "servers": (tuple[Server, ...], False),
    "settings": (tuple[Setting, ...], False),
    "engine": (EngineState, False),
    "doctor": (Report, False),
}

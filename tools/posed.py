"""A server that stands still for its picture: what it has is real, what was measured of it is given, so that pictures of it repeat.

Its answers (pictures, nodes, models, its log) come from a real connection. Times, names and sizes that depend on the machine where
the picture is taken are replaced by fixed ones.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from comfytui.client.target import Target
from comfytui.state.model import (
    Device,
    Failure,
    Job,
    JobState,
    Link,
    NodeRun,
    NodeState,
    Phase,
    Preview,
    Run,
    ServerState,
    Stats,
    TimelineEntry,
    Timing,
)

if TYPE_CHECKING:
    from comfytui.state.connection import Connection

NOW = 1_768_487_400.0  # 2026-01-15 14:30 UTC
GB = 1 << 30
STEPS = 8.4  # a second, of the demo model
# Seconds that a node of a class takes; a sampler's are by its steps.
TOOK = {"CheckpointLoaderSimple": 0.4, "VAEDecode": 0.3, "VAEEncode": 0.2, "SaveImage": 0.1, "CLIPTextEncode": 0.1}


class Posed:
    """A connection with a state that does not change. All that is asked of it and not said here, the real one answers."""

    def __init__(self, state: ServerState, real: Connection, address: str) -> None:
        self.state = state
        self.target = Target.parse(address)
        self.attention = False
        self.log = Told(real.log)
        self._real = real

    def subscribe(self, callback: Callable[[ServerState], None]) -> Callable[[], None]:
        return lambda: None

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """The real connection goes on: other pictures are taken of it."""

    def retry_now(self) -> None:
        """It is there."""

    @property
    def read_only(self) -> bool:
        return self.state.read_only

    def raw_graph(self, prompt_id: str) -> Mapping[str, Any]:
        return self.state.jobs[prompt_id].graph

    async def load_job(self, prompt_id: str) -> None:
        """All of it is known."""

    async def load_history(self, count: int = 50) -> None:
        """All of it is known."""

    async def refresh_stats(self) -> None:
        """They are given."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Told:
    """The server's log, its lines stamped with fixed times and without the folders of this machine."""

    def __init__(self, real: Any) -> None:
        from comfytui.state.logs import Log
        from comfytui.state.server_log import Told as Telling

        self.log = Log()
        self.told, self.problem = Telling.LIVE, ""
        lines = [line.text for line in real.log.since(0)]
        self.log.feed(_pieces(lines))

    def follow(self, on_change: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def again(self) -> None:
        """It has been told."""


def _pieces(lines: Iterable[str]) -> list[Any]:
    from comfytui.client.messages import LogPiece

    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        """The same short id for the same job, in every run another one for each."""
        return names.setdefault(found[0][:8], f"{0x4D1C2B7E + len(names) * 0x1F3A5B7:08x}")

    pieces, at = [], 0.0
    for line in lines:
        text = re.sub(r"(/[\w.+-]+)+/", "…/", line)
        text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f-]{22})?\b", name, text)
        text = re.sub(r"\b\d+(\.\d+)? ?(s|seconds)\b", lambda m: f"3.4 {m[2]}", text)
        text = re.sub(r"\b\d+(\.\d+)? ?(ms|MB|GB|it/s)\b", lambda m: f"12 {m[2]}", text)
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8188", text)
        at += 3.4 if " after " in text else 0.6
        pieces.append(LogPiece(text + "\n", f"2026-01-15T14:{20 + int(at // 60):02}:{at % 60:09.6f}"))
    return pieces


def posed(
    real: ServerState,
    *,
    url: str,
    running: str | None = None,
    preview: Preview | None = None,
    at: int = 24,
    steps: int = 40,
) -> ServerState:
    """That state with given times, sizes and names; the job `running`, if any, at this step of so many."""
    jobs: dict[str, Job] = {}
    history = [key for key in real.history if real.jobs[key].state is JobState.DONE]
    history.sort(key=lambda key: -real.jobs[key].number)
    for place, key in enumerate(history):
        name = f"{0x4D1C2B7E - place * 0x1F3A5B7:08x}-0000-4000-8000-000000000000"
        jobs[name] = _finished(replace(real.jobs[key], id=name), NOW - 95 - place * 137)
    done = tuple(jobs)
    alive = [key for key in (running, *real.waiting) if key is not None]
    names = {
        key: f"{0x7F3A0C21 + place * 0x1234567:08x}-0000-4000-8000-000000000000" for place, key in enumerate(alive)
    }
    for key, name in names.items():
        job = replace(real.jobs[key], id=name, created=NOW - 30 + list(names).index(key), started=None, ended=None)
        jobs[name] = _running(job, at, steps) if key == running else job
    current = names.get(running or "")
    shape = next((job.shape for job in jobs.values() if job.shape), "")
    timing = (
        Timing({n.id: _seconds(n, 20) for n in jobs[done[0]].nodes}, 3.4, 20.0 * 128 * 128, at=NOW - 100)
        if done
        else None
    )
    return replace(
        real,
        link=Link(url, Phase.LIVE, NOW - 620, latency=0.018),
        version=1,
        stats=_stats(),
        stats_history=tuple(_stats(n) for n in range(12)),
        jobs=jobs,
        running=(current,) if current else (),
        waiting=tuple(names[key] for key in alive if key != running),
        history=done,
        history_complete=True,
        history_loaded=True,
        run=Run(current, jobs[current].nodes[_at(jobs[current])].id, at, steps, rate=STEPS, left=(steps - at) / STEPS)
        if current
        else None,
        preview=replace(preview, prompt_id=current) if preview and current else None,
        timeline=_timeline(jobs, done, current),
        queue_remaining=len(alive),
        rates=tuple((NOW - 12 + n, STEPS + (n % 3 - 1) * 0.3) for n in range(12)) if current else (),
        timings={shape: timing} if timing and shape else {},
        local=(),
        gap=None,
    )


def broken(state: ServerState) -> ServerState:
    """The same server after its newest job has failed."""
    newest = state.jobs[state.history[0]]
    sampler = newest.nodes[_at(newest)]
    failure = Failure(
        "Allocation on device would exceed allowed memory. Tried to allocate 4.50 GiB.", "torch.OutOfMemoryError",
        sampler.id, sampler.class_type,
        (
            '  File "engine/graph/call.py", line 61, in call\n    return function(**values)\n',
            '  File "engine/nodes/sampling.py", line 88, in ksampler\n    return run.sample(model, noise, sigmas)\n',
        ),
        {"steps": 20, "cfg": 6.0, "sampler_name": "euler", "seed": 7},
    )  # fmt: skip
    place = _at(newest)
    nodes = tuple(
        replace(node, state=NodeState.FAILED if i == place else NodeState.WAITING, ended=None) if i >= place else node
        for i, node in enumerate(newest.nodes)
    )
    job = replace(newest, state=JobState.FAILED, failure=failure, nodes=nodes, outputs=())
    told = TimelineEntry(NOW - 92, "failed", "out of memory", job.id)
    return replace(state, jobs={**state.jobs, job.id: job}, timeline=(*state.timeline[:-1], told))


def away(url: str) -> ServerState:
    """A server that is switched off, with what the client says of such a one."""
    from comfytui.client.reaching import why_unreachable

    reason = why_unreachable(Target.parse(url), ConnectionRefusedError(111, "Connection refused"))
    return ServerState(Link(url, Phase.RECONNECTING, NOW - 40, error=reason, retry_at=NOW + 12, attempts=4))


def _seconds(node: NodeRun, steps: float) -> float:
    return steps / STEPS if "Sampler" in node.class_type else TOOK.get(node.class_type, 0.1)


def _finished(job: Job, ended: float) -> Job:
    """A job with each node after the one before, the last one ending then."""
    ran = [node for node in job.nodes if node.state is NodeState.DONE]
    at = start = ended - sum(_seconds(node, node.maximum or 20) for node in ran)
    nodes = []
    for node in job.nodes:
        began = at if node in ran else None
        at += _seconds(node, node.maximum or 20) if node in ran else 0
        nodes.append(replace(node, started=began, ended=at if node in ran else None))
    return replace(job, nodes=tuple(nodes), created=start - 1.5, started=start, ended=ended, number=ended)


def _at(job: Job) -> int:
    """Which of its nodes samples."""
    return next(i for i, node in enumerate(job.nodes) if "Sampler" in node.class_type)


def _running(job: Job, at: int, steps: int) -> Job:
    """A job whose sampler is at that step: what comes before is done or cached, what comes after waits."""
    began, place = NOW - at / STEPS, _at(job)
    nodes: list[NodeRun] = []
    for i, node in enumerate(job.nodes):
        if i < place:
            kept = NodeState.CACHED if node.class_type == "CheckpointLoaderSimple" else NodeState.DONE
            ran = kept is NodeState.DONE
            nodes.append(replace(node, state=kept, started=began - 0.1 if ran else None, ended=began if ran else None))
        elif i == place:
            running = NodeState.RUNNING
            nodes.append(replace(node, state=running, value=at, maximum=steps, started=began, ended=None))
        else:
            nodes.append(replace(node, state=NodeState.WAITING, started=None, ended=None))
    return replace(job, state=JobState.RUNNING, nodes=tuple(nodes), created=NOW - 30, started=began - 0.2)


def _timeline(jobs: Mapping[str, Job], done: Sequence[str], current: str | None) -> tuple[TimelineEntry, ...]:
    entries = [TimelineEntry(NOW - 620, "connected", "connected to gpu-box")]
    for key in reversed(done[:2]):
        job = jobs[key]
        entries.append(TimelineEntry(job.started or NOW, "started", f"{job.facts.name} started", key))
        entries.append(TimelineEntry(job.ended or NOW, "done", f"{job.facts.name} done", key))
    if current:
        job = jobs[current]
        entries.append(TimelineEntry(job.started or NOW, "started", f"{job.facts.name} started", current))
    return tuple(entries)


def _stats(step: int = 3) -> Stats:
    used = int((9 + step % 4) * GB)
    card = Device("cuda:0 NVIDIA RTX A5000", "cuda", 0, 24 * GB, 24 * GB - used, 10 * GB, 2 * GB)
    return Stats(
        "0.8.0", "2.13.0", "3.12.11", "linux", ("main.py", "--preview-method", "auto"), 64 * GB, 41 * GB, (card,), NOW
    )

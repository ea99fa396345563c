"""What `batch` tells: how far it is, how long it takes, and how every job ended."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from comfytui.cli import diagnostics, output
from comfytui.cli.amounts import duration
from comfytui.cli.diagnostics import Exit
from comfytui.cli.shapes import BatchJob, BatchReport
from comfytui.client import sanitize
from comfytui.client.errors import NotKept
from comfytui.settings.files import state_dir
from comfytui.state import times
from comfytui.state.batch.lane import Work
from comfytui.state.batch.ledger import End
from comfytui.state.disk import NAME, Disk
from comfytui.state.learned import Learned
from comfytui.state.model import Link, ServerState, Timing
from comfytui.workflow.variations import Variation, graph_of

SAMPLE = 200  # jobs whose time is looked at: those of one sweep differ little
SHOWN = 20  # failures, and jobs of a plan, that are listed; --json has all
EVERY = 10.0  # seconds between lines where none can be rewritten


class Planned(msgspec.Struct, frozen=True):
    """The jobs of a file, and how those ended that have: `ends` is the ledger's own, and grows."""

    file: Path
    state: Path
    jobs: Sequence[Variation]
    ends: Mapping[str, End]


def estimate(planned: Planned, servers: int, places: Sequence[str] = ()) -> float | None:
    """Seconds for what has not ended: by what this batch's own jobs took, else by what was learned of the workflow on the
    servers at `places`; None if one of them is not known.
    """
    left = [job for job in planned.jobs if job.key not in planned.ends]
    own: dict[str, list[float]] = {}
    for job in planned.jobs:
        end = planned.ends.get(job.key)
        if end is not None and end.state == "done" and end.seconds is not None:
            own.setdefault(job.source.name, []).append(end.seconds)
    timings: dict[str, Timing] = {}
    for place in places:
        disk = Disk(state_dir() / NAME)
        try:
            timings.update(Learned(disk, place).load())
        except NotKept:
            continue
        finally:
            disk.close()
    state = ServerState(Link(""), timings=timings)
    sample = left[:: max(1, len(left) // SAMPLE)]
    total = 0.0
    for job in sample:
        took = own.get(job.source.name)
        expected = sum(took) / len(took) if took else _learned(state, job)
        if expected is None:
            return None
        total += expected
    return total * len(left) / max(1, len(sample)) / max(1, servers)


def _learned(state: ServerState, job: Variation) -> float | None:
    return times.expected(state, graph_of(job)).seconds


class Counter:
    """Tells on stderr how far a batch is: in one line that changes, or now and then."""

    def __init__(self, planned: Planned, wanted: int, expected: float | None) -> None:
        self._planned = planned
        self._wanted = wanted
        self._expected = expected
        self._counts: Counts[str] = Counts()
        self._began = self._told = time.monotonic()
        self._live = diagnostics.interactive()

    def begin(self) -> None:
        total = len(self._planned.jobs)
        before = f", {total - self._wanted} of them have ended" if total > self._wanted else ""
        told = f"; about {duration(self._expected)}" if self._expected and self._wanted else ""
        diagnostics.say(f"{total:,} {'job' if total == 1 else 'jobs'}{before}{told}")

    def say(self, text: str) -> None:
        """A line of its own."""
        self.clear()
        diagnostics.say(text)

    def ended(self, work: Work, end: End) -> None:
        self._counts[end.state] += 1
        if end.error:
            self.say(f"{work.name}: {end.error}")
        now = time.monotonic()
        if now - self._told < (0.1 if self._live else EVERY):
            return
        self._told = now
        done = sum(self._counts.values())
        left = (now - self._began) / done * (self._wanted - done)
        failed = f", {self._counts['failed']} failed" if self._counts["failed"] else ""
        text = f"[{done}/{self._wanted}]{failed}, about {duration(left)} left"
        diagnostics.rewrite(text) if self._live else diagnostics.say(text)

    def clear(self) -> None:
        if self._live:
            diagnostics.rewrite("")


def report(planned: Planned, *, servers: int, seconds: float = 0.0, dry: bool = False) -> BatchReport:
    """All of it, as --json prints it."""
    jobs = [_job(number, job, planned.ends.get(job.key), dry) for number, job in enumerate(planned.jobs, 1)]
    counts = Counts(job.state for job in jobs)
    return BatchReport(
        file=str(planned.file),
        state=str(planned.state),
        total=len(jobs),
        done=counts["done"],
        failed=counts["failed"],
        interrupted=counts["interrupted"],
        left=counts["left"] + counts["planned"],
        seconds=round(seconds, 3),
        estimate=estimate(planned, servers),
        jobs=tuple(jobs),
    )


def _job(number: int, job: Variation, end: End | None, dry: bool) -> BatchJob:
    values = dict(job.labels)
    if end is None or end.state == "returned":
        state: Any = "planned" if dry else "left"
        return BatchJob(number=number, workflow=job.source.name, values=values, state=state)
    return BatchJob(
        number=number, workflow=job.source.name, values=values, state=end.state, prompt_id=end.id, server=end.server,
        seconds=end.seconds, attempts=end.attempts, files=end.files, texts=end.texts, error=end.error,
    )  # fmt: skip


def worst(planned: Planned) -> Exit:
    """The code of the first job that did not succeed."""
    for job in planned.jobs:
        end = planned.ends.get(job.key)
        if end is not None and end.state != "done":
            kinds = {"refused": Exit.REFUSED, "lost": Exit.LOST, "server": Exit.SERVER}
            return Exit.INTERRUPTED if end.state == "interrupted" else kinds.get(end.kind, Exit.JOB_FAILED)
    return Exit.OK


def print_report(found: BatchReport) -> None:
    """A few lines for a person, on stdout."""
    parts = [f"{found.done:,} done"]
    parts += [f"{count:,} {what}" for count, what in _not_done(found) if count]
    output.line(f"{found.total:,} jobs: {', '.join(parts)}; this run took {duration(found.seconds)}")
    servers: dict[str, list[BatchJob]] = {}
    for job in found.jobs:
        if job.server is not None:
            servers.setdefault(job.server, []).append(job)
    for name, jobs in servers.items():
        took = [job.seconds for job in jobs if job.seconds is not None]
        mean = f", {sum(took) / len(took):.1f} s each" if took else ""
        output.line(f"{name}: {len(jobs):,}{mean}")
    bad = [job for job in found.jobs if job.state in ("failed", "interrupted")]
    for job in bad[:SHOWN]:
        output.line(sanitize.line(f"{job.state} #{job.number} {_values(job)}: {job.error}", 1000))
    if len(bad) > SHOWN:
        output.line(f"… and {len(bad) - SHOWN:,} more; --json has all")


def print_plan(found: BatchReport) -> None:
    """The plan: its jobs, and how many."""
    for job in found.jobs[:SHOWN]:
        output.line(sanitize.line(f"#{job.number} {job.workflow} {_values(job)} {job.state}", 1000))
    if found.total > SHOWN:
        output.line(f"… and {found.total - SHOWN:,} more; --json has all")
    told = f"about {duration(found.estimate)}" if found.estimate is not None else "time unknown"
    output.line(f"{found.total:,} jobs: {found.done:,} done, {found.left:,} to do; {told}")


def _not_done(found: BatchReport) -> list[tuple[int, str]]:
    return [(found.failed, "failed"), (found.interrupted, "interrupted"), (found.left, "left")]


def _values(job: BatchJob) -> str:
    return " ".join(f"{name}={str(value)[:60]}" for name, value in job.values.items())

"""Three lines of a job: how far it is, how fast, and what it uses; two where the last has a pane of its own."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Region
from textual.widget import Widget

from comfytui.state import times
from comfytui.state.model import Job, JobState, NodeState, Phase, ServerState, Stats
from comfytui.tui.theme import Palette
from comfytui.tui.time_left import time_left
from comfytui.tui.widgets.fixed_line import Piece, lay_out
from comfytui.tui.widgets.status_line import settled
from comfytui.tui.widgets.told_pane import WHOSE
from comfytui.tui.widgets.vitals import vitals
from comfytui.tui.wording import GLYPHS, ago, bar, clock, duration, number, one_line, rate, spark, time_of_day

SAMPLES = 16


class ProgressBlock(Widget):
    """The bar of the whole job; speed, elapsed and left; sparklines of speed and memory."""

    DEFAULT_CSS = "ProgressBlock { height: 3; width: 1fr; padding: 0 1; text-wrap: nowrap; }"

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._stats: Stats | None = None
        self._frozen = False
        self._lines: list[Text] = []
        self._given: tuple[Palette, ServerState, Job | None, float] | None = None

    def update(self, palette: Palette, state: ServerState, job: Job | None, now: float, frozen: bool = False) -> None:
        """Show a job: the running one, or the one before it. `frozen`: all but these figures is held still."""
        self._frozen = frozen
        self._given = (palette, state, job, now)
        before, self._lines = self._lines, self._lay_out()
        changed = [y for y, line in enumerate(self._lines) if y >= len(before) or line != before[y]]
        if changed:  # not the border: it is half of the bytes
            self.refresh(*(Region(0, y, self.content_size.width, 1) for y in changed))

    def _lay_out(self) -> list[Text]:
        """The three lines at the present width."""
        if self._given is None:
            return []
        palette, state, job, now = self._given
        width = self.content_size.width
        rows = (
            self._bar(palette, state, job, now, width),
            self._numbers(palette, state, job, now),
            self._memory(palette, state, job),
        )
        return [lay_out([Piece(part, rank) for rank, part in enumerate(row)], width, 3) for row in rows]

    def _bar(self, palette: Palette, state: ServerState, job: Job | None, now: float, width: int) -> list[Text]:
        if job is None:
            return [Text("nothing runs", palette.dim)]
        if job.state is not JobState.RUNNING:
            glyph, role = GLYPHS[job.state]
            text = Text(f"{glyph} {job.state}", palette.style(role))
            if job.failure is not None:
                text.append(f"  {one_line(job.failure.message)}", palette.text)
            return [text]
        if not _told(state, job):
            whose = WHOSE[job.origin]
            return [
                Text(f"▶ runs{f': {whose} job' if whose else ''}", palette.running),
                Text("no progress is told", palette.dim),
            ]
        fraction = times.progress(state, job, now).fraction
        done, rest = bar(fraction, max(8, width - 6))
        known = palette.running if state.link.phase is Phase.LIVE else palette.dim
        return [Text.assemble((done, known), (rest, palette.border), (f" {fraction:4.0%}", palette.text))]

    def _numbers(self, palette: Palette, state: ServerState, job: Job | None, now: float) -> list[Text]:
        if job is None:
            return []
        finished = sum(n.state in (NodeState.DONE, NodeState.CACHED) for n in job.nodes)
        nodes = _pair(palette, f"{finished}/{len(job.nodes)}", "nodes") if job.nodes else Text()
        if job.state is JobState.RUNNING and state.link.phase is not Phase.LIVE:  # what we know is old
            since = time_of_day(state.gap.since if state.gap is not None else state.link.since)
            return [
                Text(f"not connected since {since}", palette.warning),
                Text("r tries again now", palette.dim),
                nodes,
            ]
        if job.state is JobState.WAITING:
            return _starts(palette, state, job, now)
        if job.state is JobState.RUNNING:
            run = state.run if _told(state, job) else None
            left, source = time_left(state, job, now)
            elapsed = times.progress(state, job, now).elapsed
            said = Text.assemble((left, palette.text), (f" ({source})" if source else "", palette.dim))
            parts = [
                Text("paused", palette.warning) if self._frozen else Text(),
                said if left else Text(),
                _pair(palette, clock(elapsed), "elapsed") if elapsed is not None else Text(),
                Text(rate(run.rate), palette.text) if run is not None else Text(),
                nodes if run is not None else Text(),
            ]
        else:
            parts = [
                _pair(palette, clock(job.seconds), "in all") if job.seconds is not None else Text(),
                Text(ago(job.ended, now), palette.dim) if job.ended is not None else Text(),
                _pair(palette, "seed", str(job.facts.seed)) if job.facts.seed is not None else Text(),
                _pair(palette, number(job.facts.steps), "steps") if job.facts.steps else Text(),
            ]
        return [part for part in parts if part]

    def _memory(self, palette: Palette, state: ServerState, job: Job | None) -> list[Text]:
        self._stats = settled(self._stats, state)
        parts = []
        for vital in vitals(state, job if state.running else None, self._stats, SAMPLES):
            past = spark(list(vital.past), 1.0) if state.running and len(vital.past) > 1 else ""
            if vital.label == "it/s":  # the figure is in the line above
                parts.append(Text.assemble(("it/s ", palette.dim), (past, palette.graph)) if past else Text())
            elif state.running or vital.label in ("VRAM", "RAM"):
                parts.append(
                    Text.assemble((f"{vital.label} ", palette.dim), (past and f"{past} ", palette.graph), vital.now)
                )
        return [part for part in parts if part]

    def render(self) -> Text:
        # Laid out here and not before: a line that is as wide as the pane once was would wrap in a narrower one.
        self._lines = self._lay_out()
        return Text("\n", no_wrap=True, overflow="crop", end="").join(self._lines[: self.content_size.height])


def _told(state: ServerState, job: Job) -> bool:
    """Whether the server tells how far a running job is."""
    return state.run is not None and state.run.prompt_id == job.id and state.run.told


def _starts(palette: Palette, state: ServerState, job: Job, now: float) -> list[Text]:
    """When a waiting job should begin, and how long it should take."""
    start = times.starts(state, now).get(job.id)
    if start is None or start.at is None:
        return [Text("when it starts is not known", palette.dim)]
    parts = [Text.assemble(("starts in ", palette.dim), (f"~{duration(max(0.0, start.at - now))}", palette.text))]
    if start.seconds is not None:
        parts.append(Text.assemble(("takes ", palette.dim), (f"~{duration(start.seconds)}", palette.text)))
    return parts


def _pair(palette: Palette, value: str, unit: str) -> Text:
    return Text.assemble((value, palette.text), (f" {unit}", palette.dim))

"""Three lines of a job: how far it is, how fast, and what it uses."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Region
from textual.widget import Widget

from comfytui.state.model import Job, JobState, NodeState, ServerState, Stats
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.fixed_line import Piece, lay_out
from comfytui.tui.widgets.running_bar import overall
from comfytui.tui.widgets.status_line import settled, vram
from comfytui.tui.wording import GLYPHS, ago, bar, clock, number, of_total, one_line, rate, spark

SAMPLES = 16


class ProgressBlock(Widget):
    """The bar of the whole job; speed, elapsed and left; sparklines of speed and memory."""

    DEFAULT_CSS = "ProgressBlock { height: 3; width: 1fr; padding: 0 1; text-wrap: nowrap; }"

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rates: list[float] = []
        self._stats: Stats | None = None
        self._rates_of: str | None = None
        self._lines: list[Text] = []
        self._given: tuple[Palette, ServerState, Job | None, float] | None = None

    def update(self, palette: Palette, state: ServerState, job: Job | None, now: float) -> None:
        """Show a job: the running one, or the one before it."""
        run = state.run
        if job is not None and job.id != self._rates_of:
            self._rates, self._rates_of = [], job.id
        if run is not None and run.rate and (not self._rates or self._rates[-1] != run.rate):
            self._rates = [*self._rates[-SAMPLES + 1 :], run.rate]
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
            self._bar(palette, state, job, width),
            self._numbers(palette, state, job, now),
            self._memory(palette, state),
        )
        return [lay_out([Piece(part, rank) for rank, part in enumerate(row)], width, 3) for row in rows]

    def _bar(self, palette: Palette, state: ServerState, job: Job | None, width: int) -> list[Text]:
        if job is None:
            return [Text("–", palette.dim)]
        if job.state is not JobState.RUNNING:
            glyph, role = GLYPHS[job.state]
            text = Text(f"{glyph} {job.state}", palette.style(role))
            if job.failure is not None:
                text.append(f"  {one_line(job.failure.message)}", palette.text)
            return [text]
        fraction = overall(job, state.run)
        done, rest = bar(fraction, max(8, width - 6))
        return [Text.assemble((done, palette.running), (rest, palette.border), (f" {fraction:4.0%}", palette.text))]

    def _numbers(self, palette: Palette, state: ServerState, job: Job | None, now: float) -> list[Text]:
        if job is None:
            return []
        finished = sum(n.state in (NodeState.DONE, NodeState.CACHED) for n in job.nodes)
        nodes = _pair(palette, f"{finished}/{len(job.nodes)}", "nodes") if job.nodes else Text()
        if job.state is JobState.RUNNING:
            run = state.run
            if run is not None and not run.told:
                return [Text("another client's job: the server tells its own client about it", palette.dim)]
            elapsed = None if job.started is None else now - job.started
            parts = [
                _pair(palette, clock(run.left), "left") if run is not None and run.left is not None else Text(),
                _pair(palette, clock(elapsed), "elapsed") if elapsed is not None else Text(),
                Text(rate(run.rate), palette.text) if run is not None else Text(),
                nodes,
            ]
        else:
            parts = [
                _pair(palette, clock(job.seconds), "in all") if job.seconds is not None else Text(),
                Text(ago(job.ended, now), palette.dim) if job.ended is not None else Text(),
                _pair(palette, "seed", str(job.facts.seed)) if job.facts.seed is not None else Text(),
                _pair(palette, number(job.facts.steps), "steps") if job.facts.steps else Text(),
            ]
        return [part for part in parts if part]

    def _memory(self, palette: Palette, state: ServerState) -> list[Text]:
        parts = []
        if len(self._rates) > 1:
            parts.append(Text.assemble(("it/s ", palette.dim), (spark(self._rates), palette.graph)))
        stats = self._stats = settled(self._stats, state)
        if stats is not None:
            past = state.stats_history[-SAMPLES:] if state.running else ()
            if (used := vram(stats)) is not None:
                line = spark([float(v[0]) for s in past if (v := vram(s)) is not None], float(used[1]))
                parts.append(
                    Text.assemble(("VRAM ", palette.dim), (line and f"{line} ", palette.graph), of_total(*used))
                )
            if stats.ram_total:
                line = spark([float(s.ram_total - s.ram_free) for s in past], float(stats.ram_total))
                ram = of_total(stats.ram_total - stats.ram_free, stats.ram_total)
                parts.append(Text.assemble(("RAM ", palette.dim), (line and f"{line} ", palette.graph), ram))
        return parts

    def render(self) -> Text:
        # Laid out here and not before: a line that is as wide as the pane once was would wrap in a narrower one.
        self._lines = self._lay_out()
        return Text("\n", no_wrap=True, overflow="crop", end="").join(self._lines[: self.content_size.height])


def _pair(palette: Palette, value: str, unit: str) -> Text:
    return Text.assemble((value, palette.text), (f" {unit}", palette.dim))

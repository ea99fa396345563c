"""What a run does to its machine, as lines that grow: speed, memory, load and heat, each only where something tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.text import Text
from textual.geometry import Region, Size
from textual.widget import Widget

from comfytui.state.model import Job, JobState, ServerState, Stats
from comfytui.state.samples import series
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.status_line import vram
from comfytui.tui.wording import of_total, rate, spark

LABEL, VALUE = 5, 13  # cells
COLD, HOT = 20.0, 100.0  # °C, the lowest and the highest bar


class Vital(NamedTuple):
    """One measured thing: what it was, between 0 and 1, and what it is in words."""

    label: str
    past: tuple[float, ...]
    now: str


def vitals(state: ServerState, job: Job | None, stats: Stats | None, count: int) -> Iterator[Vital]:
    """What is told, the most wanted first. `stats` are those to show as the newest; `count` how many samples."""
    told = series(state, count)
    begun = job.started if job is not None and job.started is not None else 0.0
    rates = [value for at, value in state.rates[-count:] if at >= begun]
    run = state.run
    now = run.rate if run is not None and job is not None and run.prompt_id == job.id else None
    runs = job is not None and job.state is JobState.RUNNING
    if runs and rates and max(rates) > 0:
        yield Vital("it/s", tuple(value / max(rates) for value in rates), rate(now or rates[-1]))
    if stats is not None and (used := vram(stats)) is not None:
        yield Vital("VRAM", told.vram, of_total(*used))
    if told.gpu:
        yield Vital("GPU", told.gpu, f"{told.gpu[-1]:.0%}")
    if told.heat:
        yield Vital("heat", tuple((heat - COLD) / (HOT - COLD) for heat in told.heat), f"{told.heat[-1]:.0f} °C")
    if stats is not None and stats.ram_total:
        yield Vital("RAM", told.ram, of_total(stats.ram_total - stats.ram_free, stats.ram_total))


class Vitals(Widget):
    """A line for each; the newest sample is beside the figure."""

    DEFAULT_CSS = "Vitals { height: auto; width: 1fr; padding: 0 1; text-wrap: nowrap; }"

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._given: tuple[Palette, ServerState, Job | None] | None = None
        self._lines: list[Text] = []

    @property
    def tells(self) -> bool:
        """Whether there is anything to show."""
        return bool(self._lines)

    def update(self, palette: Palette, state: ServerState, job: Job | None) -> None:
        """Show the newest samples."""
        self._given = (palette, state, job)
        before, self._lines = self._lines, self._lay_out()
        if len(before) != len(self._lines):
            self.refresh(layout=True)
        elif changed := [y for y, line in enumerate(self._lines) if line != before[y]]:
            self.refresh(*(Region(0, y, max(1, self.content_size.width), 1) for y in changed))

    def _lay_out(self) -> list[Text]:
        if self._given is None:
            return []
        palette, state, job = self._given
        room = max(1, self.content_size.width - LABEL - VALUE - 1)
        return [
            Text.assemble(
                (f"{vital.label:<{LABEL}}", palette.dim),
                (f"{spark(list(vital.past[-room:]), 1.0):>{room}}", palette.graph),
                (f" {vital.now:>{VALUE}}", palette.text),
                no_wrap=True,
                overflow="crop",
                end="",
            )
            for vital in vitals(state, job, state.stats, room)
        ]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._lines))

    def render(self) -> Text:
        self._lines = self._lay_out()
        return Text("\n", no_wrap=True, overflow="crop", end="").join(self._lines[: self.content_size.height])

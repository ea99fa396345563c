"""Jobs as a table: the columns that fit, numbers on the right, names cut in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from comfytui.state.model import Job, JobState, ServerState
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.running_bar import overall
from comfytui.tui.wording import GLYPHS, ago, clock, cut, cut_middle, model_name, number, one_line, size


class Column(NamedTuple):
    """A column; `drop` tells when it goes as the table gets narrower (the highest first, 0 never)."""

    name: str
    width: int  # 0: shares what is left
    drop: int
    right: bool = False
    middle: bool = False  # cut in the middle


QUEUE = (
    Column("#", 3, 6, right=True),
    Column("state", 8, 0),
    Column("workflow", 18, 3, middle=True),
    Column("prompt", 0, 0),
    Column("model", 18, 4, middle=True),
    Column("size", 9, 5, right=True),
    Column("steps", 5, 5, right=True),
    Column("eta", 6, 1, right=True),
    Column("from", 5, 7),
)
HISTORY = (
    Column("state", 13, 0),
    Column("prompt", 0, 0),
    Column("workflow", 16, 4, middle=True),
    Column("model", 18, 5, middle=True),
    Column("seed", 20, 2, right=True),
    Column("time", 6, 3, right=True),
    Column("ended", 10, 1, right=True),
)


def fitted(columns: Sequence[Column], width: int, least: int = 24) -> list[tuple[Column, int]]:
    """The columns for a width, each with its cells; the free ones keep at least `least`."""
    kept = list(columns)
    while True:
        free = [c for c in kept if not c.width]
        left = width - 1 - sum(c.width for c in kept) - 2 * (len(kept) - 1)
        droppable = [c for c in kept if c.drop]
        if left >= least * len(free) or not droppable:
            share = max(4, left // max(1, len(free)))
            return [(c, c.width or share) for c in kept]
        kept.remove(max(droppable, key=lambda c: c.drop))


class JobTable(LineList):
    """A header and one line a job."""

    can_mark = True
    header_lines = 1

    def __init__(self, columns: Sequence[Column], id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = columns

    def update(self, jobs: Sequence[Job], state: ServerState, now: float) -> None:
        """Show jobs in this order."""
        by_id = {job.id: job for job in jobs}
        places = {job.id: place for place, job in enumerate(jobs, 1)}
        etas = estimates(state, now)

        def draw(key: str, width: int) -> Text:
            return self._line(by_id[key], places[key], state, etas.get(key), now, width)

        self.show(list(by_id), draw)

    def draw_header(self, width: int) -> list[Text]:
        line = Text(" ", self.palette.dim)
        for column, cells in fitted(self._columns, width):
            line.append(f"{column.name:>{cells}}  " if column.right else f"{column.name:<{cells}}  ")
        return [line]

    def _line(self, job: Job, place: int, state: ServerState, eta: float | None, now: float, width: int) -> Text:
        palette, facts = self.palette, job.facts
        values = {
            "#": (str(place), "dim"),
            "workflow": (one_line(facts.name) or "–", "text"),
            "prompt": (one_line(job.failure.message if job.failure else facts.positive) or "–", "text"),
            "model": (model_name(facts.model) or "–", "dim"),
            "size": (size(facts.width, facts.height), "text"),
            "steps": (number(facts.steps), "text"),
            "seed": ("–" if facts.seed is None else str(facts.seed), "text"),
            "eta": (clock(eta), "text"),
            "time": (clock(job.seconds), "text"),
            "ended": (ago(job.ended, now), "dim"),
            "from": ("me" if job.mine else "other", "dim"),
        }
        line = Text(" ")
        for column, cells in fitted(self._columns, width):
            if column.name == "state":
                line.append_text(_state(palette, job, state, cells))
            else:
                value, role = values[column.name]
                shown = cut_middle(value, cells) if column.middle or column.right else cut(value, cells)
                pad = " " * (cells - Text(shown).cell_len)
                line.append(pad + shown if column.right else shown + pad, palette.style(role))
            line.append("  ")
        line.rstrip()
        return line


def _state(palette: Palette, job: Job, state: ServerState, cells: int) -> Text:
    glyph, role = GLYPHS[job.state]
    text = Text(f"{glyph} ", palette.style(role))
    if job.state is JobState.RUNNING:
        told = state.run is not None and state.run.told
        text.append(f"{overall(job, state.run):.0%}" if told else "runs")
    elif job.state is not JobState.WAITING and cells > 8:
        text.append(job.state)
    text.append(" " * max(0, cells - text.cell_len))
    return text


def estimates(state: ServerState, now: float) -> dict[str, float]:
    """When each job will be done, in seconds from now, as far as that can be told.

    A waiting job is taken to last as long as finished ones did, scaled by its steps times pixels where both are known.
    """
    known = [
        job for id in state.history[:20] if (job := state.jobs.get(id)) and job.state is JobState.DONE and job.seconds
    ]
    if not known and state.run is None:
        return {}
    work = [(job.seconds or 0.0, _work(job)) for job in known]
    paces = sorted(seconds / amount for seconds, amount in work if amount)
    usual = sorted(seconds for seconds, _ in work)
    found: dict[str, float] = {}
    total = 0.0
    for key in state.running:
        left = state.run.left if state.run is not None and state.run.prompt_id == key else None
        if left is None:
            return found
        found[key] = left
        total += left
    for key in state.waiting:
        job = state.jobs.get(key)
        amount = _work(job) if job else None
        if amount and paces:
            total += amount * paces[len(paces) // 2]
        elif usual:
            total += usual[len(usual) // 2]
        else:
            return found
        found[key] = total
    return found


def _work(job: Job) -> float | None:
    f = job.facts
    return float(f.steps * f.width * f.height * (f.batch or 1)) if f.steps and f.width and f.height else None

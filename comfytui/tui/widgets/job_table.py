"""Jobs as a table: the columns that fit, numbers on the right, names cut in the middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.text import Text

from comfytui.state import times
from comfytui.state.model import Job, JobState, ServerState
from comfytui.state.times import Start
from comfytui.tui.queue_order import sender
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.wording import GLYPHS, cut, cut_middle, model_name, number, one_line, roughly, size

AMPLE = 56  # cells of a prompt: more is read in the details


class Column(NamedTuple):
    """A column; `drop` tells when it goes as the table gets narrower (the highest first, 0 never).

    `wide` is its width where that leaves the free ones more than enough.
    """

    name: str
    width: int  # 0: shares what is left
    drop: int
    right: bool = False
    middle: bool = False  # cut in the middle
    wide: int = 0


QUEUE = (
    Column("#", 3, 2, right=True),
    Column("state", 8, 0),
    Column("workflow", 14, 3, middle=True, wide=24),
    Column("prompt", 0, 0),
    Column("model", 18, 9, middle=True, wide=26),
    Column("seed", 10, 5, right=True, wide=20),
    Column("size", 9, 6, right=True),
    Column("steps", 5, 6, right=True),
    Column("starts", 7, 1, right=True),
    Column("from", 8, 4),
)


def fitted(columns: Sequence[Column], width: int, least: int = 24) -> list[tuple[Column, int]]:
    """The columns for a width, each with its cells; the free ones keep at least `least`, or AMPLE where others grow."""
    kept = list(columns)
    while True:
        free = [c for c in kept if not c.width]
        left = width - 1 - sum(c.width for c in kept) - 2 * (len(kept) - 1)
        droppable = [c for c in kept if c.drop]
        if left >= least * len(free) or not droppable:
            cells = {c.name: c.width for c in kept}
            for c in kept:
                if c.wide and left - (c.wide - c.width) >= AMPLE * len(free):
                    left -= c.wide - c.width
                    cells[c.name] = c.wide
            share = max(4, left // max(1, len(free)))
            return [(c, cells[c.name] or share) for c in kept]
        kept.remove(max(droppable, key=lambda c: c.drop))


def header(columns: Sequence[Column], width: int, palette: Palette) -> Text:
    """The names of the columns that fit."""
    line = Text(" ", palette.dim)
    for column, cells in fitted(columns, width - 1):  # a blank on the right as on the left
        line.append(f"{column.name:>{cells}}  " if column.right else f"{column.name:<{cells}}  ")
    return line


class JobTable(LineList):
    """A header and one line a job."""

    can_mark = True
    header_lines = 1

    def __init__(self, columns: Sequence[Column], id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = columns

    def update(
        self, jobs: Sequence[Job], state: ServerState, now: float, starts: Mapping[str, Start] | None = None
    ) -> None:
        """Show jobs in this order. `starts`: when those that wait should begin (`state.times.starts`)."""
        by_id = {job.id: job for job in jobs}
        places = {key: str(number) for number, key in enumerate(state.waiting, 1)}

        def draw(key: str, width: int) -> Text:
            start = starts.get(key) if starts else None
            return self._line(by_id[key], places.get(key, ""), state, start, now, width)

        self.show(list(by_id), draw)

    def draw_header(self, width: int) -> list[Text]:
        return [header(self._columns, width, self.palette)]

    def _line(self, job: Job, place: str, state: ServerState, start: Start | None, now: float, width: int) -> Text:
        palette, facts = self.palette, job.facts
        values = {
            "#": (place, "dim"),
            "workflow": (one_line(facts.name) or "–", "text"),
            "prompt": (one_line(_said(job)) or "–", "text"),
            "model": (model_name(facts.model) or "–", "dim"),
            "size": (size(facts.width, facts.height), "text"),
            "steps": (number(facts.steps), "text"),
            "seed": ("–" if facts.seed is None else str(facts.seed), "text"),
            "starts": (_starts(job, start, now), "text"),
            "from": (sender(job), "dim"),
        }
        line = Text(" ")
        for column, cells in fitted(self._columns, width - 1):
            if column.name == "state":
                line.append_text(_state(palette, job, state, cells, now))
            else:
                value, role = values[column.name]
                shown = cut_middle(value, cells) if column.middle or column.right else cut(value, cells)
                pad = " " * (cells - Text(shown).cell_len)
                line.append(pad + shown if column.right else shown + pad, palette.style(role))
            line.append("  ")
        line.rstrip()
        return line


def _state(palette: Palette, job: Job, state: ServerState, cells: int, now: float) -> Text:
    glyph, role = GLYPHS[job.state]
    text = Text(f"{glyph} ", palette.style(role))
    if job.state is JobState.RUNNING:
        told = state.run is not None and state.run.told
        text.append(f"{times.progress(state, job, now).fraction:.0%}" if told else "runs")
    elif job.state in (JobState.HELD, JobState.LOST) or (job.state is not JobState.WAITING and cells > 8):
        text.append(job.state)
    text.append(" " * max(0, cells - text.cell_len))
    return text


def _said(job: Job) -> str:
    """A job's prompt, or why it failed. What is lost has not failed: which one it was is what matters."""
    return job.failure.message if job.failure and job.state is not JobState.LOST else job.facts.positive


def _starts(job: Job, start: Start | None, now: float) -> str:
    """In how long it begins: coarse, so that a line is not sent again each second."""
    if job.state is JobState.RUNNING:
        return "now"
    return "–" if start is None or start.at is None else roughly(start.at - now)

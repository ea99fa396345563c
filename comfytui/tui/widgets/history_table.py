"""Finished jobs as a table: the columns that fit, a star in front, a note in place of the prompt's end; in groups."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.strip import Strip

from comfytui.state.model import Job, Mark
from comfytui.tui.widgets.grid_list import GridList
from comfytui.tui.widgets.job_table import Column, fitted, header
from comfytui.tui.wording import GLYPHS, STAR, ago, clock, cut, cut_middle, model_name, one_line

COLUMNS = (
    Column("state", 13, 0),
    Column("prompt", 0, 0),
    Column("workflow", 16, 4, middle=True),
    Column("model", 18, 5, middle=True),
    Column("seed", 20, 3, right=True),
    Column("time", 7, 2, right=True),
    Column("ended", 10, 1, right=True),
)


class HistoryTable(GridList):
    """A header and one line a job. Its lines are drawn by `line`, for the screen hands in what a job is."""

    header_lines = 1

    def draw_header(self, width: int) -> list[Text]:
        return [header(COLUMNS, width, self.palette)]

    def cell(self, key: str, inner: int, index: int) -> Strip:
        return self.item_line(index, self.line_width)

    def line(self, job: Job, mark: Mark, now: float, width: int) -> Text:
        """One job's line."""
        palette, facts = self.palette, job.facts
        glyph, role = GLYPHS[job.state]
        said = one_line(job.failure.message if job.failure else facts.positive) or "–"
        values: dict[str, tuple[str, str]] = {
            "workflow": (one_line(facts.name) or "–", "text"),
            "model": (model_name(facts.model) or "–", "dim"),
            "seed": ("–" if facts.seed is None else str(facts.seed), "text"),
            "time": (clock(job.seconds), "text"),
            "ended": (ago(job.ended, now), "dim"),
        }
        line = Text(" ")
        for column, cells in fitted(COLUMNS, width):
            if column.name == "state":
                cell = Text.assemble((f"{glyph} ", palette.style(role)), (str(job.state), palette.text))
                if mark.star:
                    cell = Text.assemble((f"{glyph}{STAR} ", palette.style(role)), cut(str(job.state), cells - 3))
            elif column.name == "prompt":
                cell = Text(cut(f"“{one_line(mark.note)}” ", cells), palette.accent) if mark.note else Text()
                cell.append(cut(said, cells - cell.cell_len), palette.text)
            else:
                value, role_of = values[column.name]
                cut_it: Callable[[str, int], str] = cut_middle if column.middle or column.right else cut
                cell = Text(cut_it(value, cells), palette.style(role_of))
            pad = " " * max(0, cells - cell.cell_len)
            line.append_text(Text(pad) + cell if column.right else cell + Text(pad))
            line.append("  ")
        line.rstrip()
        return line

"""Servers as a table: state, latency, queue, what runs, memory; one line each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from comfytui.state.model import Phase, Stats
from comfytui.tui.server_list import Row, queue, standing
from comfytui.tui.widgets.job_table import Column, fitted, header
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.status_line import running, vram
from comfytui.tui.wording import cut, cut_middle, milliseconds, of_total, settled_latency, spark

COLUMNS = (
    Column("server", 20, 0, middle=True, wide=30),
    Column("state", 14, 0),
    Column("latency", 8, 3, right=True),
    Column("queue", 7, 0, right=True),
    Column("running", 0, 1),
    Column("load", 24, 2),
    Column("version", 8, 5, right=True),
)
SAMPLES = 6  # of memory, behind the load


class ServerTable(LineList):
    """A header and one line a server; ▸ is before the one that the other screens show."""

    header_lines = 1

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._latencies: dict[str, float] = {}  # as shown

    def update(self, rows: Sequence[Row], now: float) -> None:
        """Show servers in this order."""
        by_name = {row.name: row for row in rows}
        self.show(list(by_name), lambda key, width: self._line(by_name[key], now, width))

    def draw_header(self, width: int) -> list[Text]:
        return [Text("  ") + header(COLUMNS, width - 2, self.palette)]

    def _line(self, row: Row, now: float, width: int) -> Text:
        palette = self.palette
        glyph, word, role = standing(row)
        line = Text("▸ " if row.shown else "  ", palette.accent)
        line.append(" ")
        for column, cells in fitted(COLUMNS, width - 2):
            match column.name:
                case "server":
                    cell = Text(cut_middle(row.name.partition("://")[2] or row.name, cells), palette.text)
                case "state":
                    cell = Text.assemble((f"{glyph} ", palette.style(role)), (word, palette.style(role)))
                case "latency":
                    cell = Text(self._latency(row), palette.dim)
                case "queue":
                    told = queue(row.state)
                    cell = Text(told, palette.dim if told in ("idle", "–") else palette.text)
                case "running":
                    cell = self._runs(row, now, cells)
                case "load":
                    cell = self._load(row)
                case _:
                    stats = row.state.stats if row.state is not None else None
                    cell = Text(cut(stats.version, cells) if stats is not None else "", palette.dim)
            cell.truncate(cells, overflow="ellipsis")
            cell.pad_left(cells - cell.cell_len) if column.right else cell.pad_right(cells - cell.cell_len)
            line.append_text(cell)
            line.append("  ")
        line.rstrip()
        return line

    def _latency(self, row: Row) -> str:
        new = row.state.link.latency if row.state is not None and row.state.link.phase is Phase.LIVE else None
        if new is None:
            self._latencies.pop(row.name, None)
            return "–"
        self._latencies[row.name] = settled_latency(self._latencies.get(row.name), new)
        return milliseconds(self._latencies[row.name])

    def _runs(self, row: Row, now: float, cells: int) -> Text:
        """What runs; of a server that is not there, why."""
        state, palette = row.state, self.palette
        if state is None:
            return Text(cut(row.failure, cells), palette.failed)
        if state.link.phase is not Phase.LIVE:
            return Text(cut(state.link.error or row.tunnel, cells), palette.dim)
        if state.paused:
            return Text("queue paused", palette.warning)
        return running(palette, state, now, brief=True) or Text("–", palette.dim)

    def _load(self, row: Row) -> Text:
        stats = row.state.stats if row.state is not None else None
        if stats is None or row.state is None or row.state.link.phase is not Phase.LIVE:
            return Text("")
        past = [memory(each) for each in row.state.stats_history[-SAMPLES:]]
        used, total, kind = memory(stats)
        if not total:
            return Text("")
        text = Text.assemble((f"{kind} ", self.palette.dim), (of_total(used, total), self.palette.text))
        if row.state.running and len(past) > 1:  # of an idle server it would only tell that time passes
            text.append(" " + spark([float(each[0]) for each in past], float(total)), self.palette.graph)
        return text


def memory(stats: Stats) -> tuple[int, int, str]:
    """(bytes used, bytes there, whose) of the GPUs; of the RAM where there is none."""
    used = vram(stats)
    return (*used, "VRAM") if used is not None else (stats.ram_total - stats.ram_free, stats.ram_total, "RAM")

"""Workflow files in columns: name, where it lies, model, size, steps, prompt; what is wrong with one stands in its line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from comfytui.tui.library import Entry
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.node_line import marked
from comfytui.tui.wording import cut, cut_middle, file_size, model_name, number, one_line, size

WHERE = 9  # cells of the folder
UI = "UI form"  # what stands where the size would


class WorkflowList(LineList):
    """Files in columns, with a line of titles on top."""

    header_lines = 1

    def draw_header(self, width: int) -> list[Text]:
        titles = ("workflow", "where", "model", "size", "steps", "prompt")
        return [_row(width, titles, [self.palette.dim] * len(titles))] if self.keys else []


def workflow_line(entry: Entry, width: int, words: Sequence[str], palette: Palette, is_recent: bool) -> Text:
    """One file, `width` cells wide; `words` of the filter stand out in its name."""
    name, facts = entry.name.removesuffix(".json"), entry.facts
    where = "recent" if is_recent and not entry.on_server else entry.group.replace("\\", "/").rpartition("/")[2]
    if entry.unread:
        # Of the server's files only what is looked at is fetched; until then its size tells a little.
        said = file_size(entry.stamp[1]) if entry.on_server else "…"
        return _row(width, (name, where, "", "", "", said), [palette.text] + [palette.dim] * 5)
    if entry.error and entry.form != "ui":
        line = _row(width, (entry.name, where, "", "", "", ""), [palette.dim] * 6)
        line.truncate(_name_width(width) + 1)
        line.append(f" ✗ {one_line(entry.error)}", palette.failed)
        line.truncate(width, overflow="ellipsis")
        return line
    ui = entry.form == "ui"
    measures = (UI if ui else size(facts.width, facts.height)), number(facts.steps)
    cells = (name, where, model_name(facts.model) or "–", *measures, one_line(facts.positive))
    styles = [palette.dim if ui else palette.text, palette.dim, palette.dim, palette.text, palette.text, palette.dim]
    line = _row(width, cells, styles)
    for span in marked(line.plain[: _name_width(width) + 1], words, palette.text, palette).spans:
        line.spans.append(span)
    return line


def _name_width(width: int) -> int:
    return max(14, min(32, width // 4))


def _row(width: int, cells: tuple[str, ...], styles: Sequence[Style]) -> Text:
    """The last columns go first where it is narrow."""
    name, where, model, pixels, steps, prompt = cells
    first = _name_width(width)
    line = Text(" " + cut_middle(name, first).ljust(first), styles[0])
    if width >= 60:
        line.append("  " + cut_middle(where, WHERE).ljust(WHERE), styles[1])
    if width >= 72:
        line.append("  " + cut_middle(model, 16).ljust(16), styles[2])
    if width >= 44:
        line.append("  " + pixels.rjust(9), styles[3])
        line.append("  " + steps.rjust(5), styles[4])
    if (left := width - line.cell_len - 3) > 8:
        line.append("  " + cut(prompt, left), styles[5])
    return line

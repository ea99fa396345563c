"""Two jobs side by side: their pictures, and the parameters in which they differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen

from comfytui.tui import actions, job_details, parameters
from comfytui.tui.screens.job_view import pictures_of
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import cut, cut_middle, plural

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import Job
    from comfytui.tui.app import Dashboard
    from comfytui.tui.parameters import Difference

WIDE = 100  # columns from which a parameter and its two values stand on one line
NAME = 22  # cells of a parameter's name
SAME = "They were asked the same, with the same values."


class CompareScreen(ModalScreen[None]):
    """Takes the whole screen. Pictures above, differences below; `v` gives all the room to one of them."""

    BINDINGS: ClassVar = [*actions.bindings("compare")]
    CSS = """
    CompareScreen { background: $role-background; }
    CompareScreen #compare-pictures { height: 1fr; }
    CompareScreen #compare-rows { height: 40%; min-height: 5; border-subtitle-color: $role-dim; }
    CompareScreen.-pictures #compare-rows { display: none; }
    CompareScreen.-rows #compare-pictures { display: none; }
    CompareScreen.-rows #compare-rows { height: 1fr; }
    """

    def __init__(self, left: Job, right: Job, connection: Connection) -> None:
        """Both jobs with their graphs."""
        super().__init__()
        self._jobs = (left, right)
        self._connection = connection
        self._which = 0  # of each job's pictures

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def compose(self) -> ComposeResult:
        with Horizontal(id="compare-pictures"):
            yield Picture("", id="compare-left", classes="pane")
            yield Picture("", id="compare-right", classes="pane")
        yield TextLines(id="compare-rows", classes="pane")

    def on_mount(self) -> None:
        self.query_one(TextLines).focus()
        self.query_one(TextLines).border_subtitle = Content("v view · x change sides · [ ] pictures · y copy · esc")
        self._show()

    def on_resize(self) -> None:
        self._show()

    def on_unmount(self) -> None:
        self._dashboard.pictures.only(self._pictures, ())

    # What is shown

    def _show(self) -> None:
        self._pictures()
        found = parameters.differing(*self._jobs)
        pane = self.query_one(TextLines)
        pane.border_title = Text(plural(len(found), "difference") if found else "no difference")
        wide = self.size.width >= WIDE
        lines: list[Text] = []
        for row in found:
            lines += self._on_one_line(row) if wide else self._stacked(row)
        pane.show(lines or [Text(SAME, self._dashboard.palette.dim)])

    def _pictures(self) -> None:
        """Show the pictures, or ask for them; comes again when one is here."""
        if not self.is_mounted:
            return
        for side, job in zip(("#compare-left", "#compare-right"), self._jobs, strict=True):
            pane, pictures = self.query_one(side, Picture), pictures_of(job)
            if not pictures:
                pane.clear("this job made no picture")
                entitle(pane, job_details.title(job))
                continue
            which = self._which % len(pictures)
            entitle(pane, pictures[which].filename, f"{which + 1} of {len(pictures)}" if len(pictures) > 1 else "")
            found = self._dashboard.pictures.want(self._connection, pictures[which], self._pictures)
            if isinstance(found, bytes):
                pane.show(found, pictures[which])
            else:
                pane.clear("loading …" if found is None else found)

    def _on_one_line(self, row: Difference) -> list[Text]:
        """Name, left, right; what is long goes on below, in its own column."""
        palette = self._dashboard.palette
        half = (self.size.width - NAME - 8) // 2
        console = self.app.console
        left, right = (text.wrap(console, half) for text in self._values(row))
        lines = []
        for place in range(max(len(left), len(right))):
            name = cut_middle(row.name, NAME) if place == 0 else ""
            line = Text(f"{name:<{NAME}}  ", palette.dim)
            first = left[place] if place < len(left) else Text()
            first.rstrip()
            line.append_text(first)
            line.append(" " * (half - first.cell_len + 2))
            if place < len(right):
                line.append_text(right[place])
            line.rstrip()
            lines.append(line)
        return lines

    def _stacked(self, row: Difference) -> list[Text]:
        """The name, and below it the two values."""
        palette = self._dashboard.palette
        left, right = self._values(row)
        short = len(row.name) + left.cell_len + right.cell_len + 8 < self.size.width
        if short:
            return [Text.assemble((f"{row.name}  ", palette.dim), left, ("  →  ", palette.dim), right)]
        return [
            Text(cut(row.name, self.size.width - 4), palette.dim),
            Text.assemble(("  ◂ ", palette.accent), left),
            Text.assemble(("  ▸ ", palette.accent), right),
        ]

    def _values(self, row: Difference) -> tuple[Text, Text]:
        """Both values; in long texts only the words that the other has not stand out."""
        palette = self._dashboard.palette
        ours, theirs = row.left.split(), row.right.split()
        return (
            _marked(ours, set(theirs), palette.accent, palette.text),
            _marked(theirs, set(ours), palette.accent, palette.text),
        )

    # Keys

    def action_view(self) -> None:
        """Both, the pictures alone, the differences alone."""
        if self.has_class("-pictures"):
            self.remove_class("-pictures")
            self.add_class("-rows")
        elif self.has_class("-rows"):
            self.remove_class("-rows")
        else:
            self.add_class("-pictures")

    def action_picture(self, by: int) -> None:
        self._which += by
        self._dashboard.pictures.only(self._pictures, ())
        self._pictures()

    def action_swap(self) -> None:
        self._jobs = (self._jobs[1], self._jobs[0])
        self._show()

    def action_copy(self) -> None:
        rows = [f"{row.name}: {row.left or '–'} → {row.right or '–'}" for row in parameters.differing(*self._jobs)]
        self._dashboard.copy("\n".join(rows) or SAME, "the differences")

    def action_leave(self) -> None:
        self.dismiss(None)


def _marked(words: list[str], common: set[str], other: object, same: object) -> Text:
    style: Callable[[str], object] = lambda word: same if word in common and len(words) > 3 else other  # noqa: E731
    text = Text()
    for place, word in enumerate(words):
        text.append((" " if place else "") + word, style(word))  # type: ignore[arg-type]
    return text if words else Text("–", same)  # type: ignore[arg-type]

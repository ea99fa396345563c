"""The inputs of a workflow that have no line on the form, as a list: their values, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from comfytui.client import sanitize
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.form import shown
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut, cut_middle, one_line
from comfytui.workflow.graph import Graph, Place, inputs
from comfytui.workflow.inputs import Field


class MoreInputs(Vertical):
    """Enter on a line asks to change that input."""

    class Wanted(Message):
        """An input is to be changed."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(self, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self._fields: Sequence[Field] = ()
        self._list = LineList(empty="Every input of this workflow is on the form.")

    def compose(self) -> ComposeResult:
        yield self._list

    def show(
        self,
        fields: Sequence[Field],
        graph: Graph,
        changed: Collection[Place],
        notes: Mapping[Place, str],
        palette: Palette,
    ) -> None:
        """Show these fields with the values of `graph`; `notes` say what is wrong with which."""
        self._fields = fields
        entitle(self, "more inputs", f"{len(fields)} · enter changes one · F3 back to the form")

        def draw(key: str, width: int) -> Text:
            field = fields[int(key)]
            room = max(12, width * 2 // 5)
            name = cut_middle(sanitize.line(f"{field.title} · {field.input}"), room)
            line = Text(f" {name.ljust(room)} ", palette.accent if field.place in changed else palette.dim)
            value = one_line(shown(inputs(graph, field.node_id).get(field.input)))
            line.append(cut(value, max(4, width - line.cell_len - 1)) or "(empty)", palette.text)
            if note := notes.get(field.place):
                line.append(f"  ✗ {note}", palette.failed)
            line.truncate(width, overflow="ellipsis")
            return line

        self._list.show([str(place) for place in range(len(fields))], draw)

    @property
    def place(self) -> Place | None:
        """The input under the cursor; None if the list is not what has the keys."""
        key = self._list.key
        return self._fields[int(key)].place if self._list.has_focus and key is not None else None

    def focus_list(self) -> None:
        self._list.focus()

    def move_to(self, place: Place) -> None:
        """Put the cursor on an input, if it is listed."""
        found = next((index for index, field in enumerate(self._fields) if field.place == place), None)
        if found is not None:
            self._list.move_to(str(found))

    @on(LineList.Opened)
    def _opened(self, message: LineList.Opened) -> None:
        message.stop()
        self.post_message(self.Wanted(self._fields[int(message.key)]))

"""A choice among many: a list that narrows while one types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from comfytui.tui import actions
from comfytui.tui.fuzzy import ranked
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.node_line import marked
from comfytui.tui.wording import cut_middle, one_line
from comfytui.workflow.inputs import near


class Pick(ModalScreen[int | None]):
    """Answers with the place of the chosen one, None when it was left."""

    BINDINGS: ClassVar = [*actions.bindings("typing"), *actions.bindings("pick")]
    CSS = """
    Pick .dialog { width: 70; max-width: 95%; height: 80%; max-height: 26; }
    Pick LineList { scrollbar-size: 1 1; }
    """

    def __init__(self, title: str, choices: Sequence[str], current: str = "", does: str = "") -> None:
        """All text must be clean. `current` is selected at first; if it is no choice, what is near it.

        `does` says what enter does, where that is not plain.
        """
        super().__init__()
        self._title, self._choices, self._current = title, choices, current
        self._does = f"enter {does}" if does else "enter"
        self._words: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(one_line(self._title))
            dialog.border_subtitle = Content(f"type to narrow · {self._does} · esc")
            yield Input(placeholder=f"one of {len(self._choices):,}")
            yield LineList(empty="nothing matches")

    def on_mount(self) -> None:
        query = self.query_one(Input)
        query.cursor_blink = False
        query.focus()
        self._narrow("")
        if self._current in self._choices:
            self._list.move_to(str(self._choices.index(self._current)))
        elif close := near(self._current, self._choices, count=1):
            self._list.move_to(str(list(self._choices).index(close[0])))

    @property
    def _list(self) -> LineList:
        return self.query_one(LineList)

    def _narrow(self, text: str) -> None:
        self._words = tuple(text.lower().split())
        found = [str(place) for place in ranked(text, self._choices)]
        self._list.say_empty(self._nothing(text))
        self._list.forget()  # other letters are marked
        self._list.show(found, self._draw)

    def _nothing(self, text: str) -> str:
        if not self._choices:
            return "There is nothing to choose from."
        close = near(text, self._choices)
        return f"No choice matches {text!r}." + (f"\n\n near: {', '.join(close)}" if close else "")

    def _draw(self, key: str, width: int) -> Text:
        name = self._choices[int(key)]
        mark = "● " if name == self._current else "  "
        palette = self._list.palette
        name = cut_middle(one_line(name) or "(empty)", width - 2)
        return Text.assemble(mark, marked(name, self._words, palette.text, palette))

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        self._narrow(message.value)
        if message.value:
            self._list.action_top()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._list.action_open()

    @on(LineList.Opened)
    def _opened(self, message: LineList.Opened) -> None:
        self.dismiss(int(message.key))

    def action_move(self, by: int) -> None:
        self._list.cursor += by

    def action_leave(self) -> None:
        self.dismiss(None)

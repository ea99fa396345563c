"""Text that is too long for its place, with a scroll bar: an error in full, a traceback, a log; `/` looks for words."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from comfytui.tui import actions
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import plural

HINT = "/ search · esc"


class TextDialog(ModalScreen[None]):
    """Shows text as it is, never as markup."""

    BINDINGS: ClassVar = [*actions.bindings("dialog"), *actions.bindings("text")]
    DEFAULT_CSS = """
    TextDialog TextLines { height: auto; max-height: 100%; scrollbar-size: 1 1; }
    TextDialog Input { dock: bottom; display: none; }
    TextDialog.-search Input { display: block; }
    """

    def __init__(self, title: str, text: str, end: bool = False) -> None:
        super().__init__()
        self._title, self._text, self._end = title, text, end

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            entitle(dialog, self._title, HINT)
            yield TextLines(tail=self._end)
            query = Input(placeholder="words")
            query.cursor_blink = False
            yield query

    def on_mount(self) -> None:
        self._lines.focus()
        self.call_after_refresh(self._show)

    def on_resize(self, _: events.Resize) -> None:
        # As high as its text, up to what the dialog has room for: a scroll bar within a scroll bar is none.
        self._lines.styles.max_height = max(3, int(self.app.size.height * 0.9) - 3)

    def _show(self) -> None:
        self._lines.show([Text(line) for line in self._text.split("\n")])
        if self._end:
            self._lines.action_edge(1)

    @property
    def _lines(self) -> TextLines:
        return self.query_one(TextLines)

    def _hint(self, text: str) -> None:
        entitle(self.query_one(".dialog"), self._title, text)

    # Searching

    def action_search(self) -> None:
        self.add_class("-search")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        count = self._lines.find(message.value)
        said = "nothing found" if not count else plural(count, "line") + " · n N"
        self._hint(f"{said} · esc" if message.value.strip() else HINT)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._lines.focus()

    def action_step(self, by: int) -> None:
        if (which := self._lines.next_found(by)) is not None:
            self._hint(f"{which} · n N · esc")

    def action_line(self, by: int) -> None:
        self._lines.action_line(by)

    def action_page(self, by: int) -> None:
        self._lines.action_page(by)

    def action_edge(self, which: int) -> None:
        self._lines.action_edge(which)

    def action_leave(self) -> None:
        """Leave the search first, then the text."""
        if self.has_class("-search"):
            self.remove_class("-search")
            self.query_one(Input).value = ""
            self._lines.focus()
        else:
            self.dismiss(None)

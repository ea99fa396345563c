"""Text that is too long for its place, with a scroll bar: an error in full, a traceback, a log."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.tui.widgets.pane_title import entitle


class TextDialog(ModalScreen[None]):
    """Shows text as it is, never as markup."""

    BINDINGS = [
        Binding("escape,q,enter", "leave", "close"),
        Binding("j", "scroll(1)", "down", show=False),
        Binding("k", "scroll(-1)", "up", show=False),
    ]

    DEFAULT_CSS = "TextDialog .dialog { scrollbar-size: 1 1; }"

    def __init__(self, title: str, text: str, end: bool = False) -> None:
        super().__init__()
        self._title, self._text, self._end = title, text, end

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            entitle(dialog, self._title, "esc")
            yield Static(self._text, markup=False)

    def on_mount(self) -> None:
        if self._end:
            self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)

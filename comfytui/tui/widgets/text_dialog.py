"""Text that is too long for its place, with a scroll bar: an error in full, a traceback, a log."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class TextDialog(ModalScreen[None]):
    """Shows text as it is, never as markup."""

    BINDINGS = [
        Binding("escape,q,enter", "leave", "close"),
        Binding("j", "scroll(1)", "down", show=False),
        Binding("k", "scroll(-1)", "up", show=False),
    ]

    DEFAULT_CSS = "TextDialog .dialog { scrollbar-size: 1 1; }"

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = _plain(self._title)
            dialog.border_subtitle = "esc"
            yield Static(self._text, markup=False)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)


def _plain(title: str) -> str:
    """A border title is read as markup by Textual; brackets in it must stay brackets."""
    return title.replace("[", r"\[")

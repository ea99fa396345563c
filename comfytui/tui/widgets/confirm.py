"""A question before something that cannot be undone: names what would happen and where, and takes y or n."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.tui import actions

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard


class Answer(Static):
    """One answer. The chosen one has a mark, which is seen without colours, and is what enter gives."""

    class Clicked(Message):
        """It was clicked."""

        def __init__(self, yes: bool) -> None:
            super().__init__()
            self.yes = yes

    def __init__(self, yes: bool, words: str) -> None:
        super().__init__(markup=False)
        self.yes, self._words = yes, words

    def show(self, chosen: bool, key: str) -> None:
        palette = cast("Dashboard", self.app).palette
        mark = "❯ " if chosen else "  "
        words = palette.selected if chosen else palette.text
        self.update(Text.assemble((mark, palette.accent), (key, palette.key), "  ", (self._words, words)))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self.yes))


class Confirm(ModalScreen[bool | None]):
    """Answers True for yes, False for no, None when it was left. Enter gives the marked answer, at first no."""

    BINDINGS: ClassVar = [*actions.bindings("confirm")]
    DEFAULT_CSS = "Confirm #answers { height: 2; margin-top: 1; }"

    def __init__(self, question: str, yes: str, no: str = "no", detail: str = "", safe: bool = False) -> None:
        """`safe`: the answer that is marked at first; True where yes changes nothing that cannot be taken back."""
        super().__init__()
        self._question, self._detail = question, detail
        self._words = {True: yes, False: no}
        self._chosen = safe

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_subtitle = "enter · esc"
            yield Static(self._question, markup=False)
            if self._detail:
                yield Static(self._detail, markup=False, classes="dim")
            with Vertical(id="answers", classes="answers"):
                for yes, words in self._words.items():
                    yield Answer(yes, words)

    def on_mount(self) -> None:
        self._mark()

    def _mark(self) -> None:
        keys = cast("Dashboard", self.app).keys_by_action
        for answer in self.query(Answer):
            key = actions.key_of("confirm.yes" if answer.yes else "confirm.no", keys)
            answer.show(answer.yes is self._chosen, key)

    def on_answer_clicked(self, message: Answer.Clicked) -> None:
        self.dismiss(message.yes)

    def action_other(self) -> None:
        self._chosen = not self._chosen
        self._mark()

    def action_chosen(self) -> None:
        self.dismiss(self._chosen)

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_leave(self) -> None:
        self.dismiss(None)

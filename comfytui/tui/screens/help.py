"""The help: the keys of what has the focus, then those of lists and of the program; and what the words here mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.tui import actions, teaching
from comfytui.tui.actions import APP, LIST, SCREENS, Action
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.wording import GLYPHS

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from comfytui.tui.app import Dashboard

KEYS = 21  # cells


class HelpScreen(ModalScreen[None]):
    """Made from the registry of actions, with the user's own keys in place of ours."""

    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,f1", "leave", "close"),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("pagedown,ctrl+d,space", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
    ]
    CSS = """
    HelpScreen .dialog { width: 92; max-width: 96%; height: auto; max-height: 94%; scrollbar-size: 1 1; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = Content("help")
            dialog.border_subtitle = Content("j k scroll · esc")
            yield Static(self._content(), markup=False)

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def _content(self) -> Group:
        palette = self._dashboard.palette
        view = self._dashboard.view
        parts: list[RenderableType] = []

        def section(title: str, listed: Iterable[Action], off: Collection[str] = ()) -> None:
            rows = []
            for action in listed:
                unusable = action.id in off
                keys = " ".join(actions.shown_keys(action, self._dashboard.keymap))
                rows.append(
                    (
                        Text(f" {keys}", palette.dim if unusable else palette.key),
                        Text(action.description, palette.dim if unusable else palette.text),
                    )
                )
            parts.extend((Text(title, palette.style("accent", bold=True)), pairs(rows, KEYS), Text()))

        if view is not None:
            title = next((s.title for s in SCREENS if s.id == view.screen_id), view.screen_id)
            now = view.situation()
            mine = actions.of(view.screen_id)
            off = {action.id for action in mine if not action.allowed(now)}
            section(title, sorted(mine, key=lambda action: action.id in off), off)
            if off:
                parts.insert(-1, Text(" The dim ones are not possible just now.", palette.dim))
        if isinstance(self._focused_below(), LineList):
            section("in any list", actions.of(LIST))
        section("everywhere", actions.of(APP))
        signs = Text()
        for state, (glyph, role) in GLYPHS.items():
            signs.append(f" {glyph} ", palette.style(role))
            signs.append(f"{state} ", palette.dim)
        parts += [Text("signs", palette.style("accent", bold=True)), signs, Text()]
        parts += [Text("connecting", palette.style("accent", bold=True)), Text(teaching.CONNECT, palette.text)]
        return Group(*parts)

    def _focused_below(self) -> object:
        """What has the focus on the screen that the help lies on."""
        stack = self.app.screen_stack
        return stack[-2].focused if len(stack) > 1 else None

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)

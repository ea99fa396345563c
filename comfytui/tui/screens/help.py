"""The help: the keys of what has the focus, then those of lists and of the program; and what the words here mean."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from comfytui.tui import actions, teaching
from comfytui.tui.actions import APP, LIST, SCREENS, Action
from comfytui.tui.actions.dialogs import GALLERY, TEXT, TITLES
from comfytui.tui.widgets.gallery import Gallery
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import GLYPHS

if TYPE_CHECKING:
    from typing import Protocol

    from textual.app import ComposeResult
    from textual.screen import Screen

    from comfytui.tui.app import Dashboard

    class Section(Protocol):
        """Adds the actions that are meant under a title; those in `off` dim."""

        def __call__(self, title: str, listed: Iterable[Action], off: Collection[str] = ()) -> None: ...


KEYS, FEW_KEYS = 21, 12  # cells; where the screen is narrow, so that sentences stay on a line
NARROW = 100
HINT = "j k scroll · / filter · esc"


class HelpScreen(ModalScreen[None]):
    """Made from the registry of actions, with the user's own keys in place of ours."""

    BINDINGS: ClassVar = [*actions.bindings("help"), *actions.bindings(TEXT)]
    CSS = """
    HelpScreen .dialog { width: 92; max-width: 96%; height: auto; max-height: 90%; }
    HelpScreen VerticalScroll { height: auto; scrollbar-size: 1 1; }
    HelpScreen Input { dock: bottom; display: none; }
    HelpScreen.-search Input { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._wide: bool | None = None  # as it was drawn last

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("help")
            dialog.border_subtitle = Content(HINT)
            with VerticalScroll():
                yield Static(markup=False)
            query = Input(placeholder="words of a key's name or sentence")
            query.cursor_blink = False
            yield query

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        self.query_one(VerticalScroll).styles.max_height = max(3, int(self.app.size.height * 0.9) - 3)
        if (wide := self.app.size.width >= NARROW) is not self._wide:
            self._wide = wide
            self.query_one(Static).update(self._content(self.query_one(Input).value))

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def _content(self, words: str) -> Group:
        palette = self._dashboard.palette
        parts: list[RenderableType] = []
        wanted = words.casefold().split()

        def meant(action: Action) -> bool:
            keys = " ".join(actions.shown_keys(action, self._dashboard.keymap))
            text = f"{action.id} {action.name} {action.description} {keys}".casefold()
            return all(word in text for word in wanted)

        def section(title: str, listed: Iterable[Action], off: Collection[str] = ()) -> None:
            rows, cells = [], KEYS if self.app.size.width >= NARROW else FEW_KEYS
            for action in filter(meant, listed):
                unusable = action.id in off
                keys = " ".join(actions.shown_keys(action, self._dashboard.keymap))
                rows.append(
                    (
                        Text(
                            "\n".join(f" {line}" for line in textwrap.wrap(keys, cells - 1)),
                            palette.dim if unusable else palette.key,
                        ),
                        Text(action.description, palette.dim if unusable else palette.text),
                    )
                )
            if rows:
                parts.extend(
                    (
                        Text(title, palette.style("accent", bold=True)),
                        pairs(rows, cells),
                        Text(),
                    )
                )

        self._sections(section, parts)
        if wanted:
            return Group(*parts) if parts else Group(Text("No key does that.", palette.dim))
        signs = Text()
        for state, (glyph, role) in GLYPHS.items():
            signs.append(f" {glyph} ", palette.style(role))
            signs.append(f"{state} ", palette.dim)
        parts += [Text("signs", palette.style("accent", bold=True)), signs, Text()]
        ways = "\n".join(teaching.lines(teaching.connecting(self._dashboard.keymap)))
        parts += [Text("connecting", palette.style("accent", bold=True)), Text(ways, palette.text)]
        return Group(*parts)

    def _sections(self, section: Section, parts: list[RenderableType]) -> None:
        """What has the focus first: a dialog, or the screen; then its list or text; then what works everywhere."""
        below = self._below()
        focused = None if below is None else below.focused
        view = self._dashboard.view
        if isinstance(below, ModalScreen):
            listed = [a for a in actions.ACTIONS if a.id in _ids(below)]
            section("in this dialog", listed)
        elif view is not None:
            title = next((s.title for s in SCREENS if s.id == view.screen_id), view.screen_id)
            now = view.situation()
            mine = actions.of(view.screen_id)
            off = {action.id for action in mine if not action.allowed(now)}
            section(title, sorted(mine, key=lambda action: action.id in off), off)
            if off and parts:
                parts.insert(-1, Text(" The dim ones are not possible just now.", self._dashboard.palette.dim))
        if isinstance(focused, Gallery):
            section(TITLES[GALLERY].lower(), actions.of(GALLERY))
        if isinstance(focused, LineList):
            section("in any list", actions.of(LIST))
        elif isinstance(focused, TextLines):
            section(TITLES[TEXT].lower(), actions.of(TEXT)[:6])
        section("everywhere", actions.of(APP))

    def _below(self) -> Screen[object] | None:
        """The screen that the help lies on."""
        stack = self.app.screen_stack
        return stack[-2] if len(stack) > 1 and stack[-1] is self else stack[-1]

    # Keys

    def action_line(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        area = self.query_one(VerticalScroll)
        area.scroll_relative(y=by * max(1, area.size.height - 1), animate=False)

    def action_edge(self, which: int) -> None:
        area = self.query_one(VerticalScroll)
        if which < 0:
            area.scroll_home(animate=False)
        else:
            area.scroll_end(animate=False)

    def action_search(self) -> None:
        self.add_class("-search")
        self.query_one(Input).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "step" and super().check_action(action, parameters)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        self.query_one(Static).update(self._content(message.value))
        self.action_edge(-1)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        """Leave the filter first, then the help."""
        if self.has_class("-search"):
            self.remove_class("-search")
            self.query_one(Input).value = ""
            self.query_one(VerticalScroll).focus()
        else:
            self.dismiss(None)


def _ids(screen: Screen[object]) -> set[str]:
    """The actions whose keys a dialog, or what has the focus on it, takes."""
    nodes = [screen, *([] if screen.focused is None else screen.focused.ancestors_with_self)]
    bindings = (binding for node in nodes for _, binding in node._bindings)
    return {binding.id for binding in bindings if binding.id and not binding.id.startswith("app.")}

"""The base of every screen: a pane that is handed each new state while it is shown, and knows its actions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard, cast

from textual import events
from textual.containers import Container
from textual.dom import DOMNode
from textual.widget import Widget

from comfytui.tui import actions
from comfytui.tui.actions import Action, Situation
from comfytui.tui.actions.situation import why_not

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState
    from comfytui.tui.app import Dashboard
    from comfytui.tui.session import Session


class ScreenView(Container):
    """A screen. Subclasses set `screen_id` and `BINDINGS = actions.bindings(screen_id)`, compose widgets, and override
    `on_state`; it is called with what was drawn before, so that only the difference need be drawn.
    """

    screen_id: ClassVar[str] = ""
    shows_stats: ClassVar[bool] = False  # memory and load: the server is asked for them often while it is visible
    shows_servers: ClassVar[bool] = False  # the same of all servers, not only of the one that is shown
    DEFAULT_CSS = "ScreenView { layout: horizontal; height: 1fr; width: 1fr; }"

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        # Textual would look for `.-short FooView …` inside of a FooView, where the size of the screen is never told.
        cls.SCOPED_CSS = False

    def __init__(self) -> None:
        super().__init__(id=f"view-{self.screen_id}")
        self._drawn: ServerState | None = None
        self._there = asyncio.Event()
        self._had_keys: Widget | None = None  # the widget of ours that had the focus last

    def on_mount(self) -> None:
        self._there.set()  # Textual calls a subclass's `on_mount` as well

    async def there(self) -> None:
        """Wait until what is on the screen is mounted."""
        await self._there.wait()

    @property
    def dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    @property
    def session(self) -> Session:
        return self.dashboard.session

    @property
    def shown(self) -> bool:
        return self.is_mounted and self.display

    def draw(self, state: ServerState | None) -> None:
        """Bring the screen up to date; nothing happens if it is, or while it is hidden."""
        if state is None or state is self._drawn or not self.shown:
            return
        old, self._drawn = self._drawn, state
        self.on_state(old, state)
        if old is None or old.link.phase is not state.link.phase or old.jobs is not state.jobs:
            self.refresh_actions()

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        """Draw what differs between `old` (None at first) and `new`."""

    def on_session(self) -> None:
        """Draw what is of the session itself (no server, the local engine's phase and log). Called with each frame."""

    def forget(self) -> None:
        """Draw everything anew at the next occasion: the colours changed."""
        self._drawn = None

    @property
    def chosen(self) -> Mapping[str, str]:
        """What the user chose here and the next run is to take up: a pane, an order."""
        return {}

    def take_up(self, chosen: Mapping[str, str]) -> None:
        """Go on with what was chosen in the run before; names that are not known any more are left out."""

    def leave_server(self) -> None:
        """Another server is shown: nothing of the one before may stay, even if the new one never answers."""
        from comfytui.tui.widgets.picture import Picture

        for picture in self.query(Picture):
            picture.clear("")  # files of two servers may have one name, and a picture is known by it
        self.forget()

    def without_server(self, what: str) -> str:
        """Why `what` cannot be shown, and how to get connected; empty while the server is there."""
        from comfytui.tui import teaching

        session = self.session
        return teaching.without_server(session.state, what, self.dashboard.keymap, session.failure or "")

    def on_shown(self) -> None:
        """The screen has just become visible. Take the focus, load what is missing."""
        first = next(filter(_takes_keys, self.query("*")), None)  # a filter's field may be hidden before the list
        if first is not None and not self.has_focus_within:
            first.focus(scroll_visible=False)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._had_keys = event.widget

    def on_resize(self) -> None:
        self.call_after_refresh(self._keep_keys)  # Textual calls a subclass's `on_resize` as well

    def _keep_keys(self) -> None:
        """Another layout may have hidden what had the focus, or have brought it back: keys go on working."""
        if not self.shown or self.app.screen is not self.screen or self.screen.focused is not None:
            return
        had = self._had_keys
        there = had if had is not None and _takes_keys(had) else next(filter(_takes_keys, self.walk_children()), None)
        if there is not None:
            there.focus(scroll_visible=False)

    def go_back(self) -> bool:
        """Leave a filter, a full picture, …; False if there was nothing to leave."""
        return False

    @property
    def job(self) -> Job | None:
        """The selected job, if this screen has such a thing."""
        return None

    def situation(self) -> Situation:
        """What decides which actions are allowed. Extend it where a screen selects other things than jobs."""
        return Situation(self.session.state, self.job, engine_stopped=self.session.engine_stopped)

    def name_of(self, action: Action) -> str:
        """What the footer calls an action now."""
        return action.name

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        known = actions.find(self.screen_id, action)
        return True if known is None else known.allowed(self.situation())

    def on_key(self, event: events.Key) -> None:
        """A key that nothing has taken: if read-only is why, say so, for a key that does nothing looks broken."""
        now, keymap = self.situation(), self.dashboard.keymap
        for action in actions.of(self.screen_id):
            if event.key in keymap.get(action.id, action.keys).split(",") and (why := why_not(action.allowed, now)):
                self.dashboard.refuse(why)
                event.stop()
                return

    def refresh_actions(self) -> None:
        """The selection or the state changed: other actions may be allowed."""
        self.dashboard.refresh_footer()


def _takes_keys(widget: DOMNode) -> TypeGuard[Widget]:
    return isinstance(widget, Widget) and widget.focusable and all(node.display for node in widget.ancestors_with_self)


def view_of(widget: Widget) -> ScreenView | None:
    """The screen that a widget is on."""
    return next((node for node in widget.ancestors_with_self if isinstance(node, ScreenView)), None)

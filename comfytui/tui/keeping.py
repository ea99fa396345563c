"""What the next run starts with: the server, the screen, and each screen's filter and panes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.widgets import Input

from comfytui.settings import memory
from comfytui.settings.schema import Settings
from comfytui.settings.servers import VARIABLE
from comfytui.tui.actions import SCREENS
from comfytui.tui.widgets.line_list import LineList

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard
    from comfytui.tui.screens.view import ScreenView


@dataclass(frozen=True)
class Kept:
    """classes: those of the view that say which panes were chosen. query: the filter's field. shown: the class that
    shows it: a filter that is active is always to be seen."""

    classes: tuple[str, ...] = ()
    query: str = ""
    shown: str = ""


# History keeps more, and by itself.
KEPT: dict[str, Kept] = {
    "live": Kept(("-log",)),
    "queue": Kept(("-details",), "#queue-filter", "-filter"),
    "nodes": Kept((), "#nodes-query", "-searching"),
    "workflows": Kept(("-preview",), "#workflows-query", "-searching"),
    "servers": Kept(("-details",), "#servers-filter", "-filter"),
    "settings": Kept(),
    "logs": Kept((), "#logs-filter", "-filter"),
    "models": Kept((), "#models-query", "-searching"),
}


def last_server(settings: Settings) -> str | None:
    """The server that was shown last, unless the environment or the settings name one; the command line is asked before."""
    if not settings.remember or os.environ.get(VARIABLE) or settings.server != Settings().server:
        return None
    last = memory.recall().last_server
    # A name that the settings no longer have is no address.
    return last if last in settings.servers or ":" in last else None


def first_screen(settings: Settings) -> str:
    """The screen that was shown last."""
    last = memory.recall().screen if settings.remember else ""
    return last if any(spec.id == last for spec in SCREENS) else SCREENS[0].id


def restore(view: ScreenView) -> None:
    """Put a screen that has just been mounted into the state in which it was left."""
    kept = KEPT.get(view.screen_id)
    if kept is None or not view.dashboard.settings.remember:
        return
    was = memory.recall().screens.get(view.screen_id)
    if was is None:
        return
    for name in kept.classes:
        view.set_class(name in was.panes, name)
    view.take_up(was.chosen)
    if kept.query and was.filter:
        view.add_class(kept.shown)
        view.query_one(kept.query, Input).value = was.filter
        view.call_after_refresh(_to_the_list, view)


def _to_the_list(view: ScreenView) -> None:
    """A field that is shown is the first to take the focus; keys are for the list, until somebody wants to type."""
    if view.shown and isinstance(view.screen.focused, Input):
        lists = (each for each in view.query(LineList) if each.focusable)
        if (first := next(lists, None)) is not None:
            first.focus(scroll_visible=False)


def keep(dashboard: Dashboard, views: Iterable[ScreenView]) -> None:
    """Remember the screen that is shown, and how each is. Nothing is written if nothing differs."""
    if not dashboard.settings.remember:
        return
    now = memory.recall()
    screens = dict(now.screens)
    for view in views:
        if (kept := KEPT.get(view.screen_id)) is not None and view.is_mounted:
            typed = view.query_one(kept.query, Input).value.strip() if kept.query and view.has_class(kept.shown) else ""
            panes = tuple(name for name in kept.classes if view.has_class(name))
            screens[view.screen_id] = memory.ScreenMemory(typed[: memory.LONGEST_FILTER], panes, dict(view.chosen))
    if screens != now.screens or dashboard.current != now.screen:
        memory.remember(screens=screens, screen=dashboard.current)


def keep_server(dashboard: Dashboard) -> None:
    """Remember the server that is shown, if the next run could reach it by its name alone."""
    session = dashboard.session
    opened = session.opened.get(session.name)
    if opened is None or not dashboard.settings.remember or session.name == memory.recall().last_server:
        return
    if session.name in dashboard.settings.servers or not set("@?") & set(opened.profile.url):
        memory.remember_server(session.name)

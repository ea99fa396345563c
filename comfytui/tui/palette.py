"""The palette: every action that is allowed now, found by typing a part of its name or sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from comfytui.tui import actions
from comfytui.tui.actions import APP, Action

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard


class ActionProvider(Provider):
    """Actions of the screen that is shown, then those of the program."""

    def _allowed(self) -> Iterator[tuple[Action, str]]:
        """Each action with what is listed: its name, its key, its sentence."""
        dashboard = cast("Dashboard", self.app)
        view = dashboard.view
        known = [] if view is None else [a for a in actions.of(view.screen_id) if a.allowed(view.situation())]
        for action in (*known, *actions.of(APP)):
            if action.id != "app.palette":
                key = actions.shown_keys(action, dashboard.keys_by_action)[0]
                yield action, f"{action.name}  ({key})"

    async def _run(self, action: Action) -> None:
        dashboard = cast("Dashboard", self.app)
        target = dashboard if action.where == APP else dashboard.view
        await dashboard.run_action(action.method, target)

    async def discover(self) -> Hits:
        for action, shown in self._allowed():
            yield DiscoveryHit(Content(shown), lambda action=action: self._run(action), shown, action.description)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action, shown in self._allowed():
            score = max(matcher.match(shown), matcher.match(action.description) * 0.8)
            if score > 0:
                yield Hit(
                    score, matcher.highlight(shown), lambda action=action: self._run(action), shown, action.description
                )

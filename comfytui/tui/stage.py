"""Which screen is shown: each is imported and mounted the first time, and hidden afterwards."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from comfytui.tui.actions import SCREENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfytui.tui.app import Dashboard
    from comfytui.tui.screens.view import ScreenView


class Stage:
    """The screens of the dashboard that have been mounted, and the one that is visible."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self.current = SCREENS[0].id  # the id of what is shown, or is about to be

    def of(self, screen_id: str) -> ScreenView | None:
        """A screen by its id, if it has been shown before."""
        found = self._dashboard.default_screen.query(f"#view-{screen_id}")
        return cast("ScreenView", found.first()) if found else None

    @property
    def view(self) -> ScreenView | None:
        """The screen that is shown; None before the first is mounted."""
        return self.of(self.current)

    @property
    def views(self) -> Iterator[ScreenView]:
        """All that are mounted."""
        return (view for spec in SCREENS if (view := self.of(spec.id)) is not None)

    async def show(self, screen_id: str) -> bool:
        """Make a screen the visible one. False if it is already, there is none, or another was asked for meanwhile."""
        spec = next((each for each in SCREENS if each.id == screen_id), None)
        wanted, old = self.of(screen_id), self.view
        if spec is None or (wanted is not None and screen_id == self.current):
            return False
        self.current = screen_id
        if old is not None:
            old.display = False
        if wanted is None:
            module, _, name = spec.target.partition(":")
            wanted = cast("ScreenView", getattr(importlib.import_module(module), name)())
            await self._dashboard.default_screen.query_one("#screens").mount(wanted)
            if self.current != screen_id:  # another one was asked for while this one was mounted
                wanted.display = False
                return False
        else:
            wanted.display = True
        return True

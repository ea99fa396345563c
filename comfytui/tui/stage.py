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
        from comfytui.tui import keeping  # here, for the first frame needs nothing of it

        if all(spec.id != screen_id for spec in SCREENS):
            return False
        wanted, old = self.of(screen_id), self.view
        if wanted is not None and screen_id == self.current:
            return False
        self.current = screen_id
        if old is not None:
            keeping.keep(self._dashboard, (old,))
            old.display = False
        if wanted is None:
            wanted = await self._mount(screen_id, display=True)
        else:
            await wanted.there()  # it may be on its way: see `prepare`
            wanted.display = True
        if self.current != screen_id:  # another one was asked for while this one was mounted
            wanted.display = False
            return False
        return True

    async def prepare(self, screen_id: str) -> None:
        """Mount a screen that nobody has asked for yet, hidden."""
        if self.of(screen_id) is None:
            await self._mount(screen_id, display=False)

    async def _mount(self, screen_id: str, display: bool) -> ScreenView:
        module, _, name = next(spec for spec in SCREENS if spec.id == screen_id).target.partition(":")
        view = cast("ScreenView", getattr(importlib.import_module(module), name)())
        view.display = display
        await self._dashboard.default_screen.query_one("#screens").mount(view)
        from comfytui.tui import keeping

        keeping.restore(view)
        return view

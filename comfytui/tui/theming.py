"""The theme in use: chosen by name or path, watched while it is used; a broken one is named, and the old colours stay."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from comfytui.tui import theme

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual.filter import LineFilter

    from comfytui.tui.app import Dashboard
    from comfytui.tui.theme import Palette, ThemeFile

POLL = 1.0  # seconds between two looks at the file: one stat in a thread, nothing is read unless it was saved


class Theming:
    """Owns the palette. What is wrong with a theme is told once for each time its file is saved."""

    def __init__(self, dashboard: Dashboard, name: str) -> None:
        self._dashboard = dashboard
        self._registered = ""  # our name for it with Textual; a new one each time, for it ignores one that it has
        self._serial = 0
        self._filters: list[LineFilter] | None = None
        self._no_colours()
        self.name = name  # what was chosen: a name, or a path
        self._own = name if _is_path(name) else ""  # it is offered with the others
        self._seen = theme.signature(name, _folder())
        self._doubted: object = None  # a signature at which it could not be read, seen once
        self._told: set[object] = set()  # signatures of files whose problem has been told
        self._problem = ""  # what is reported now
        try:
            chosen = theme.load(name, _folder())
        except theme.ThemeError as error:
            self._problem = str(error)
            chosen = theme.load(theme.DEFAULT)
        self._show(chosen)

    # Choosing

    def use(self, name: str) -> None:
        """Switch to a theme by name, or by the path of its file; a broken one is named, and nothing changes."""
        self._dashboard.ask("theme", self.switch(name))

    async def switch(self, name: str) -> bool:
        """As `use`; whether it was shown."""
        seen, chosen = await asyncio.to_thread(_read, name)
        if isinstance(chosen, theme.ThemeError):
            self._report(str(chosen))
            return False
        self.name, self._seen = name, seen
        self._apply(chosen)
        return True

    async def next(self) -> str:
        """Switch to the next theme that can be read, in the order of their names; returns what is used then.

        Those that are broken are passed over, and named the first time.
        """
        known = await asyncio.to_thread(theme.available, _folder())
        names = [*known, *([self._own] if self._own else [])]
        here = names.index(self.name) if self.name in names else -1
        problems = []
        for step in range(1, len(names) + 1):
            name = names[(here + step) % len(names)]
            seen, chosen = await asyncio.to_thread(_read, name)
            if not isinstance(chosen, theme.ThemeError):
                self.name, self._seen = name, seen
                self._apply(chosen)
                break
            if (name, seen) not in self._told:
                self._told.add((name, seen))
                problems.append(str(chosen))
        if problems:
            self._dashboard.report("\n".join(problems))
        return self.name

    # While it is used

    def begin(self) -> None:
        """Say what was wrong with the theme that was wanted, and look after its file from now on."""
        if self._problem:
            self._dashboard.report(self._problem)
        self._dashboard.run_worker(self._watch(), name="watch theme", group="waiting")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            await self.look()

    async def look(self) -> None:
        """Look once whether the file was saved, and show it as it is now.

        An editor writes a file in two steps: it is not believed to be broken, or gone, before the second look.
        """
        name = self.name
        seen = await asyncio.to_thread(theme.signature, name, _folder())
        if seen == self._seen:
            self._doubted = None
            return
        seen, chosen = await asyncio.to_thread(_read, name)
        if name != self.name:  # another one was chosen meanwhile
            return
        if not isinstance(chosen, theme.ThemeError):
            self._seen = seen
            self._apply(chosen)
        elif self._doubted == (seen,):
            self._seen, self._doubted = seen, None
            self._report(f"{chosen}; the colours stay as they were")
        else:
            self._doubted = (seen,)

    # Showing

    def filters(self, usual: Sequence[LineFilter]) -> Sequence[LineFilter]:
        """What changes drawn lines: Textual's, but where there is no colour ours, for Textual's leave greys."""
        return usual if self._filters is None else self._filters

    def _no_colours(self) -> None:
        if not self._dashboard.no_color:
            kind = os.environ.get("TERM", "")
            # What VT100s and monochrome entries of terminfo are called; xterm and its kin have colours.
            self._dashboard.no_color = kind.startswith(("vt1", "vt2", "vt3", "vt52")) or kind.endswith(("-m", "-mono"))
        if self._dashboard.no_color:
            from comfytui.tui.terminal.colourless import Colourless

            self._filters = [Colourless(lambda: self.palette.theme.roles)]

    def _apply(self, chosen: ThemeFile) -> None:
        self._dashboard.overcome(self._problem)
        self._problem = ""
        self._show(chosen)
        if not self._dashboard.is_running:
            return
        for dialog in self._dashboard.screen_stack[1:]:
            for widget in dialog.walk_children():
                if (forget := getattr(widget, "forget", None)) is not None:
                    forget()
        self._dashboard.repaint()

    def _show(self, chosen: ThemeFile) -> None:
        if self._dashboard.console.color_system == "standard":
            chosen = theme.in_sixteen(chosen)
        self._serial += 1
        old, self._registered = self._registered, f"comfytui-{self._serial}"
        self.palette: Palette = theme.Palette(chosen)
        self._dashboard.register_theme(theme.textual_theme(chosen, self._registered))
        self._dashboard.theme = self._registered
        if old:
            self._dashboard.unregister_theme(old)

    def _report(self, problem: str) -> None:
        self._problem = problem
        self._dashboard.report(problem)


def _is_path(name: str) -> bool:
    return name.endswith(".toml") or "/" in name


def _read(name: str) -> tuple[theme.Signature | None, ThemeFile | theme.ThemeError]:
    """A theme with the signature that its file had before, so that a later save is seen."""
    seen = theme.signature(name, _folder())
    try:
        return seen, theme.load(name, _folder())
    except theme.ThemeError as error:
        return seen, error


def _folder() -> Path:
    """Where the user's own themes are."""
    from comfytui.settings.files import config_dir

    return config_dir() / "themes"

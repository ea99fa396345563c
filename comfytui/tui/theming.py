"""The theme of the dashboard: chosen by name, switched while it runs, broken ones named and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfytui.tui import theme

if TYPE_CHECKING:
    from pathlib import Path

    from comfytui.tui.app import Dashboard


class Theming:
    """Owns the palette. `use` may be called at any time; what is on the screen is drawn anew."""

    def __init__(self, dashboard: Dashboard, name: str) -> None:
        self._dashboard = dashboard
        self.problem: str | None = None  # why the theme that was wanted is not used, until it has been told
        self.palette = self._or_default(name)

    def _or_default(self, name: str) -> theme.Palette:
        try:
            return self._load(name)
        except theme.ThemeError as error:
            if name == theme.DEFAULT:
                raise
            self.problem = str(error)
            return self._load(theme.DEFAULT)

    def _load(self, name: str) -> theme.Palette:
        """Raises ThemeError."""
        chosen = theme.load(name, _folder())
        textual = theme.textual_theme(chosen)
        self._dashboard.register_theme(textual)
        self._dashboard.theme = chosen.name
        return theme.Palette(chosen)

    def use(self, name: str) -> None:
        """Switch to a theme by name, or by the path of its file; a broken one is named, and the default used."""
        self.palette = self._or_default(name)
        if self._dashboard.is_running:
            self.tell()
            self._dashboard.repaint()

    def tell(self) -> None:
        """Say what was wrong with the theme that was wanted, once."""
        if self.problem:
            problem, self.problem = self.problem, None
            self._dashboard.report(problem)

    def next(self) -> str:
        """Switch to the next theme, in the order of their names; returns its name."""
        names = list(theme.available(_folder()))
        here = names.index(self.palette.theme.name) if self.palette.theme.name in names else -1
        name = names[(here + 1) % len(names)]
        self.use(name)
        return name


def _folder() -> Path:
    """Where the user's own themes are."""
    from comfytui.settings.files import config_dir

    return config_dir() / "themes"

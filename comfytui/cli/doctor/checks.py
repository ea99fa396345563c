"""What the doctor asks of the dashboard; handed in by who starts the program, so that cli/ needs no tui/."""

from __future__ import annotations

from typing import Protocol

from comfytui.settings.schema import Settings


class Checks(Protocol):
    """The dashboard's own knowledge of keys, themes and pictures."""

    def keys(self, settings: Settings) -> tuple[str, ...]:
        """What is wrong with the user's keys."""

    def themes(self, settings: Settings) -> tuple[int, tuple[str, ...]]:
        """How many themes can be used, and what is wrong with the others or with the chosen one."""

    def pictures(self, settings: Settings) -> tuple[str, bool]:
        """How the terminal shows pictures, asked within a third of a second; and whether that is as good as it gets."""

"""What `comfytui doctor` wants to know of the dashboard: its keys, its themes, and how pictures would be shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfytui.settings.schema import Settings


def keys(settings: Settings) -> tuple[str, ...]:
    """What is wrong with the user's keys."""
    from comfytui.tui.actions import ACTIONS
    from comfytui.tui.actions.user_keys import checked

    return checked(settings.keys, ACTIONS).problems


def themes(settings: Settings) -> tuple[int, tuple[str, ...]]:
    """How many themes can be used, and what is wrong with the user's own and with the chosen one."""
    from comfytui.settings.files import config_dir
    from comfytui.tui import theme

    folder = config_dir() / "themes"
    wrong: dict[str, None] = {}
    good = 0
    for name in dict.fromkeys((*theme.available(folder), settings.theme)):
        try:
            theme.load(name, folder)
            good += 1
        except theme.ThemeError as error:
            wrong[str(error)] = None
    return good, tuple(wrong)


def pictures(settings: Settings) -> tuple[str, bool]:
    """How the terminal shows pictures. It is asked, if there is one, and never waited for longer than it takes to blink."""
    from comfytui.tui.pictures import sixel
    from comfytui.tui.terminal.asking import asked
    from comfytui.tui.terminal.capability import multiplexed

    if settings.images in ("off", "none"):
        return f'none: images = "{settings.images}" in the settings', True
    answers = asked()
    if answers is None:
        return "not asked: there is no terminal on the input and output", True
    if not answers.attributes:
        return "half blocks: the terminal answers no question", False
    said = [name for name, has in (("kitty's graphics", answers.kitty), ("sixel", answers.sixel)) if has]
    if not said:
        inside = " (or tmux answers in its place)" if multiplexed(os.environ) else ""
        return f"half blocks: the terminal has neither kitty's graphics nor sixel{inside}", True
    pixels = f"{' and '.join(said)}, cells of {answers.cell[0]}x{answers.cell[1]} pixels"
    if answers.sixel and not answers.kitty and not sixel.available():
        return f"half blocks; it has {pixels}, for which comfytui[images] is missing", False
    if multiplexed(os.environ) and settings.images == "auto":
        return f'half blocks: a multiplexer is between; it has {pixels}: images = "kitty" or "sixel" insists', True
    return pixels, True

"""One copy for the whole program: to the clipboard as far as one is reached, and to a file, and both are said."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from comfytui.settings.files import state_dir
from comfytui.tui.terminal import clipboard
from comfytui.tui.wording import plural

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard


async def copy(app: Dashboard, text: str, what: str = "") -> None:
    """Copy and say where to. What fails is said too; nothing is raised."""
    try:
        path = await asyncio.to_thread(clipboard.save, text, state_dir())
        saved = f"also saved in {path}"
    except OSError as error:
        saved = f"it could not be saved as a file: {error}"
    sequence = clipboard.osc52(text, os.environ)
    tmux = await asyncio.to_thread(clipboard.through_tmux, text, os.environ)
    if not tmux and sequence:
        app.link.write(sequence)
    size = plural(len(text), "character")
    if tmux or sequence:
        app.say(f"copied {what or size}; {saved}")
    else:
        app.say(f"{what or 'this'} ({size}) is too long for a terminal's clipboard; {saved}")

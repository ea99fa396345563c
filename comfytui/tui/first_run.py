"""Whether anybody has used the program yet: the first time, Live greets."""

from __future__ import annotations

from comfytui.settings import memory
from comfytui.settings.files import settings_path, state_dir


def is_first() -> bool:
    """Nothing was ever set or remembered. Costs two looks at the disk; ask once."""
    return not settings_path().exists() and not (state_dir() / memory.NAME).exists()


def served() -> None:
    """Something has run: the greeting is never needed again. Writes a file; call it in a thread."""
    memory.remember(greeted=True)

"""Labels with values beside them, where long values wrap under themselves and not under the label."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

LABEL = 10  # cells


def pairs(rows: Iterable[tuple[Text, Text]], label: int = LABEL) -> Table:
    """A grid of two columns; the first is `label` cells wide."""
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=label, no_wrap=True, overflow="ellipsis")
    grid.add_column(ratio=1, overflow="fold")
    for left, right in rows:
        grid.add_row(left, right)
    return grid

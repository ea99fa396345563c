"""The last line: the keys of what has the focus, most useful first."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from comfytui.tui.theme import Palette
from comfytui.tui.widgets.fixed_line import FixedLine, Piece


class FooterLine(FixedLine):
    """Keys and names, cut at the edge; the help has all of them."""

    def update(self, palette: Palette, keys: Iterable[tuple[str, str]]) -> None:
        """Show pairs of key and name."""
        self.show(
            [
                Piece(
                    Text.assemble((key, palette.key), " ", (name, palette.dim)), rank=0 if name == "help" else place + 1
                )
                for place, (key, name) in enumerate(keys)
            ]
        )

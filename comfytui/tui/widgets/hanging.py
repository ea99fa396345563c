"""A paragraph whose further lines begin below its own text, and not below its label."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

LEAST = 20  # cells of the text beside a label; in a narrower pane the lines take the whole width


class Hanging(Text):
    """The first `label` cells are a label, or a bullet."""

    label = 0

    @classmethod
    def of(cls, text: Text, label: int) -> Hanging:
        """`text` with that many cells of label."""
        made = cls(text.plain, text.style, spans=list(text.spans))
        made.label = label
        return made


def wrapped(text: Text, console: Console, width: int) -> list[Text]:
    """The lines of a paragraph."""
    if not text.plain:
        return [text]
    label = text.label if isinstance(text, Hanging) else 0
    if not label or width - label < LEAST or text.cell_len <= width:
        return list(text.wrap(console, width))
    head, body = text.divide([label])
    first, *rest = body.wrap(console, width - label)
    return [head + first, *(Text(" " * label) + line for line in rest)]

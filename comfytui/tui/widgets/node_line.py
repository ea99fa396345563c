"""A node class as one line of a list: its title with the letters that were searched, what it makes, its badges."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from comfytui.tui.fuzzy import spans
from comfytui.tui.node_index import Node
from comfytui.tui.theme import Palette
from comfytui.tui.wording import cut, one_line

WORDS = 56  # cells from which badges are whole words
TYPES = 22  # cells of what it puts out
WARN = ("deprecated", "paid API")


def node_line(node: Node, width: int, words: Sequence[str], palette: Palette) -> Text:
    """The line, `width` cells wide; `words` are those of the search, lowered."""
    right = Text()
    for badge in node.badges:
        right.append(f"{badge if width >= WORDS else badge[:3]} ", palette.warning if badge in WARN else palette.dim)
    outputs = ", ".join(dict.fromkeys(each.type for each in node.outputs)) or ("output" if node.is_output else "–")
    room = min(TYPES, width // 3)
    right.append(cut(outputs, room).ljust(room), palette.graph)
    line = Text(" ")
    line.append_text(
        marked(cut(one_line(node.title), max(8, width - right.cell_len - 2)), words, palette.text, palette)
    )
    spare = width - line.cell_len - right.cell_len - 2
    if node.name != node.title and spare > 10:
        line.append("  ")
        line.append_text(marked(cut(node.name, spare - 2), words, palette.dim, palette))
    line.append(" " * max(1, width - line.cell_len - right.cell_len))
    return line.append_text(right)


def marked(text: str, words: Sequence[str], style: Style, palette: Palette) -> Text:
    """Text in which the letters that were searched stand out, underlined too: nothing is told by colour alone."""
    line = Text(text, style)
    found = palette.accent + Style(underline=True)
    for start, end in spans(text, words):
        line.stylize(found, start, end)
    return line

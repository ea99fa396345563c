"""A message on a line: over the status line of the dashboard, or at the same place on a dialog that lies over it."""

from __future__ import annotations

from rich.text import Text
from textual.css.query import NoMatches
from textual.screen import Screen

from comfytui.tui.messages import SIGNS, Message
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.fixed_line import FixedLine, Piece
from comfytui.tui.wording import cut, one_line

HINT_GAP = 3  # cells between them, the widest of any line


def pieces(palette: Palette, message: Message, width: int, key: str) -> list[Piece]:
    """The message over `width` cells; what does not fit is cut, and `key` shows all of it."""
    glyph, role = SIGNS[message.kind]
    text = one_line(message.text)
    hint = f"{key} all of it"
    line = Text(f"{glyph} ", palette.style(role))
    if len(text) + line.cell_len <= width and "\n" not in message.text.strip():
        return [Piece(line.append(text, palette.text))]
    room = width - line.cell_len - len(hint) - HINT_GAP
    if room < 12:  # the words are worth more than the hint
        return [Piece(line.append(cut(text, max(4, width - line.cell_len)), palette.text))]
    line.append(cut(text, room), palette.text)
    return [Piece(line), Piece(Text(hint, palette.dim), right=True)]


class MessageLine(FixedLine):
    """Lies on a layer of its own at the height of the status line, so that no dialog moves when it comes."""

    SCOPED_CSS = False  # the size of the screen is told by classes above
    DEFAULT_CSS = """
    MessageLine { layer: message; dock: bottom; margin-bottom: 1; }
    .-small-w MessageLine, .-small-h MessageLine, .-tiny-w MessageLine, .-tiny-h MessageLine { margin-bottom: 0; }
    """

    def tell(self, palette: Palette, message: Message, key: str) -> None:
        """Show a message."""
        width = self.content_size.width or max(1, self.app.size.width - 2)
        self.show(pieces(palette, message, width, key))


async def over(screen: Screen[object], palette: Palette, message: Message | None, key: str) -> None:
    """Show a message on a dialog, or (None) take it away."""
    try:
        line = screen.query_one(MessageLine)
    except NoMatches:
        if message is None or not screen.is_attached:
            return
        line = MessageLine()
        await screen.mount(line)
    if message is None:
        await line.remove()
    else:
        line.tell(palette, message, key)

"""NO_COLOR taken at its word: no colour reaches the terminal, and what only a background told is told by an attribute.

Textual's own filter turns colours to greys, which are still colours. Source of the convention: https://no-color.org
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rich.color import Color as RichColor
from rich.color import ColorParseError
from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

    from comfytui.tui.theme import Roles

THUMB: Final = 2  # columns; a scrollbar's is drawn in the colour of borders, as is the line of a pane without the keys
_REVERSED, _UNDERLINED = Style(reverse=True), Style(underline=True)


class Colourless(LineFilter):
    """`roles` tells the colours of the theme that is used."""

    def __init__(self, roles: Callable[[], Roles]) -> None:
        super().__init__()
        self._roles = roles

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        roles = self._roles()
        chosen = frozenset({_triplet(roles.selection), _triplet(roles.accent)})
        marked = frozenset({_triplet(roles.border), _triplet(roles.focus), _triplet(roles.resting)})
        return [
            Segment(text, None if style is None else _plain(style, chosen, marked, len(text) <= THUMB), control)
            for text, style, control in segments
        ]


@lru_cache(maxsize=4096)
def _plain(style: Style, chosen: frozenset[object], marked: frozenset[object], short: bool) -> Style:
    """The style's attributes, and one for its background if that says something."""
    plain, behind = style.without_color, style.bgcolor
    if behind is None or behind.is_default:
        return plain
    colour = behind.get_truecolor()
    if colour in chosen or (short and colour in marked):
        return plain + _REVERSED
    return plain + _UNDERLINED if colour in marked else plain


@lru_cache(maxsize=64)
def _triplet(colour: str) -> object:
    try:
        return RichColor.parse(colour.removeprefix("ansi_")).get_truecolor()
    except ColorParseError:  # a name that only Textual knows
        from textual.color import Color

        return Color.parse(colour).rich_color.get_truecolor()

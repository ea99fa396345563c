"""NO_COLOR taken at its word: no colour reaches the terminal, and what only a background told is told by an attribute.

Textual's own filter turns colours to greys, which are still colours. Source of the convention: https://no-color.org
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

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
_FAINT, _BOLD, _SAME = Style(dim=True), Style(bold=True), Style()


class Colourless(LineFilter):
    """`roles` tells the colours of the theme that is used."""

    def __init__(self, roles: Callable[[], Roles]) -> None:
        super().__init__()
        self._roles = roles

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        meant = _meanings(self._roles())
        return [
            Segment(text, None if style is None else _plain(style, meant, len(text) <= THUMB), control)
            for text, style, control in segments
        ]


class _Meanings(NamedTuple):
    """The colours that say something, as backgrounds (chosen, marked) and as ink (quiet, loud)."""

    chosen: frozenset[object]
    marked: frozenset[object]
    quiet: frozenset[object]
    loud: frozenset[object]


@lru_cache(maxsize=8)
def _meanings(roles: Roles) -> _Meanings:
    def colours(*names: str) -> frozenset[object]:
        return frozenset(_triplet(name) for name in names)

    return _Meanings(
        colours(roles.selection, roles.accent),
        colours(roles.border, roles.focus, roles.resting),
        colours(roles.dim, roles.waiting),
        colours(roles.accent),
    )


@lru_cache(maxsize=4096)
def _plain(style: Style, meant: _Meanings, short: bool) -> Style:
    """The style's attributes, and those for what its colours say.

    What is read second, or is not possible now, is faint; keys, and what was changed, are bold.
    """
    plain = style.without_color
    if (ink := _seen(style.color)) is not None:
        plain += _FAINT if ink in meant.quiet else _BOLD if ink in meant.loud else _SAME
    colour = _seen(style.bgcolor)
    if colour in meant.chosen or (short and colour in meant.marked):
        return plain + _REVERSED
    return plain + _UNDERLINED if colour in meant.marked else plain


def _seen(colour: RichColor | None) -> object:
    """What a colour looks like; None for the terminal's own."""
    return None if colour is None or colour.is_default else colour.get_truecolor()


@lru_cache(maxsize=64)
def _triplet(colour: str) -> object:
    try:
        return RichColor.parse(colour.removeprefix("ansi_")).get_truecolor()
    except ColorParseError:  # a name that only Textual knows
        from textual.color import Color

        return Color.parse(colour).rich_color.get_truecolor()

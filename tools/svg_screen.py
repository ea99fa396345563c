"""What stands on a screen, as an SVG that needs no font of its own and fetches nothing: small, and sharp at any size.

Textual's export names a web font and draws each cell of a picture as a letter; 300 kB for a screen with a preview. Here
blocks, lines and pictures are shapes, one path a colour, and only letters are text, in whatever monospaced font there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, NamedTuple

from rich.color import Color
from rich.terminal_theme import DIMMED_MONOKAI

WIDE, HIGH = 8, 18  # of a cell, in units of the picture
SIZE = 13.3  # of the letters: most monospaced fonts are 0.6 of it wide
MARGIN = 8

# Corners of the lines that boxes are drawn with: which of up, right, down, left leave the middle of the cell.
_LINES = {
    "─": "rl", "│": "ud", "┌": "rd", "┐": "dl", "└": "ur", "┘": "ul", "├": "urd", "┤": "udl", "┬": "rdl", "┴": "url",
    "┼": "urdl", "╭": "rd", "╮": "dl", "╰": "ur", "╯": "ul", "╴": "l", "╶": "r", "╵": "u", "╷": "d",
    "━": "RL", "┃": "UD", "╸": "L", "╺": "R",
}  # fmt: skip
_EIGHTHS = "▁▂▃▄▅▆▇"
_LEFTS = "▏▎▍▌▋▊▉"


Box = tuple[float, float, float, float]  # left, top, width, height
Shapes = dict[str, list[Box]]  # by colour


class Style(NamedTuple):
    """How a run of cells looks; colours as #rrggbb."""

    ink: str
    paper: str
    bold: bool
    italic: bool
    under: bool


def svg(strips: Iterable[Any], title: str, paper: str = "#101010") -> str:
    """An SVG of Textual's strips, one a line. Raises ValueError if there are none."""
    rows = [list(_runs(strip, paper)) for strip in strips]
    if not rows:
        raise ValueError("nothing is on the screen")
    columns = max(sum(len(text) for text, _ in row) for row in rows)
    shapes: Shapes = {}
    lines: Shapes = {}
    texts: list[str] = []
    for y, row in enumerate(rows):
        x = 0
        for text, style in row:
            if style.paper != paper:
                _add(shapes, style.paper, (x * WIDE, y * HIGH, len(text) * WIDE, HIGH))
            x += len(text)
    for y, row in enumerate(rows):
        x = 0
        for text, style in row:
            texts += _letters(text, style, x, y, shapes, lines)
            x += len(text)
    wide, high = columns * WIDE + 2 * MARGIN, len(rows) * HIGH + 2 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{wide}" height="{high}" rx="6" fill="{paper}"/>',
            f'<g transform="translate({MARGIN} {MARGIN})" shape-rendering="crispEdges">',
            *_paths(shapes),
            "</g>",
            f'<g transform="translate({MARGIN} {MARGIN})">',
            *_paths(lines),  # smoothed: a thin line must not vanish where the picture is made smaller
            "</g>",
            f'<g transform="translate({MARGIN} {MARGIN})" xml:space="preserve" font-size="{SIZE}"'
            ' font-family="DejaVu Sans Mono,Menlo,Consolas,Liberation Mono,monospace">',
            *texts,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _runs(strip: Any, paper: str) -> Iterator[tuple[str, Style]]:
    """Neighbouring cells of one look, together. A wide letter takes two places: the second one is empty."""
    last: tuple[str, Style] | None = None
    for segment in strip:
        style = _style(segment.style, paper)
        text = "".join(_cells(segment.text))
        if last is not None and last[1] == style:
            last = (last[0] + text, style)
        else:
            if last is not None:
                yield last
            last = (text, style)
    if last is not None:
        yield last


def _cells(text: str) -> Iterator[str]:
    from rich.cells import get_character_cell_size

    for letter in text:
        size = get_character_cell_size(letter)
        if size:
            yield letter
        if size == 2:
            yield "\0"


def _style(style: Any, paper: str) -> Style:
    if style is None:
        return Style("#d9d9d9", paper, False, False, False)
    ink, back = _hex(style.color, "#d9d9d9"), _hex(style.bgcolor, paper)
    if style.reverse:
        ink, back = back, ink
    if style.dim:
        ink = _mixed(ink, back)
    return Style(ink, back, bool(style.bold), bool(style.italic), bool(style.underline))


def _hex(colour: Color | None, default: str) -> str:
    if colour is None or colour.is_default:
        return default
    return "#{:02x}{:02x}{:02x}".format(*colour.get_truecolor(DIMMED_MONOKAI))


def _mixed(one: str, other: str) -> str:
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{(a * 6 + b * 4) // 10:02x}" for a, b in pairs)


def _add(shapes: Shapes, colour: str, box: Box) -> None:
    """A box; as a part of the one before where it goes on to the right of it."""
    boxes = shapes.setdefault(colour, [])
    if boxes:
        x, y, wide, high = boxes[-1]
        if (box[1], box[3]) == (y, high) and x <= box[0] <= x + wide:
            boxes[-1] = (x, y, max(wide, box[0] + box[2] - x), high)
            return
    boxes.append(box)


def _paths(shapes: Shapes) -> Iterator[str]:
    for colour, boxes in shapes.items():
        d = "".join(f"M{x:g} {y:g}h{wide:g}v{high:g}h{-wide:g}z" for x, y, wide, high in boxes)
        yield f'<path fill="{colour}" d="{d}"/>'


def _letters(text: str, style: Style, column: int, row: int, shapes: Shapes, lines: Shapes) -> Iterator[str]:
    """The text of a run; what can be drawn goes to `shapes`, or to `lines`, instead."""
    word, start = "", 0
    for place, cell in enumerate([*text, " ", " "]):
        parts = None if place >= len(text) else _shape(cell, (column + place) * WIDE, row * HIGH)
        if parts is not None:
            for box in parts:
                _add(lines if cell in _LINES else shapes, style.ink, box)
        letter = cell if parts is None else " "
        # Words that a single blank divides are one text; more are a gap, and a shape always is one.
        if letter == " " and (parts is not None or not word or word.endswith(" ")):
            if word.strip():
                yield _text(word.rstrip(), style, column + start, row)
            word = ""
        else:
            if not word:
                start = place
            word += letter
    if word.strip():
        yield _text(word.rstrip(), style, column + start, row)
    if style.under and text.strip():
        _add(lines, style.ink, (column * WIDE, row * HIGH + HIGH - 2, len(text) * WIDE, 1))


def _text(word: str, style: Style, column: int, row: int) -> str:
    looks = (' font-weight="bold"' if style.bold else "") + (' font-style="italic"' if style.italic else "")
    length = f' textLength="{len(word) * WIDE}"' if len(word) > 1 else ""
    shown = escape(word.replace("\0", ""), quote=False)
    return f'<text x="{column * WIDE}" y="{row * HIGH + 13}" fill="{style.ink}"{looks}{length}>{shown}</text>'


def _shape(letter: str, x: int, y: int) -> list[Box] | None:
    """Blocks and lines as boxes, None for what is a letter."""
    if letter == "█":
        return [(x, y, WIDE, HIGH)]
    if letter == "▀":
        return [(x, y, WIDE, HIGH / 2)]
    if letter == "▐":
        return [(x + WIDE / 2, y, WIDE / 2, HIGH)]
    if letter in _EIGHTHS:
        high = round(HIGH * (_EIGHTHS.index(letter) + 1) / 8) if letter != "▄" else HIGH / 2
        return [(x, y + HIGH - high, WIDE, high)]
    if letter in _LEFTS:
        return [(x, y, _LEFTS.index(letter) + 1, HIGH)]
    if letter not in _LINES:
        return None
    parts = []
    for side in _LINES[letter]:
        thick = 2 if side.isupper() else 1
        middle_x, middle_y = x + WIDE // 2, y + HIGH // 2
        parts.append(
            {
                "u": (middle_x, y, thick, HIGH // 2 + thick),
                "d": (middle_x, middle_y, thick, HIGH // 2),
                "l": (x, middle_y, WIDE // 2 + thick, thick),
                "r": (middle_x, middle_y, WIDE // 2, thick),
            }[side.lower()]
        )
    return parts

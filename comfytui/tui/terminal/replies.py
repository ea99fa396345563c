"""Takes what a terminal answers out of what its user types.

Textual's parser knows keys; an answer that it does not know it would hand on as the keys `[`, `?`, `6` …
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_ANSWERS: Final = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)R"  # the cursor's place
    r"|\x1b\[\?(?P<attributes>[\d;]*)c"  # what the terminal is
    r"|\x1b\[6;(?P<height>\d+);(?P<width>\d+)t"  # a cell's size in pixels
    r"|\x1b_G(?P<graphics>[^\x1b\x07]*)\x1b\\"  # kitty's graphics
)
# The beginning of one of them at the end of what was read. Not a lone escape: that is a key, and must not wait.
_BEGUN: Final = re.compile(r"\x1b(?:\[(?:\?[\d;]*|[\d;]+)?|_(?:G[^\x1b]*\x1b?)?)\Z")
LONGEST: Final = 256  # characters of a begun answer; what is longer is something else


@dataclass
class Found:
    """What was read, split."""

    typed: str = ""
    cursors: int = 0
    attributes: tuple[int, ...] | None = None
    cell: tuple[int, int] | None = None  # width, height in pixels
    graphics: list[str] = field(default_factory=list)


class Replies:
    """Splits input; keeps the beginning of an answer until the rest has come."""

    def __init__(self) -> None:
        self._begun = ""

    def split(self, text: str, final: bool = False) -> Found:
        """Take input as it was read. `final`: what has begun will not go on, and is typed."""
        text = self._begun + text
        self._begun = ""
        if not final and (tail := _BEGUN.search(text)) and len(tail[0]) <= LONGEST:
            text, self._begun = text[: tail.start()], tail[0]
        found = Found()

        def take(match: re.Match[str]) -> str:
            if match["row"] is not None:
                found.cursors += 1
            elif match["attributes"] is not None:
                found.attributes = tuple(int(part) for part in match["attributes"].split(";") if part)
            elif match["width"] is not None:
                found.cell = (int(match["width"]), int(match["height"]))
            else:
                found.graphics.append(match["graphics"])
            return ""

        found.typed = _ANSWERS.sub(take, text)
        return found

"""The same drawing in fewer bytes: colours are sent when they change, not with every piece of text.

Rich sends each piece of text with all its colours before it and a reset after it. A screen of text on one background
is mostly that background, said a thousand times; leaving out what already holds halves it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

SGR: Final = re.compile(r"\x1b\[([\d;]*)m")

_COLOURS: Final = re.compile(r"(38;2;\d+;\d+;\d+)?(?:(?:\A|;)(48;2;\d+;\d+;\d+))?", re.A)


class Pen(NamedTuple):
    """How the terminal writes now: the codes of the foreground, the background, and the attributes."""

    front: str = ""
    back: str = ""
    attributes: frozenset[str] = frozenset()


PLAIN: Final = Pen()


def thrifty(drawing: str) -> str:
    """`drawing` without what changes nothing. It must begin and end with the plain pen, as Rich's pieces do."""
    parts = SGR.split(drawing)
    if len(parts) < 5:
        return drawing
    out = [parts[0]]
    now = want = PLAIN
    for at in range(1, len(parts), 2):
        want = set_pen(want, parts[at])
        text = parts[at + 1]
        if text:
            if want is not now and want != now:
                out.append(change(now, want))
                now = want
            out.append(text)
    if now != want:
        out.append(change(now, want))
    return "".join(out)


@lru_cache(maxsize=16384)
def set_pen(pen: Pen, codes: str) -> Pen:
    """The pen after an SGR sequence with these codes."""
    front, back, attributes = pen
    if codes and (match := _COLOURS.fullmatch(codes)):  # nine of ten in a picture
        return Pen(match[1] or front, match[2] or back, attributes)
    fields = codes.split(";") if codes else ["0"]
    at = 0
    while at < len(fields):
        field = fields[at] or "0"
        number = int(field)
        taken = 1
        if number in (38, 48):
            taken = 5 if fields[at + 1 : at + 2] == ["2"] else 3
            colour = ";".join(fields[at : at + taken])
            front, back = (colour, back) if number == 38 else (front, colour)
        elif number == 0:
            front, back, attributes = "", "", frozenset()
        elif 30 <= number <= 37 or 90 <= number <= 97:
            front = field
        elif 40 <= number <= 47 or 100 <= number <= 107:
            back = field
        elif number == 39:
            front = ""
        elif number == 49:
            back = ""
        else:
            attributes |= {field}
        at += taken
    return Pen(front, back, attributes)


def change(now: Pen, want: Pen) -> str:
    """The shortest sequence from one pen to the other."""
    if now.attributes or want.attributes:
        return _change(now, want)
    # Colours alone, as in a picture, where no two changes are alike: a cache would only cost.
    front, back = want.front, want.back
    if now.back == back:
        return f"\x1b[{front or '39'}m" if back else f"\x1b[{front or '0'}m"
    if now.front == front:
        return f"\x1b[{back or '49'}m" if front else f"\x1b[{back or '0'}m"
    if front and back:
        return f"\x1b[{front};{back}m"
    return f"\x1b[0;{front or back}m" if front or back else "\x1b[0m"


@lru_cache(maxsize=8192)
def _change(now: Pen, want: Pen) -> str:
    if want == PLAIN:
        return "\x1b[0m"
    anew = _sgr("0", *sorted(want.attributes), want.front, want.back)
    if now.attributes - want.attributes:
        return anew  # an attribute has no code of its own to end it that all terminals know
    codes = [] if want.attributes == now.attributes else sorted(want.attributes - now.attributes)
    if now.front != want.front:
        codes.append(want.front or "39")
    if now.back != want.back:
        codes.append(want.back or "49")
    step = _sgr(*codes)
    return step if len(step) <= len(anew) else anew


def _sgr(*codes: str) -> str:
    return f"\x1b[{';'.join(filter(None, codes))}m"

"""kitty's graphics protocol: a picture is sent once, under a number, and then placed, moved and taken away in a few bytes.

Our own words and not textual-image's, which writes to `sys.stdout` by itself, past all pacing, and covers the picture's
cells with placeholders of four code points each. Source: https://sw.kovidgoyal.net/kitty/graphics-protocol/
"""

from __future__ import annotations

import base64
import io
from typing import Final

from PIL import Image

CHUNK: Final = 4096  # characters of a piece; the protocol's limit
QUESTION_ID: Final = 31
QUESTION: Final = f"\x1b_Gi={QUESTION_ID},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"  # would you take a picture of one pixel?
ABOVE_TEXT: Final = 1  # z: what is under the picture is its half blocks


def understood(answers: list[str]) -> bool:
    """Whether one of a terminal's answers says that it takes pictures."""
    return any(answer.startswith(f"i={QUESTION_ID};") and answer.endswith("OK") for answer in answers)


def encode(image: Image.Image, number: int) -> list[str]:
    """The sequences that send an RGB picture as PNG; none of them draws. They must follow each other in order."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    data = base64.b64encode(buffer.getvalue()).decode()
    pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    last = len(pieces) - 1
    return [
        f"\x1b_G{f'a=t,f=100,t=d,i={number},' if at == 0 else ''}q=2,m={int(at < last)};{piece}\x1b\\"
        for at, piece in enumerate(pieces)
    ]


def place(number: int, column: int, row: int, columns: int, rows: int) -> str:
    """Show it over a box of cells (0, 0 is the upper left corner of the screen); shown already, it moves there."""
    shown = f"\x1b_Ga=p,i={number},p=1,c={columns},r={rows},z={ABOVE_TEXT},C=1,q=2\x1b\\"
    return f"\x1b7\x1b[{row + 1};{column + 1}H{shown}\x1b8"


def hide(number: int) -> str:
    """Take it from the screen; the terminal keeps it."""
    return f"\x1b_Ga=d,d=i,i={number},q=2\x1b\\"


def delete(number: int) -> str:
    """Take it from the screen and from the terminal's memory; one that is half sent is given up."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"

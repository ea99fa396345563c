"""Which protocol for pictures of real pixels the terminal has: what it answered, what stands between, what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from comfytui.tui.pictures import kitty
from comfytui.tui.terminal.capability import multiplexed
from comfytui.tui.terminal.replies import Found

FIRST_QUESTIONS: Final = "\x1b[16t\x1b[c"  # how large is a cell; what are you
CONTROL_STRINGS: Final = (
    60  # from the VT220 on (62) terminals skip strings that they do not know; older ones print them
)
SIXEL: Final = 4  # among what a terminal says it is
USUAL_CELL: Final = (10, 20)
LARGEST_CELL: Final = (64, 128)  # pixels; what is beyond is no answer

FAST_ENOUGH: Final = 150_000.0  # bytes a second; below it a picture of pixels takes longer than it is looked at
SECONDS: Final = 1.0  # that a picture may take
MOST_BYTES: Final = 600_000  # of one picture
FORCED_BYTES: Final = 200_000  # of one, where the user asked for the protocol and the link is slow or unknown


class Protocol(StrEnum):
    NONE = "none"  # half blocks or less
    KITTY = "kitty"
    SIXEL = "sixel"


@dataclass(frozen=True)
class Answers:
    """What the terminal has said so far."""

    attributes: tuple[int, ...] = ()
    cell: tuple[int, int] = USUAL_CELL  # width, height in pixels
    kitty: bool = False

    def with_found(self, found: Found) -> Answers:
        """These and new ones; nonsense is left out."""
        now = self
        if found.attributes is not None:
            now = replace(now, attributes=found.attributes)
        if found.cell is not None and all(1 <= a <= b for a, b in zip(found.cell, LARGEST_CELL, strict=True)):
            now = replace(now, cell=found.cell)
        if kitty.understood(found.graphics):
            now = replace(now, kitty=True)
        return now

    @property
    def skips_strings(self) -> bool:
        """Whether a question about graphics is safe to ask: it is not printed where it is not understood."""
        return bool(self.attributes) and self.attributes[0] >= CONTROL_STRINGS

    @property
    def sixel(self) -> bool:
        return SIXEL in self.attributes[1:]


def asks(images: str, environment: Mapping[str, str]) -> bool:
    """Whether there is anything to ask: pixels are wanted, and the terminal itself would answer."""
    return images in ("kitty", "sixel") or (images == "auto" and not multiplexed(environment))


def choose(
    images: str, answers: Answers, environment: Mapping[str, str], rate: float | None, sixel_encoder: bool
) -> Protocol:
    """The protocol to use now. `images` is the setting; `rate` in bytes a second.

    A protocol that is asked for by name is used on any link and through a multiplexer, but only where the answer says
    that it is understood: elsewhere the picture would be a hole, or garbage.
    """
    if images == "kitty":
        return Protocol.KITTY if answers.kitty else Protocol.NONE
    if images == "sixel":
        return Protocol.SIXEL if answers.sixel and sixel_encoder else Protocol.NONE
    if images != "auto" or multiplexed(environment) or rate is None or rate < FAST_ENOUGH:
        return Protocol.NONE
    if answers.kitty:
        return Protocol.KITTY
    return Protocol.SIXEL if answers.sixel and sixel_encoder else Protocol.NONE


def budget(rate: float | None) -> int:
    """Bytes that one picture may cost at that rate."""
    if rate is None or rate < FAST_ENOUGH:
        return FORCED_BYTES
    return min(MOST_BYTES, int(rate * SECONDS))

"""What colours the terminal can show, hence how a picture is drawn there."""

from __future__ import annotations

from enum import StrEnum


class Depth(StrEnum):
    """From best to none."""

    TRUECOLOR = "truecolor"
    EIGHT_BIT = "256"
    SHADES = "shades"  # 16 colours or none: brightness as characters
    NONE = "none"  # a line of words in the picture's place


def depth_of_terminal(color_system: str | None, *, no_color: bool = False, images: str = "auto") -> Depth:
    """Choose from rich's name of the terminal's colour system, `NO_COLOR`, and the setting `images`.

    An unknown value of `images` counts as "auto": a newer settings file must not blank the pictures.
    """
    if images in ("none", "off"):
        return Depth.NONE
    if images in ("shades", "text") or no_color:
        return Depth.SHADES
    if images in ("truecolor", "256"):
        return Depth(images)
    match color_system:
        case "truecolor":
            return Depth.TRUECOLOR
        case "256":
            return Depth.EIGHT_BIT
        case _:
            return Depth.SHADES

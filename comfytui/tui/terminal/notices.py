"""What makes a terminal tell its user something: its bell, and the sequences of which it makes a message of the desktop.

OSC 9 is iTerm2's (https://iterm2.com/documentation-escape-codes.html), OSC 777 urxvt's extension `notify`. A terminal
that knows neither ignores both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comfytui.client import sanitize
from comfytui.tui.terminal.clipboard import passed_on
from comfytui.tui.wording import cut

BELL: Final = "\x07"
LONGEST: Final = 120  # cells of a text: every piece of it is within what GNU screen passes on
_KNOWN: Final = {  # what terminals say of themselves → the sequence that they make a message of
    "iTerm.app": "osc9",
    "WezTerm": "osc9",
    "ghostty": "osc9",
    "vscode": "off",
    "Apple_Terminal": "off",
}


def message(title: str, body: str, how: str, environment: Mapping[str, str]) -> str:
    """The sequences for a message, wrapped for what is between us and the terminal; "" for none.

    `how` is the setting notify.terminal. Foreign text is cleaned here: it is a part of a control sequence.
    """
    if how == "auto":
        how = understood(environment)
    title, body = _clean(title).replace(";", ","), _clean(body)
    parts = []
    if how in ("osc9", "both"):
        # Never a digit first: terminals of Windows take 9;4 for a progress bar.
        parts.append(f"\x1b]9;{title}: {body}\x07")
    if how in ("osc777", "both"):
        parts.append(f"\x1b]777;notify;{title};{body}\x07")
    return "".join(passed_on(part, environment) for part in parts)


def understood(environment: Mapping[str, str]) -> str:
    """Which sequence this terminal knows, `both` where nothing tells: over ssh, or in a multiplexer."""
    kind = environment.get("TERM", "")
    if kind.startswith("rxvt") or kind.startswith("foot"):
        return "osc777"
    if kind in ("xterm-kitty", "xterm-ghostty"):
        return "osc9"
    if environment.get("TMUX") or environment.get("STY"):
        return "both"  # the variables below may be those of another terminal, in which the session was begun
    if environment.get("VTE_VERSION"):
        return "osc777"
    return _KNOWN.get(environment.get("TERM_PROGRAM", ""), "both")


def _clean(text: str) -> str:
    return cut(" ".join(sanitize.line(text).split()), LONGEST)

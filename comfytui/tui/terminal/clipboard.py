"""The user's clipboard, also at the far end of ssh and a multiplexer; and a file, for where no clipboard is reached.

OSC 52 asks the terminal to take text into its clipboard. tmux by default (`set-clipboard external`) ignores it from
programs, and passes sequences on only with `allow-passthrough`; but its own `load-buffer -w` sends the text to the
terminal outside, so that is what is used there.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "clipboard.txt"
MOST_BYTES: Final = 56_000  # of text; as base64 within the 74,994 characters that the strictest terminals take
TMUX_SECONDS: Final = 2.0
SCREEN_CHUNK: Final = 240  # bytes of a string that every GNU screen passes on; its buffer was 256


def osc52(text: str, environment: Mapping[str, str]) -> str:
    """The sequence that puts `text` into the clipboard; empty if it is too long for terminals.

    In a multiplexer it goes both plain, for one that takes it, and wrapped, for one that passes it on. The same text
    twice is the same clipboard.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > MOST_BYTES:
        return ""
    plain = f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"
    if environment.get("TMUX") or environment.get("TERM", "").startswith("tmux"):
        return plain + passed_on(plain, environment)
    return passed_on(plain, environment)


def passed_on(sequence: str, environment: Mapping[str, str]) -> str:
    """A sequence for the terminal outside of a multiplexer; as it is where there is none.

    tmux passes it on where `allow-passthrough` is on. It must not hold `ESC \\`: that ends GNU screen's.
    """
    if environment.get("TMUX") or environment.get("TERM", "").startswith("tmux"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY") or environment.get("TERM", "").startswith("screen"):
        parts = (sequence[at : at + SCREEN_CHUNK] for at in range(0, len(sequence), SCREEN_CHUNK))
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return sequence


def through_tmux(text: str, environment: Mapping[str, str]) -> bool:
    """Give `text` to the tmux around us, which hands it to the terminal outside; whether it took it. Blocks a little."""
    if not environment.get("TMUX"):
        return False
    for options in (["-w"], []):  # before 3.2 there was no -w: then at least tmux's own buffer has it
        try:
            done = subprocess.run(
                ["tmux", "load-buffer", *options, "-"],
                input=text.encode("utf-8", "replace"),
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TMUX_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode == 0:
            return bool(options)
    return False


def save(text: str, folder: Path) -> Path:
    """Write `text` to a file in `folder` that only its owner may read; its path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    temporary = folder / f".{NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    temporary.replace(path)
    return path

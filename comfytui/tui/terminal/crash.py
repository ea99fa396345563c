"""What is left behind when the program fails: a log for whoever repairs it, and a few lines for whoever ran it.

Neither holds a secret: no values of variables, and what looks like a credential in a message is blotted out, because
both end up in bug reports.
"""

from __future__ import annotations

import os
import platform
import re
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from comfytui import __version__
from comfytui.client import sanitize
from comfytui.client.target import BLOT, forms_of
from comfytui.settings.files import state_dir

if TYPE_CHECKING:
    from rich.text import Text

    from comfytui.settings.schema import Settings

NAME: Final = "comfytui.log"
MOST_BYTES: Final = 512 * 1024  # of the log; the older half goes when it is full

_CREDENTIALS: Final = (
    (re.compile(r"(?<=://)[^/\s@'\"]+@"), f"{BLOT}@"),  # user:password@host
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.+/=~-]+"), rf"\1 {BLOT}"),
    (
        re.compile(
            r"(?i)(['\"]?[\w-]*(?:token|secret|password|passwd|api[_-]?key|authorization|cookie|signature)['\"]?\s*[=:]\s*)"
            r"(?:b?'[^']*'|b?\"[^\"]*\"|[^\s&,;)'\"]+)"
        ),
        rf"\1{BLOT}",
    ),
)


def blotted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without `secrets` (values that are known to be some) and without what looks like a credential."""
    # As they are, and as an address or a line of JSON has them; all of a secret before a part of it.
    forms = {form for each in secrets for form in forms_of(each)}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= 4:  # shorter ones would blot words
            text = text.replace(form, BLOT)
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    return text


def report(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The traceback with version and system, without the values of variables."""
    trace = "".join(traceback.format_exception(error))
    head = f"comfytui {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    terminal = " ".join(f"{name}={os.environ.get(name, '')}" for name in ("TERM", "COLORTERM", "TERM_PROGRAM"))
    return blotted(f"{time.strftime('%Y-%m-%d %H:%M:%S%z')}  {head}\n{terminal}\n{trace}", secrets)


def write(text: str, folder: Path) -> Path:
    """Append to the log in `folder`, which only its owner may read; its path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    old = b""
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        old = path.read_bytes()[-MOST_BYTES // 2 :]
        path.unlink()
    # O_NOFOLLOW: in a shared state folder nobody's link decides where our log goes.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "ab") as file:
        os.fchmod(fd, 0o600)
        file.write(old + text.rstrip().encode("utf-8", "replace") + b"\n\n")
    return path


def words(error: BaseException, log: Path | None, problem: str = "", secrets: Iterable[str] = ()) -> str:
    """What the user reads after the screen is gone. `problem` says why there is no log."""
    said = blotted(str(error), secrets).strip().split("\n")[0][:300]
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    lines = [
        f"comfytui {__version__} failed and has ended: {what}",
        "Jobs on the server go on; start comfytui again to see them.",
    ]
    if log is not None:
        lines.append(
            f"What happened is in {log} (no credentials in it). If it happens again, please report it with that file."
        )
    else:
        lines.append(f"No log could be written: {problem}")
    return "\n".join(lines)


def secrets(settings: Settings) -> list[str]:
    """The credentials in the settings, as they stand there and as they are sent."""
    from comfytui.settings import credentials, servers

    return [*credentials.known(), *servers.written_secrets(settings)]


def told(error: BaseException, secrets: Iterable[str] = ()) -> Text:
    """Log the error, and what to say about it."""
    from rich.text import Text

    known = list(secrets)
    log, problem = None, ""
    try:
        log = write(report(error, known), state_dir())
    except OSError as failed:
        problem = str(failed)
    return Text(sanitize.block(words(error, log, problem, known)))

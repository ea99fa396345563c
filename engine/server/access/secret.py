"""Where the token comes from, and where it must not go: the worker, the process list that we show, the log."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import MutableMapping, Sequence
from pathlib import Path

import msgspec

from engine.options import Options

log = logging.getLogger(__name__)

VARIABLE = "COMFYTUI_ENGINE_TOKEN"
SHORTEST = 16  # characters; shorter ones can be guessed by trying
LONGEST = 1024  # characters; it must fit a header line beside everything else
HIDDEN = "…"


class TokenError(ValueError):
    """There should be a token and it cannot be used; the message says where it came from and what to do."""


def with_token(options: Options, environ: MutableMapping[str, str]) -> Options:
    """The options with the token that `--token`, `--token-file` or the environment gives, in this order.

    The variable is taken out of `environ`: the worker, and custom nodes in it, inherit what is left.
    Raises `TokenError`.
    """
    told = environ.pop(VARIABLE, None)
    if options.token is not None:
        token, source = options.token, "--token"
        log.warning("--token can be read in the process list; --token-file and %s cannot", VARIABLE)
    elif options.token_file is not None:
        token, source = _read(Path(options.token_file).expanduser()), f"--token-file {options.token_file}"
    elif told is not None:
        token, source = told, VARIABLE
    else:
        return options
    _check(token, source)
    return msgspec.structs.replace(options, token=token)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(LONGEST * 4)
    except OSError as error:
        raise TokenError(f"--token-file {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        log.warning("Every user of this machine can read the token in %s; close it with: chmod 600 %s", path, path)
    return data.decode("latin-1").strip("\r\n")


def _check(token: str, source: str) -> None:
    if not token:
        raise TokenError(f"{source}: the token is empty; make one with: openssl rand -hex 32")
    if len(token) > LONGEST:
        raise TokenError(
            f"{source}: the token is longer than {LONGEST} characters; make one with: openssl rand -hex 32"
        )
    if not all(33 <= ord(c) < 127 for c in token):
        raise TokenError(f"{source}: the token must be one line of printable ASCII without spaces, as headers carry it")
    if len(token) < SHORTEST:
        log.warning("The token has only %d characters; make a better one with: openssl rand -hex 32", len(token))


def shown_arguments(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line as `/system_stats` may show it."""
    shown: list[str] = []
    for text in argv:
        if shown and shown[-1] == "--token":
            shown.append(HIDDEN)
        else:
            shown.append(f"--token={HIDDEN}" if text.startswith("--token=") else text)
    return tuple(shown)


class Redact(logging.Filter):
    """On a log handler: lines that hold the token lose it, whoever wrote them."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if self._token in text:
            record.msg, record.args = text.replace(self._token, HIDDEN), None
        if record.exc_text and self._token in record.exc_text:
            record.exc_text, record.exc_info = record.exc_text.replace(self._token, HIDDEN), None
        return True

"""The one place that writes to stderr, and the one that knows the exit codes."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import NoReturn

import click


class Exit(IntEnum):
    """The exit codes. `docs/exit-codes.md` is this table; `meaning` is its second column."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 5
    LOST = 6
    FILES = 7
    ENGINE = 8
    SETTINGS = 9
    SERVER = 10
    LACKING = 11
    READ_ONLY = 12
    CTRL_C = 130
    PIPE_CLOSED = 141

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS = {
    Exit.OK: "everything that was asked is done",
    Exit.JOB_FAILED: "a node of the workflow raised an error on the server; of doctor: something is wrong",
    Exit.USAGE: "the command line is wrong, or names something that is not there",
    Exit.UNREACHABLE: "the server does not answer, wants other credentials, or is not ComfyUI",
    Exit.REFUSED: "the workflow cannot be read, or the server refuses it",
    Exit.INTERRUPTED: "the job was interrupted or cancelled on the server",
    Exit.LOST: "the server no longer knows the job (it was restarted)",
    Exit.FILES: "a result could not be written (full disk, no permission)",
    Exit.ENGINE: "the local engine could not be started, has ended, or does not run",
    Exit.SETTINGS: "the settings file is wrong",
    Exit.SERVER: "the server answered with an error or with something that cannot be read",
    Exit.LACKING: "the server lacks nodes, models or files that the workflow needs",
    Exit.READ_ONLY: "nothing may be changed: --read-only, or read_only of the server's settings",
    Exit.CTRL_C: "stopped with ctrl-C; jobs on a server go on",
    Exit.PIPE_CLOSED: "whoever read our output has closed it",
}


class Failed(Exception):  # noqa: N818 -- it ends a command, which is not always an error
    """Ends a command with a code, and a message if there is one to show."""

    def __init__(self, code: Exit, message: str = "") -> None:
        super().__init__(message)
        self.code = code


def say(text: str, *, end: str = "\n") -> None:
    """Tell the user something. The text is cleaned: it may quote a server, a file name or a workflow."""
    from comfytui.client import sanitize

    click.echo(sanitize.block(text) + end, err=True, nl=False)


def rewrite(text: str) -> None:
    """Replace the current line, on a terminal only (see `interactive`)."""
    from comfytui.client import sanitize

    width = max(20, _columns() - 1)
    shown = sanitize.line(text)
    shown = shown if len(shown) <= width else shown[: width - 1] + "…"
    click.echo("\r" + shown + "\x1b[K", err=True, nl=False)


def interactive() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def leave(error: BaseException | None) -> NoReturn:
    """Say what went wrong, and end the program with the code for it."""
    if isinstance(error, Failed) and error.code is Exit.PIPE_CLOSED:
        # Python would complain again when it flushes stdout at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error is None:
        sys.exit(Exit.OK)
    code, text = explain(error)
    if text:
        say(text)
    sys.exit(code)


def explain(error: BaseException) -> tuple[int, str]:
    """(exit code, message) for everything that a command may raise; unknown errors are raised again."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code, ""
        case click.UsageError():
            usage = error.ctx.get_usage() + "\n" if error.ctx is not None else ""
            hint = f"\nTry '{error.ctx.command_path} --help'." if error.ctx is not None else ""
            return Exit.USAGE, f"{usage}comfytui: {error.format_message()}{hint}"
        case click.ClickException():
            return Exit.USAGE, f"comfytui: {error.format_message()}"
        case click.Abort() | KeyboardInterrupt():
            return Exit.CTRL_C, ""
        case Failed():
            return error.code, f"comfytui: {error}" if str(error) else ""
    if (code := _code(error)) is None:
        raise error
    return code, f"comfytui: {error}"


def _code(error: BaseException) -> Exit | None:
    """The code of our layers' own errors. Imported here: none of it is needed until something fails."""
    from comfytui.client import errors as client
    from comfytui.local_engine import EngineError
    from comfytui.settings.schema import SettingsError
    from comfytui.workflow.errors import WorkflowError

    match error:
        case WorkflowError() | client.Refused():
            return Exit.REFUSED
        case client.BadTarget():
            return Exit.USAGE
        case client.ReadOnly():
            return Exit.READ_ONLY
        case client.Unreachable() | client.NotComfyUI() | client.Denied():
            return Exit.UNREACHABLE
        case client.ClientError():
            return Exit.SERVER
        case EngineError():
            return Exit.ENGINE
        case SettingsError():
            return Exit.SETTINGS
    return None


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 80

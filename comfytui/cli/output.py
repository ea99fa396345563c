"""The one place that writes to stdout: data, and nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from comfytui.cli.diagnostics import Exit, Failed

# What JSON lets through and a terminal obeys: DEL, C1 controls, bidirectional and invisible format characters.
_OBEYED = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def line(text: str) -> None:
    """One line of data, at once: whoever reads the pipe need not wait for the end."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise Failed(Exit.PIPE_CLOSED) from None
    except OSError as error:  # a full disk behind a redirection
        raise Failed(Exit.FILES, f"standard output cannot be written: {error.strerror or error}") from error


def json(value: Any) -> None:
    """One JSON value on one line. Structs, tuples and enums are fine.

    What a terminal would obey is escaped as \\uXXXX: the same JSON, and harmless where nothing reads it but a person.
    """
    import msgspec

    line(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(value).decode()))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns under a header; empty cells become `-`, so that every line has the same number of fields."""
    cells = [list(header), *[[cell or "-" for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line("  ".join(padded).rstrip())

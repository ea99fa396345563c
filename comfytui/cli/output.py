"""The one place that writes to stdout: data, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from comfytui.cli.diagnostics import Exit, Failed


def line(text: str) -> None:
    """One line of data, at once: whoever reads the pipe need not wait for the end."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise Failed(Exit.PIPE_CLOSED) from None


def json(value: Any) -> None:
    """One JSON value on one line. Structs, tuples and enums are fine."""
    import msgspec

    line(msgspec.json.encode(value).decode())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns under a header; empty cells become `-`, so that every line has the same number of fields."""
    cells = [list(header), *[[cell or "-" for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line("  ".join(padded).rstrip())

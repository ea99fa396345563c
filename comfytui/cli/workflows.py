"""Reads the workflow that a command was given, and makes of it what a server runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from comfytui.cli import diagnostics
from comfytui.state.connection import Connection
from comfytui.workflow import document
from comfytui.workflow.address import is_remote
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError

file_argument = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))


def read(file: Path) -> Document:
    """The workflow in a file, or (-) in standard input. Raises WorkflowError."""
    if is_remote(str(file)):
        raise WorkflowError(
            "is on a server, and this command asks none", name=str(file), fix="Download it, or use run or check"
        )
    return document.read(file) if str(file) != "-" else document.read_stream(sys.stdin.buffer)


def local(file: Path) -> Document | Path:
    """The workflow, read; or its address, if only a server has it: `load` reads it then. Raises WorkflowError."""
    return file if is_remote(str(file)) else read(file)


async def load(connection: Connection, found: Document | Path) -> Document:
    """What `local` gave, read. Raises WorkflowError (of another server's address, too), ClientError."""
    from comfytui.state import sources

    return await sources.load(str(found), connection) if isinstance(found, Path) else found


async def runnable(connection: Connection, found: Document, say: bool = True) -> tuple[Document, tuple[str, ...]]:
    """The document with a graph, and what its conversion has to tell (which is said unless `say` is False).

    A workflow in the UI form is converted with the server's declarations. Raises WorkflowError, ClientError.
    """
    if found.graph or found.workflow is None:
        return found, ()
    from comfytui.workflow import runnable as forms

    made = await asyncio.to_thread(forms.runnable, found, await connection.load_object_info())
    remarks = tuple(str(each) for each in (*made.warnings, *made.problems))
    for each in remarks if say else ():
        diagnostics.say(f"{found.name}: {each}")
    return made.document, remarks

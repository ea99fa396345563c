"""Reads the workflow that a command was given, and makes of it what a server runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from msgspec.structs import replace

from comfytui.cli import diagnostics
from comfytui.state.connection import Connection
from comfytui.workflow import document
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError

file_argument = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))


def read(file: Path) -> Document:
    """The workflow in a file, or (-) in standard input. Raises WorkflowError."""
    if str(file) != "-":
        return document.read(file)
    return document.parse(sys.stdin.buffer.read(document.MAX_PICTURE + 1), "stdin")


async def runnable(connection: Connection, found: Document, say: bool = True) -> tuple[Document, tuple[str, ...]]:
    """The document with a graph, and what its conversion has to tell (which is said unless `say` is False).

    A workflow in the UI form is converted with the server's declarations. Raises WorkflowError, ClientError.
    """
    if found.graph or found.workflow is None:
        return found, ()
    from comfytui.workflow.convert import to_api

    object_info = await connection.load_object_info()
    try:
        made = await asyncio.to_thread(to_api, found.workflow, object_info)
    except WorkflowError as error:
        raise error.named(found.name) from error
    remarks = tuple(str(each) for each in (*made.warnings, *made.problems))
    for each in remarks if say else ():
        diagnostics.say(f"{found.name}: {each}")
    return replace(found, graph=made.graph), remarks

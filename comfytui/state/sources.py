"""Fetches and reads a workflow from wherever an address says that it is."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, assert_never

from comfytui.workflow import document
from comfytui.workflow.address import Local, Ran, Served, Stdin, UserWorkflow, address
from comfytui.workflow.errors import WorkflowError

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.workflow.document import Document


async def load(text: str, connection: Connection | None) -> Document:
    """The workflow at an address as `workflow.address` describes it; `connection` None knows files and `-` only.

    Raises WorkflowError; ClientError for what the server does not have or does not give.
    """
    where = address(text, connection.target.url if connection is not None else "")
    if isinstance(where, Local):
        return await asyncio.to_thread(document.read, where.path)
    if isinstance(where, Stdin):
        return await asyncio.to_thread(document.read_stream, sys.stdin.buffer)
    if connection is None:
        raise WorkflowError("no server is connected", name=text[:120], fix="Connect to it first, or download the file")
    data, name = await _fetched(where, connection)
    return await asyncio.to_thread(document.parse, data, name)


async def _fetched(where: Served | Ran | UserWorkflow, connection: Connection) -> tuple[bytes, str]:
    match where:
        case Served():
            return await connection.served.file(where.filename, where.subfolder, where.type), where.filename
        case Ran():
            return await connection.served.entry(where.prompt_id), f"job {where.prompt_id}"
        case UserWorkflow():
            return await connection.userdata.read(where.path), where.path.rpartition("/")[2]
    assert_never(where)

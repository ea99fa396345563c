"""Workflows of every form made ready for the editor and the queue, with what the connected server declares."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.lacks import Lack, lacking_classes, lacks

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.workflow.document import Document
    from comfytui.workflow.runnable import Runnable


async def runnable(found: Document, connection: Connection | None) -> Runnable:
    """The document with a graph, and what its conversion has to tell.

    Raises WorkflowError (of the UI form: it is malformed, or needs nodes that the server does not have), ClientError.
    """
    from comfytui.workflow.runnable import Runnable
    from comfytui.workflow.runnable import runnable as converted

    if found.form == "api":
        return Runnable(found)
    if connection is None:
        problem = "was saved by the web page: which values are whose, only a server can tell"
        raise WorkflowError(problem, name=found.name, fix="Connect to a server first")
    return await asyncio.to_thread(converted, found, await connection.load_object_info())


def lacking(found: Document, info: Mapping[str, Any]) -> list[Lack]:
    """What the server with these declarations lacks of it. Blocking, some 10 ms: call it in a thread.

    Raises WorkflowError if its UI form is malformed.
    """
    from comfytui.workflow.convert import MissingNodesError
    from comfytui.workflow.runnable import runnable as converted

    try:
        return lacks(converted(found, info).document.graph, info)
    except MissingNodesError as error:
        return lacking_classes((each.class_type for each in error.missing), info)

"""Makes of a document, whichever form it was found in, one with a graph that can run."""

from __future__ import annotations

import msgspec

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert import Remark, to_api
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.nodes import checked


class Runnable(msgspec.Struct, frozen=True):
    """A document with a graph, and what its conversion had to tell; nothing if it had one before."""

    document: Document
    warnings: tuple[Remark, ...] = ()
    problems: tuple[Remark, ...] = ()


def runnable(found: Document, object_info: ObjectInfo) -> Runnable:
    """The document itself if it has a graph, else one with the graph of its UI form, which it keeps.

    Raises WorkflowError if the UI form is malformed, MissingNodesError if the server lacks node classes. Takes some
    milliseconds, for the largest workflows some ten.
    """
    if found.graph or found.workflow is None:
        return Runnable(found)
    try:
        converted = to_api(found.workflow, object_info)
        graph = checked(converted.graph)
    except WorkflowError as error:
        raise error.named(found.name) from error
    return Runnable(msgspec.structs.replace(found, graph=graph), converted.warnings, converted.problems)

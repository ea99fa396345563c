"""Makes a document one that can be run: its graph as it is, or made of its UI form with what the server declares."""

from __future__ import annotations

import msgspec

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert import Remark, to_api
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError


class Ready(msgspec.Struct, frozen=True):
    """A document with a graph. `remarks` tell what a conversion left out, mended or doubts; empty without one."""

    document: Document
    remarks: tuple[Remark, ...] = ()


def ready(found: Document, object_info: ObjectInfo) -> Ready:
    """The document, with a graph. The UI form stays beside it. Takes some 10 ms for a large one: call it in a thread.

    Raises WorkflowError: MissingNodesError, with every node that the server does not know, where a guess would be needed.
    """
    if found.form == "api" or found.workflow is None:
        return Ready(found)
    try:
        converted = to_api(found.workflow, object_info)
    except WorkflowError as error:
        raise error if error.name else error.named(found.name) from error
    document = msgspec.structs.replace(found, graph=converted.graph)
    return Ready(document, (*converted.warnings, *converted.problems))

"""Legacy group nodes, which older front ends had before subgraphs."""

from __future__ import annotations

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.convert.reading import Workflow


def without_groups(workflow: Workflow, object_info: ObjectInfo) -> Workflow:
    return workflow

"""Many runs of a workflow from one description: sweeps, rows of a file, and seeds."""

from __future__ import annotations

from comfytui.workflow.variations.job_file import JobFile, Part, Seeds, read_job_file
from comfytui.workflow.variations.naming import Setter, setter
from comfytui.workflow.variations.plan import Source, Variation, graph_of, plan
from comfytui.workflow.variations.rows import Row, RowFile, read_rows
from comfytui.workflow.variations.values import MAX_JOBS, values

__all__ = [
    "MAX_JOBS",
    "JobFile",
    "Part",
    "Row",
    "RowFile",
    "Seeds",
    "Setter",
    "Source",
    "Variation",
    "graph_of",
    "plan",
    "read_job_file",
    "read_rows",
    "setter",
    "values",
]

"""What waits, what runs and what has ended: the queue, the history, and both in one list."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.server.openapi.describe import (
    ABSENT,
    BAD,
    EMPTY,
    Answer,
    AnyObject,
    Body,
    Complaint,
    Count,
    Input,
    Milliseconds,
    Operation,
    Operations,
    in_path,
    ok,
)

TITLE = "jobs"

Item = Annotated[
    list[Any],
    Meta(
        min_length=5,
        max_length=5,
        description=(
            "Five elements: the number that orders the queue, the job's id, the graph, `extra_data`, "
            "the ids of the output nodes that will run."
        ),
    ),
]


class Queue(Struct):
    """What runs and what waits."""

    queue_running: list[Item]
    queue_pending: Annotated[list[Item], Meta(description="In the order in which they will run.")]


class Removal(Struct):
    """What to take out."""

    clear: Annotated[bool, Meta(description="Everything; done first.")] | UnsetType = UNSET
    delete: Annotated[list[str], Meta(description="Ids; unknown ones are passed over.")] | UnsetType = UNSET


class HistoryStatus(Struct):
    """How a job ended."""

    status_str: Literal["success", "error"]
    completed: bool
    messages: Annotated[
        list[Any],
        Meta(
            description=(
                "Pairs of an event's name and its data. The last tells an error (`execution_error`) "
                "from an interruption (`execution_interrupted`)."
            )
        ),
    ]


class HistoryEntry(Struct):
    """A job that has ended."""

    prompt: Item
    outputs: Annotated[dict[str, AnyObject], Meta(description="What each output node shows: `images` and others.")]
    status: HistoryStatus
    meta: Annotated[dict[str, AnyObject], Meta(description="For each output, the node of the submitted graph.")]


History = Annotated[dict[str, HistoryEntry], Meta(description="By the job's id, oldest first.")]
JobStatus = Literal["pending", "in_progress", "completed", "failed", "cancelled"]


class Job(Struct):
    """A job, wherever it is. Keys without a value are left out."""

    id: str
    status: JobStatus
    priority: Annotated[float, Meta(description="The number that orders the queue.")]
    create_time: Milliseconds
    outputs_count: Count
    execution_start_time: Milliseconds | UnsetType = UNSET
    execution_end_time: Milliseconds | UnsetType = UNSET
    execution_error: Annotated[AnyObject, Meta(description="The data of `execution_error`.")] | UnsetType = UNSET
    preview_output: Annotated[AnyObject, Meta(description="The picture to show for it.")] | UnsetType = UNSET
    workflow_id: str | UnsetType = UNSET


class JobWorkflow(Struct):
    """What was submitted."""

    prompt: AnyObject
    extra_data: AnyObject


class JobDetail(Job):
    """A job with all that is known of it; the last three once it has ended."""

    outputs: dict[str, AnyObject] | UnsetType = UNSET
    execution_status: HistoryStatus | UnsetType = UNSET
    workflow: JobWorkflow | UnsetType = UNSET


class Pagination(Struct):
    """Which part of the list this is."""

    offset: Count
    limit: Annotated[int, Meta(ge=1)] | None
    total: Count
    has_more: bool


class JobPage(Struct):
    """Some of the jobs."""

    jobs: list[Job]
    pagination: Pagination


class CancelRequest(Struct):
    """Which jobs to end."""

    job_ids: list[str]


class Cancelled(Struct):
    """Whether anything was ended."""

    cancelled: bool


_ID = in_path("prompt_id", "The job's id.")

OPERATIONS: Operations = {
    ("GET", "/queue"): Operation("getQueue", "What runs and what waits", ok("The queue.", Queue)),
    ("POST", "/queue"): Operation(
        "changeQueue",
        "Take waiting jobs out",
        {200: EMPTY, 400: BAD},
        more="What runs is not touched.",
        body=Body("Which.", Removal),
    ),
    ("DELETE", "/queue/{prompt_id}"): Operation(
        "deleteQueued", "Take one waiting job out", {200: EMPTY, 404: ABSENT}, inputs=(_ID,)
    ),
    ("GET", "/history"): Operation(
        "getHistory",
        "Jobs that have ended",
        {**ok("The entries.", History), 400: BAD},
        more="Without `max_items` it is everything, graphs and all, and is sent in pieces.",
        inputs=(
            Input("max_items", "How many; without `offset` the newest ones. 0 or less gives none.", int),
            Input("offset", "Counted from the oldest; below 0 as if it were absent.", int),
        ),
    ),
    ("POST", "/history"): Operation(
        "changeHistory", "Forget jobs", {200: EMPTY, 400: BAD}, body=Body("Which. Files stay.", Removal)
    ),
    ("GET", "/history/{prompt_id}"): Operation(
        "getHistoryEntry",
        "One job that has ended",
        ok("The entry by its id, or an empty object if there is none.", History),
        inputs=(_ID,),
    ),
    ("DELETE", "/history/{prompt_id}"): Operation(
        "deleteHistoryEntry", "Forget one job", {200: EMPTY, 404: ABSENT}, inputs=(_ID,)
    ),
    ("GET", "/api/jobs"): Operation(
        "listJobs",
        "Jobs, wherever they are",
        {**ok("A page of them.", JobPage), 400: Answer("A parameter is wrong.", Complaint)},
        inputs=(
            Input(
                "status",
                "Only these, with commas between: `pending`, `in_progress`, `completed`, `failed`, `cancelled`.",
            ),
            Input("workflow_id", "Only those of this workflow."),
            Input("sort_by", "By what.", Literal["created_at", "execution_duration"]),
            Input("sort_order", "Newest or longest first (`desc`) or last.", Literal["desc", "asc"]),
            Input("limit", "How many; without it all.", Annotated[int, Meta(ge=1)]),
            Input("offset", "How many to pass over.", int),
        ),
    ),
    ("GET", "/api/jobs/{prompt_id}"): Operation(
        "getJob",
        "One job",
        {**ok("The job.", JobDetail), 404: Answer("There is no such job.", Complaint)},
        inputs=(_ID,),
    ),
    ("POST", "/api/jobs/{prompt_id}/cancel"): Operation(
        "cancelJob",
        "End one job, whether it waits or runs",
        ok("Whether it did.", Cancelled),
        more="A job that waits is forgotten, and its id answers 404; one that runs is interrupted and goes to the history.",
        inputs=(_ID,),
    ),
    ("POST", "/api/jobs/cancel"): Operation(
        "cancelJobs",
        "End several jobs",
        {**ok("Whether any did.", Cancelled), 400: BAD},
        body=Body("Which.", CancelRequest),
    ),
}

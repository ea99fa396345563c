"""Submitting a workflow, interrupting it, and giving memory back."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.server.openapi.describe import (
    BAD,
    EMPTY,
    Answer,
    AnyObject,
    Body,
    Operation,
    Operations,
    Refusal,
    ok,
)

TITLE = "execution"

NodeId = Annotated[str, Meta(description="Any text; `12:7` for a node inside a group.", examples=["3"])]


class GraphNode(Struct):
    """One node of a graph."""

    class_type: Annotated[str, Meta(description="A class of `/object_info`.")]
    inputs: Annotated[
        dict[str, Any],
        Meta(
            description=(
                "By name: a value, or a link `[node id, number of the output]`. "
                'Every list of two is a link; a list that is meant as a value is sent as `{"__value__": [...]}`.'
            )
        ),
    ]
    _meta: Annotated[AnyObject, Meta(description="`title` is shown where the node is named.")] | UnsetType = UNSET


class PromptRequest(Struct):
    """A workflow to run."""

    prompt: Annotated[dict[NodeId, GraphNode], Meta(description="The graph in API format, by node id.")]
    client_id: (
        Annotated[str, Meta(description="The `clientId` of the socket that is to hear of this job.")] | UnsetType
    ) = UNSET
    prompt_id: (
        Annotated[str, Meta(max_length=256, description="The job's id; a UUID is made if there is none.")] | UnsetType
    ) = UNSET
    number: Annotated[float, Meta(description="The place in the queue: smaller runs earlier.")] | UnsetType = UNSET
    front: Annotated[bool, Meta(description="Before all that wait.")] | UnsetType = UNSET
    extra_data: (
        Annotated[
            AnyObject,
            Meta(
                description=(
                    "`extra_pnginfo` is written into saved pictures; `preview_method` (`none`, `auto`, `latent2rgb`, "
                    "`taesd`) asks for previews of this job."
                )
            ),
        ]
        | UnsetType
    ) = UNSET
    partial_execution_targets: (
        Annotated[list[NodeId], Meta(description="Only these output nodes, and what they need.")] | UnsetType
    ) = UNSET


class NodeProblem(Struct):
    """One thing that is wrong with one input."""

    type: Annotated[str, Meta(examples=["value_not_in_list"])]
    message: str
    details: str
    extra_info: AnyObject


class NodeProblems(Struct):
    """What is wrong with one node."""

    errors: list[NodeProblem]
    dependent_outputs: Annotated[list[str], Meta(description="Output nodes that cannot run because of it.")]
    class_type: str


class Accepted(Struct):
    """The job is stored and will run."""

    prompt_id: str
    number: Annotated[float, Meta(description="Its place in the queue.")]
    node_errors: Annotated[
        dict[str, NodeProblems], Meta(description="Not empty: these nodes, and the outputs behind them, are left out.")
    ]


class PromptError(Struct):
    """Why the whole workflow is refused."""

    type: Annotated[str, Meta(examples=["prompt_outputs_failed_validation"])]
    message: str
    details: str
    extra_info: AnyObject


class PromptRefused(Struct):
    """Nothing was queued."""

    error: PromptError
    node_errors: dict[str, NodeProblems]


class ExecInfo(Struct):
    """How much there is to do."""

    queue_remaining: Annotated[int, Meta(ge=0, description="Jobs that wait or run.")]


class Remaining(Struct):
    """The state of the queue in one number."""

    exec_info: ExecInfo


class InterruptRequest(Struct):
    """Which job to interrupt."""

    prompt_id: Annotated[str, Meta(description="Only if this one runs; without it, whichever runs.")] | UnsetType = (
        UNSET
    )


class FreeRequest(Struct):
    """What to give back."""

    unload_models: Annotated[bool, Meta(description="The models.")] | UnsetType = UNSET
    free_memory: Annotated[bool, Meta(description="The models, and the kept results of nodes.")] | UnsetType = UNSET


OPERATIONS: Operations = {
    ("POST", "/prompt"): Operation(
        "submitPrompt",
        "Queue a workflow",
        {
            200: Answer("The job is on disk and will run. Look at `node_errors` all the same.", Accepted),
            400: Answer("Nothing was queued: the graph is wrong, or the body is.", PromptRefused),
            429: Answer("The queue is full.", Refusal),
            503: Answer("The worker that checks the graph is not to be reached, or the job cannot be stored.", Refusal),
        },
        more=(
            "The graph is checked, its values are coerced, and the job is stored before the answer is sent: "
            "what was accepted survives a crash. `extra_data` with `auth_token_comfy_org` or `api_key_comfy_org` "
            "reaches the nodes, and is neither stored nor shown."
        ),
        body=Body("The graph, and how to run it.", PromptRequest),
    ),
    ("GET", "/prompt"): Operation("getRemaining", "How many jobs wait or run", ok("The number.", Remaining)),
    ("POST", "/interrupt"): Operation(
        "interrupt",
        "Interrupt what runs",
        {200: EMPTY},
        more="Also if nothing runs. A body that is not JSON counts as none.",
        body=Body("Empty, or the job that is meant.", InterruptRequest, required=False),
    ),
    ("POST", "/free"): Operation(
        "free",
        "Give memory back",
        {200: Answer("It will be done when the running job has ended, or at once."), 400: BAD},
        body=Body("What to give back.", FreeRequest),
    ),
}

"""The nodes that workflows are made of, and what packages of nodes bring."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.server.openapi.describe import ABSENT, BYTES, Answer, AnyObject, Binary, Operation, Operations, in_path, ok

TITLE = "nodes"


class NodeInfo(Struct):
    """One class of nodes."""

    input: Annotated[
        dict[str, dict[str, Any]],
        Meta(
            description=(
                "Below `required`, `optional` and `hidden`, by name: `[type]` or `[type, options]`. "
                "A type is a word, several with commas, `*`, or a list of choices."
            )
        ),
    ]
    input_order: dict[str, list[str]]
    output: Annotated[list[Any], Meta(description="The type of each output.")]
    output_is_list: list[bool]
    output_name: list[str] | None
    name: str
    display_name: str | None
    description: str
    python_module: str
    category: str
    output_node: Annotated[bool, Meta(description="Whether a workflow may end here.")]
    output_tooltips: list[str | None] | UnsetType = UNSET
    output_matchtypes: Annotated[
        list[str | None] | UnsetType | None,
        Meta(description="By output: the template of the inputs whose type it has; null where it has its own."),
    ] = UNSET
    deprecated: bool | UnsetType = UNSET
    experimental: bool | UnsetType = UNSET
    api_node: bool | UnsetType = UNSET


Nodes = Annotated[dict[str, NodeInfo], Meta(description="By class.")]
Nothing = Annotated[AnyObject, Meta(description="By package of nodes.")]

OPERATIONS: Operations = {
    ("GET", "/object_info"): Operation(
        "listNodes", "Every class of nodes", ok("All of them; choices of files are listed afresh.", Nodes)
    ),
    ("GET", "/object_info/{node_class}"): Operation(
        "getNode",
        "One class of nodes",
        ok("The class, or an empty object if there is none.", Nodes),
        inputs=(in_path("node_class", "The class."),),
    ),
    ("GET", "/extensions"): Operation(
        "listExtensions", "Scripts that a web front end loads", ok("Their paths.", list[str])
    ),
    ("GET", "/workflow_templates"): Operation("listTemplates", "Example workflows", ok("Their names.", Nothing)),
    ("GET", "/workflow_templates/{module}/{file}"): Operation(
        "getTemplate",
        "A file of a package's example workflows",
        {200: Answer("The file.", Binary, ("application/json", "image/*", BYTES)), 404: ABSENT},
        inputs=(in_path("module", "The package."), in_path("file", "A name in its folder of examples.")),
    ),
    ("GET", "/i18n"): Operation("getTranslations", "Translations of packages of nodes", ok("By language.", Nothing)),
    ("GET", "/global_subgraphs"): Operation("listSubgraphs", "Subgraphs for all workflows", ok("By id.", Nothing)),
    ("GET", "/global_subgraphs/{id}"): Operation(
        "getSubgraph",
        "One subgraph",
        ok("The subgraph, or null if there is none.", AnyObject | None),
        inputs=(in_path("id", "Its id."),),
    ),
}

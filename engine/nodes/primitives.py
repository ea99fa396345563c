"""Nodes that hold one value, choose between two, or show any."""

from __future__ import annotations

import json
from typing import Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

LARGEST = 9223372036854775807
MATCHED = {"lazy": True, "template": {"template_id": "switch", "allowed_types": "*"}}


@node(
    "PrimitiveString",
    display_name="String",
    schema="v3",
    category="utils/primitive",
    inputs=[Input("value", "STRING", {"multiline": False})],
    outputs=[Output("STRING")],
)
def string(value: str) -> tuple[str]:
    return (value,)


@node(
    "PrimitiveStringMultiline",
    display_name="String (Multiline)",
    schema="v3",
    category="utils/primitive",
    inputs=[Input("value", "STRING", {"multiline": True})],
    outputs=[Output("STRING")],
)
def lines(value: str) -> tuple[str]:
    return (value,)


@node(
    "PrimitiveInt",
    display_name="Int",
    schema="v3",
    category="utils/primitive",
    inputs=[Input("value", "INT", {"min": -LARGEST, "max": LARGEST, "control_after_generate": True})],
    outputs=[Output("INT")],
)
def integer(value: int) -> tuple[int]:
    return (value,)


@node(
    "PrimitiveFloat",
    display_name="Float",
    schema="v3",
    category="utils/primitive",
    inputs=[Input("value", "FLOAT", {"min": -LARGEST, "max": LARGEST, "step": 0.1})],
    outputs=[Output("FLOAT")],
)
def number(value: float) -> tuple[float]:
    return (value,)


@node(
    "PrimitiveBoolean",
    display_name="Boolean",
    schema="v3",
    category="utils/primitive",
    inputs=[Input("value", "BOOLEAN")],
    outputs=[Output("BOOLEAN")],
)
def boolean(value: bool) -> tuple[bool]:
    return (value,)


@node(
    "CustomCombo",
    display_name="Custom Combo",
    schema="v3",
    category="utils",
    experimental=True,
    description="A choice whose options are written in the web page.",
    inputs=[Input("choice", [])],
    outputs=[Output("STRING")],
    validate_inputs=lambda choice: True,  # the options are known to the page alone
)
def custom_combo(choice: str) -> tuple[str]:
    return (choice,)


@node(
    "ComfySwitchNode",
    display_name="Switch",
    schema="v3",
    category="logic",
    experimental=True,
    description="Passes one of two inputs on; the other one is not computed.",
    inputs=[
        Input("switch", "BOOLEAN"),
        Input("on_false", "COMFY_MATCHTYPE_V3", MATCHED),
        Input("on_true", "COMFY_MATCHTYPE_V3", MATCHED),
    ],
    outputs=[Output("COMFY_MATCHTYPE_V3", "output", match="switch")],
    check_lazy=lambda switch, on_false=None, on_true=None: ["on_true" if switch else "on_false"],
)
def switch(switch: bool, on_false: Any = None, on_true: Any = None) -> tuple[Any]:
    return (on_true if switch else on_false,)


@node(
    "PreviewAny",
    display_name="Preview as Text",
    category="utils",
    output_node=True,
    description="Shows any value as text.",
    inputs=[Input("source", "*")],
)
def preview_any(source: Any = None) -> dict[str, Any]:
    return {"ui": {"text": (shown(source),)}}


def shown(value: Any) -> str:
    """A text as it is, plain data as JSON, anything else as Python prints it."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return str(value)


NODES: tuple[NodeDefinition, ...] = (
    string,
    lines,
    integer,
    number,
    boolean,
    custom_combo,
    switch,
    preview_any,
)

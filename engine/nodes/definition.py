"""What a node is: its inputs, its outputs, its flags and the function that does the work.

Built-in nodes are plain functions under the `@node` decorator; custom packs' classes are read into
the same `NodeDefinition`. The graph layer knows nodes through this and nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.files.folders import Folders

Options = Mapping[str, Any]
Schema = Literal["classic", "v3"]  # how a class declares itself: with INPUT_TYPES, or as an `io.ComfyNode`


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `type` is a type name, or a list of choices, or a function that lists them now (files)."""

    name: str
    type: str | Sequence[str] | Callable[[Folders], Sequence[str]]
    options: Options = field(default_factory=dict)
    optional: bool = False

    def spec(self, folders: Folders, schema: Schema = "classic") -> list[Any]:
        """`[type]` or `[type, options]` as `/object_info` tells it; choices of files are listed now.

        The newer schema always has options, and puts choices among them.
        """
        kind = self.type(folders) if callable(self.type) else self.type
        if schema == "v3":
            if isinstance(kind, str):
                return [kind, dict(self.options)]
            return ["COMBO", {"multiselect": False, **self.options, "options": list(kind)}]
        value: list[Any] = [kind if isinstance(kind, str) else list(kind)]
        if self.options:
            value.append(dict(self.options))
        return value


@dataclass(frozen=True, slots=True)
class Output:
    """One output; `name` defaults to the type.

    `match`: of an output that has the type of whatever is linked to the inputs whose template has this id.
    """

    type: str
    name: str | None = None
    is_list: bool = False
    tooltip: str | None = None
    match: str | None = None


@dataclass(frozen=True, slots=True)
class NodeDefinition:
    """A node class as the graph sees it.

    `function` is called with the inputs by name (and hidden ones), and with `context=` if it asks for
    it (see graph/progress.py). It returns a tuple of outputs, a dict with `ui` and/or `result` (and
    `expand`), or an awaitable of these.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)  # argument → PROMPT, UNIQUE_ID, EXTRA_PNGINFO, …
    display_name: str | None = None
    category: str = "sd"
    description: str = ""
    python_module: str = "nodes"
    output_node: bool = False
    deprecated: bool = False
    experimental: bool = False
    input_is_list: bool = False
    not_idempotent: bool = False
    api_node: bool = False  # it sends the work to somebody's paid service
    schema: Schema = "classic"
    is_changed: Callable[..., Any] | None = None  # IS_CHANGED / fingerprint_inputs
    validate_inputs: Callable[..., Any] | None = None  # VALIDATE_INPUTS
    check_lazy: Callable[..., Any] | None = None  # check_lazy_status
    wants_context: bool = False

    def info(self, folders: Folders) -> dict[str, Any]:
        """The entry of `/object_info`, keys in ComfyUI's order. Choices are listed afresh at each call."""
        sections: dict[str, dict[str, Any]] = {"required": {}}
        for item in self.inputs:
            section = sections.setdefault("optional" if item.optional else "required", {})
            section[item.name] = item.spec(folders, self.schema)
        newer = self.schema == "v3"
        if self.hidden:
            sections["hidden"] = {name: [kind] if newer else kind for name, kind in self.hidden.items()}
        entry: dict[str, Any] = {
            "input": sections,
            "input_order": {section: list(names) for section, names in sections.items()},
            "output": [o.type for o in self.outputs],
            "output_is_list": [o.is_list for o in self.outputs],
            "output_name": [o.name or o.type for o in self.outputs],
        }
        if newer:
            matched = any(o.match for o in self.outputs)
            entry["output_tooltips"] = [o.tooltip for o in self.outputs]
            entry["output_matchtypes"] = [o.match for o in self.outputs] if matched else None
        entry |= {
            "name": self.name,
            "display_name": self.display_name if newer else self.display_name or self.name,
            "description": self.description,
            "python_module": self.python_module,
            "category": self.category,
            "output_node": self.output_node,
        }
        if newer:
            flags = {"deprecated": self.deprecated, "experimental": self.experimental, "api_node": self.api_node}
            return entry | flags
        if any(o.tooltip for o in self.outputs):
            entry["output_tooltips"] = [o.tooltip or "" for o in self.outputs]
        if self.deprecated:
            entry["deprecated"] = True
        if self.experimental:
            entry["experimental"] = True
        return entry


def node(
    name: str, *, inputs: Sequence[Input] = (), outputs: Sequence[Output] = (), **flags: Any
) -> Callable[[Callable[..., Any]], NodeDefinition]:
    """Make the decorated function a node; `flags` are the other fields of `NodeDefinition`."""

    def make(function: Callable[..., Any]) -> NodeDefinition:
        wants = "context" in inspect.signature(function).parameters
        return NodeDefinition(name, function, tuple(inputs), tuple(outputs), wants_context=wants, **flags)

    return make

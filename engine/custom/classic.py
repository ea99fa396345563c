"""Reads a pack's class with `INPUT_TYPES` and the like into a `NodeDefinition`."""

from __future__ import annotations

import inspect
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.compat import runtime
from engine.files.folders import Folders
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output

_FRESH = 0.5  # seconds: one `/object_info` asks a class once, however many lists it has
_INSTANCES = 1000  # objects kept for each class: one for a node of a workflow


class BadNodeError(Exception):
    """A class that is no node; the message names what is wrong."""


class _Declared:
    """What `INPUT_TYPES` says now: lists of files change while the engine runs."""

    def __init__(self, node_class: Any) -> None:
        self._class = node_class
        self._asked = -math.inf
        self._said: Mapping[str, Any] = {}

    def __call__(self) -> Mapping[str, Any]:
        if time.monotonic() - self._asked > _FRESH:
            said = self._class.INPUT_TYPES()
            if not isinstance(said, Mapping):
                raise BadNodeError(f"INPUT_TYPES gives {type(said).__name__} and not a dict")
            self._said, self._asked = said, time.monotonic()
        return self._said

    def choices(self, section: str, name: str) -> Callable[[Folders], Sequence[Any]]:
        """A function that lists the choices of an input as of now."""

        def listed(_: Folders) -> Sequence[Any]:
            found = (self().get(section) or {}).get(name)
            kind = found[0] if found else ()
            return [] if isinstance(kind, str) else [plain(value) for value in kind]

        return listed


def read(name: str, node_class: Any, *, display_name: str | None, module: str) -> NodeDefinition:
    """The definition of a class. Raises `BadNodeError` or what the class raises."""
    method = getattr(node_class, "FUNCTION", None)
    if not isinstance(method, str) or not hasattr(node_class, method):
        raise BadNodeError(f"FUNCTION is {method!r}, and the class has no such method")
    declared = _Declared(node_class)
    sections = declared()
    instances = _Instances(node_class)

    def call(*, context: NodeContext, **inputs: Any) -> Any:
        with runtime.running(context):
            answer = getattr(instances.of(context.node_id), method)(**inputs)
        return _inside(context, answer) if inspect.isawaitable(answer) else answer

    return NodeDefinition(
        name=name,
        function=call,
        inputs=tuple(_inputs(declared, sections)),
        outputs=tuple(_outputs(node_class)),
        hidden={key: _type(kind) for key, kind in (sections.get("hidden") or {}).items()},
        display_name=display_name,
        category=str(getattr(node_class, "CATEGORY", "sd")),
        description=str(getattr(node_class, "DESCRIPTION", "")),
        python_module=module,
        output_node=bool(getattr(node_class, "OUTPUT_NODE", False)),
        deprecated=bool(getattr(node_class, "DEPRECATED", False)),
        experimental=bool(getattr(node_class, "EXPERIMENTAL", False)),
        input_is_list=bool(getattr(node_class, "INPUT_IS_LIST", False)),
        not_idempotent=bool(getattr(node_class, "NOT_IDEMPOTENT", False)),
        api_node=bool(getattr(node_class, "API_NODE", False)),
        is_changed=_changed(node_class),
        validate_inputs=getattr(node_class, "VALIDATE_INPUTS", None),
        check_lazy=_lazy(node_class),
        wants_context=True,
    )


class _Instances:
    """One object for a node of a workflow: packs keep what they loaded in `self` between prompts."""

    def __init__(self, node_class: Any) -> None:
        self._class = node_class
        self._known: OrderedDict[str, Any] = OrderedDict()

    def of(self, node_id: str) -> Any:
        found = self._known.get(node_id)
        if found is None:
            found = self._known[node_id] = self._class()
            if len(self._known) > _INSTANCES:
                self._known.popitem(last=False)
        self._known.move_to_end(node_id)
        return found


async def _inside(context: NodeContext, answer: Any) -> Any:
    with runtime.running(context):
        return await answer


def _inputs(declared: _Declared, sections: Mapping[str, Any]) -> list[Input]:
    found = []
    for section in ("required", "optional"):
        for name, spec in (sections.get(section) or {}).items():
            if isinstance(spec, str) or not isinstance(spec, Sequence) or not spec:
                raise BadNodeError(
                    f"the input {name} is declared as {spec!r} and not as a tuple that starts with a type"
                )
            options = plain(spec[1]) if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
            kind = _type(spec[0]) if isinstance(spec[0], str) else declared.choices(section, name)
            found.append(Input(str(name), kind, options, optional=section == "optional"))
    return found


def _outputs(node_class: Any) -> list[Output]:
    types = getattr(node_class, "RETURN_TYPES", ())
    names = getattr(node_class, "RETURN_NAMES", None) or ()
    lists = getattr(node_class, "OUTPUT_IS_LIST", None) or ()
    tooltips = getattr(node_class, "OUTPUT_TOOLTIPS", None) or ()
    if isinstance(types, str):
        raise BadNodeError(f"RETURN_TYPES is the text {types!r}; a tuple of one needs a comma: ({types!r},)")

    def at(values: Any, place: int) -> Any:
        return values[place] if not isinstance(values, str) and place < len(values) else None

    return [
        Output(
            _type(kind) if isinstance(kind, str) else plain(kind),
            None if at(names, place) is None else str(at(names, place)),
            bool(at(lists, place)),
            at(tooltips, place),
        )
        for place, kind in enumerate(types)
    ]


def _changed(node_class: Any) -> Callable[..., Any] | None:
    function = getattr(node_class, "IS_CHANGED", None)
    if function is None:
        return None

    def changed(**inputs: Any) -> Any:  # its own signature would be asked for the engine's arguments
        return function(**inputs)

    return changed


def _lazy(node_class: Any) -> Callable[..., Any] | None:
    if not hasattr(node_class, "check_lazy_status"):
        return None

    def check(**inputs: Any) -> Any:
        return node_class().check_lazy_status(**inputs)

    return check


def _type(kind: Any) -> str:
    """A plain text: packs use subclasses of `str` that claim to equal everything, under which `*` counts."""
    return (
        str.__str__(kind)
        if isinstance(kind, str)
        else str(kind[0] if isinstance(kind, list | tuple) and kind else kind)
    )


def plain(value: Any) -> Any:
    """`value` as JSON can hold it; what it cannot hold becomes text. One odd option must not hide all nodes."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) or inspect.isgenerator(value):
        return [plain(item) for item in value]
    return str(value)

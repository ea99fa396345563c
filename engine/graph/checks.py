"""What validation needs to know about a node class, worked out once: its inputs as checks on values and links."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.files.folders import Folders
from engine.nodes.definition import Input, NodeDefinition

Error = dict[str, Any]


def _whole(value: Any) -> int:
    """As `int`; raises `OverflowError` for what is too large even for a float."""
    number = int(value)
    float(number)
    return number


_FRESH = 2.0  # seconds that a listing of files is believed when it confirms a name
_SHORT_LIST = 20  # choices; longer lists are left out of errors
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1  # no message carries larger whole numbers, and no seed is one
_CONVERT: dict[str, Callable[[Any], Any]] = {"INT": _whole, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_EXACT: dict[str, type] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


class Choices:
    """The values that a list input takes: fixed ones, or names of files that come and go.

    Listing a large model folder takes milliseconds, and prompts are checked hundreds of times a second. A name that
    the last listing holds is accepted for two seconds; any other name causes a new listing, so that a file which has
    just arrived is found at once.
    """

    def __init__(self, source: Sequence[Any] | Callable[[Folders], Sequence[Any]]) -> None:
        self._source = source
        self._fixed = None if callable(source) else list(source)
        self._known = frozenset() if callable(source) else _hashable(source)
        self._listed = float("-inf")

    def __call__(self, folders: Folders) -> list[Any]:
        """All choices as of now."""
        if self._fixed is not None:
            return self._fixed
        assert callable(self._source)  # noqa: S101 - the other half of _fixed
        listed = list(self._source(folders))
        self._known, self._listed = _hashable(listed), time.monotonic()
        return listed

    def accepts(self, value: Any, folders: Folders) -> bool:
        try:
            known = value in self._known
        except TypeError:  # a dict or a list: never among hashable choices
            return value in self(folders)
        if self._fixed is not None:
            return known
        if known and time.monotonic() - self._listed < _FRESH:
            return True
        return value in self(folders)


MATCHED = "COMFY_MATCHTYPE_V3"  # an input that takes one of several types, and an output that has the one that came


@dataclass(frozen=True, slots=True)
class InputCheck:
    """One declared input, ready to check."""

    name: str
    required: bool
    kind: str  # INT, FLOAT, STRING, BOOLEAN, COMBO, or any other type
    options: dict[str, Any]
    accepted: frozenset[str]  # types a link may bring; "*" takes all
    choices: Choices | None
    by_function: bool  # the node's own function decides on the value

    def config(self, folders: Folders, *, short: bool = False) -> list[Any] | None:
        """`[type, options]` for an error; with `short`, None where the list of choices is long."""
        if self.choices is None or self.kind != "COMBO" or "options" in self.options:
            return [self.kind, self.options]
        listed = self.choices(folders)
        return None if short and len(listed) > _SHORT_LIST else [listed, self.options]

    def takes(self, received: Any) -> bool:
        """Whether a link of this type may come here."""
        if received == self.kind or "*" in self.accepted:
            return True
        if not isinstance(received, str):
            return self.kind == "COMBO"
        return received == "*" or not self.accepted.isdisjoint(part.strip() for part in received.split(","))

    def check(self, value: Any, folders: Folders) -> tuple[Any, Error | None]:
        """The value as the node gets it, and what is wrong with it."""
        given = value
        convert = _CONVERT.get(self.kind)
        if convert is not None and type(value) is not _EXACT[self.kind]:
            try:
                value = convert(value)
            except Exception as error:
                return value, self._unusable(value, error, folders)
        if self.kind == "FLOAT" and not math.isfinite(value):  # the queue is JSON, which has no way to write it
            return given, self._unusable(given, ValueError(f"{value} is not a finite number"), folders)
        problem = None if self.by_function else self._in_range(value, folders)
        if self.kind == "INT" and not _SMALLEST <= value <= _LARGEST:
            if problem is None:
                problem = self._unusable(given, ValueError(f"{value:.3e} has more than 64 bits"), folders)
            value = problem["extra_info"]["received_value"] = float(value)
        return value, problem

    def _unusable(self, value: Any, error: Exception, folders: Folders) -> Error:
        return {
            "type": "invalid_input_type",
            "message": f"Failed to convert an input value to a {self.kind} value",
            "details": f"{self.name}, {value}, {error}",
            "extra_info": {
                "input_name": self.name,
                "input_config": self.config(folders),
                "received_value": value,
                "exception_message": str(error),
            },
        }

    def _in_range(self, value: Any, folders: Folders) -> Error | None:
        minimum, maximum = self.options.get("min"), self.options.get("max")
        numeric = isinstance(value, int | float)
        if minimum is not None and numeric and value < minimum:
            return self._error("value_smaller_than_min", f"Value {value} smaller than min of {minimum}", value, folders)
        if maximum is not None and numeric and value > maximum:
            return self._error("value_bigger_than_max", f"Value {value} bigger than max of {maximum}", value, folders)
        if self.choices is None or self.choices.accepts(value, folders):
            return None
        values = value if isinstance(value, list) and self.options.get("multiselect") else [value]
        if value and all(self.choices.accepts(one, folders) for one in values):
            return None
        listed = self.choices(folders)
        shown = f"(list of length {len(listed)})" if len(listed) > _SHORT_LIST else str(listed)
        return {
            "type": "value_not_in_list",
            "message": "Value not in list",
            "details": f"{self.name}: '{value}' not in {shown}",
            "extra_info": {
                "input_name": self.name,
                "input_config": self.config(folders, short=True),
                "received_value": value,
            },
        }

    def _error(self, kind: str, message: str, value: Any, folders: Folders) -> Error:
        extra = {"input_name": self.name, "input_config": self.config(folders), "received_value": value}
        return {"type": kind, "message": message, "details": self.name, "extra_info": extra}


@dataclass(frozen=True, slots=True)
class NodeChecks:
    """A node class, ready to validate."""

    definition: NodeDefinition
    inputs: tuple[InputCheck, ...]
    output_types: tuple[Any, ...]
    function_inputs: tuple[str, ...] = ()  # inputs that `validate_inputs` takes by name
    function_takes: frozenset[str] = field(default_factory=frozenset)  # all its parameters
    function_takes_all: bool = False  # it has **kwargs

    def matched(self, slot: int) -> tuple[str, ...]:
        """The inputs whose type this output takes over; none for one with a type of its own."""
        output = self.definition.outputs[slot]
        if output.type != MATCHED or output.match is None:
            return ()
        templates = ((check.name, check.options.get("template")) for check in self.inputs if check.kind == MATCHED)
        return tuple(name for name, of in templates if isinstance(of, dict) and of.get("template_id") == output.match)

    @property
    def types_by_function(self) -> bool:
        """The node's own function checks the types of links."""
        return "input_types" in self.function_takes


def compile_checks(definition: NodeDefinition) -> NodeChecks:
    """Work out the checks of a node class."""
    names: frozenset[str] = frozenset()
    takes_all = False
    if definition.validate_inputs is not None:
        parameters = inspect.signature(definition.validate_inputs).parameters.values()
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        names = frozenset(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
    declared = tuple(_input_check(item, takes_all or item.name in names) for item in definition.inputs)
    return NodeChecks(
        definition,
        declared,
        tuple(output.type for output in definition.outputs),
        tuple(check.name for check in declared if takes_all or check.name in names),
        names,
        takes_all,
    )


def _input_check(item: Input, by_function: bool) -> InputCheck:
    options = dict(item.options)
    if isinstance(item.type, str):
        kind = item.type
        choices = Choices(options["options"]) if kind == "COMBO" and options.get("options") else None
    else:
        kind, choices = "COMBO", Choices(item.type)
    taken = kind
    if kind == MATCHED:
        template = item.options.get("template")
        taken = str(template.get("allowed_types", "*")) if isinstance(template, dict) else "*"
    accepted = frozenset(part.strip() for part in taken.split(","))
    return InputCheck(item.name, not item.optional, kind, options, accepted, choices, by_function)


def _hashable(values: Sequence[Any]) -> frozenset[Any]:
    return frozenset(value for value in values if not isinstance(value, list | dict))

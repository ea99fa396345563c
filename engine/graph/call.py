"""Calls a node's function: over lists of inputs, with the arguments it asks for, and reads what it returns."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from engine.graph.cache import Result
from engine.nodes.definition import NodeDefinition

Lists = Mapping[str, Sequence[Any]]  # each input of a node is a list of values


class BadReturnError(TypeError):
    """A node returned what no node may; the message names the node."""


def call_node(
    definition: NodeDefinition, lists: Lists, before_call: Callable[[], None], extra: Mapping[str, Any]
) -> Result:
    """Run a node: once for each element of its longest input, shorter ones repeat their last.

    A node with `input_is_list` is called once with the whole lists. `extra` are arguments that are the same in each
    call; `before_call` may raise, to stop between calls. Raises what the node raises, and `BadReturnError`.
    """
    outputs: tuple[list[Any], ...] = tuple([] for _ in definition.outputs)
    uis: list[dict[str, Any]] = []
    for arguments in _calls(definition, lists):
        before_call()
        _collect(definition, settle(definition.function(**arguments, **extra)), outputs, uis)
    return Result(outputs, _merge(uis) if uis else None, tuple(output.type for output in definition.outputs))


def over_lists(function: Callable[..., Any], lists: Lists, extra: Mapping[str, Any]) -> list[Any]:
    """The answers of a helper of a node (`check_lazy`), called as often as the node would be."""
    return [settle(function(**arguments, **extra)) for arguments in _rows(lists)]


def wants(function: Callable[..., Any], name: str) -> bool:
    """Whether the function has a parameter of this name."""
    return name in inspect.signature(function).parameters


def settle(value: Any) -> Any:
    """The value itself, or what an awaitable gives. One at a time: a node that waits keeps the others waiting."""
    if not inspect.isawaitable(value):
        return value

    async def wait() -> Any:
        return await value

    return asyncio.run(wait())


def _calls(definition: NodeDefinition, lists: Lists) -> list[dict[str, Any]]:
    if definition.input_is_list:
        return [{name: list(values) for name, values in lists.items()}]
    return _rows(lists)


def _rows(lists: Lists) -> list[dict[str, Any]]:
    longest = max(map(len, lists.values()), default=0)
    if longest == 0:
        return [{}]
    if longest > 1 or any(not values for values in lists.values()):
        for name, values in lists.items():
            if not values:
                raise ValueError(f"the input {name} got an empty list while others have values")
    return [{name: values[min(row, len(values) - 1)] for name, values in lists.items()} for row in range(longest)]


def _collect(
    definition: NodeDefinition, returned: Any, outputs: tuple[list[Any], ...], uis: list[dict[str, Any]]
) -> None:
    """Sort one call's return value into the lists of the outputs and the pieces of ui."""
    if isinstance(returned, dict):
        if "expand" in returned:
            raise BadReturnError(f"{definition.name} returned a graph to run in its place; this engine cannot do that")
        if (ui := returned.get("ui")) is not None:
            uis.append(ui)
        returned = returned.get("result", ())
    if returned is None:
        returned = ()
    if not isinstance(returned, tuple | list):
        raise BadReturnError(
            f"{definition.name} returned {type(returned).__name__}; a node returns a tuple of its outputs"
        )
    # A node that shows something need not give outputs; the lists then stay empty.
    for output, values, value in zip(definition.outputs, outputs, returned, strict=False):
        if output.is_list:
            values.extend(_without_grad(item) for item in value)
        else:
            values.append(_without_grad(value))


def _without_grad(value: Any) -> Any:
    """A node may have switched gradients on; what it gives must not keep its whole computation alive."""
    return value.detach() if isinstance(value, torch.Tensor) and value.requires_grad else value


def _merge(uis: list[dict[str, Any]]) -> dict[str, Any]:
    """Per key, the values of all calls in one list."""
    if len(uis) == 1:
        return uis[0]
    return {key: [value for ui in uis for value in ui.get(key, ())] for key in uis[0]}

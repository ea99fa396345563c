"""Links of a prompt: `[node id, output index]` in place of a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.nodes.definition import NodeDefinition


def is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def links_of(node: Mapping[str, Any], definition: NodeDefinition) -> Iterator[tuple[str, str, bool]]:
    """For each linked input that the class declares: its name, the node it comes from, and whether it must be there
    before the node may run (a lazy one need not, nor one that wants the link itself)."""
    inputs = node["inputs"]
    for item in definition.inputs:
        value = inputs.get(item.name)
        if not is_link(value):
            continue
        options = item.options
        waits = not options or not (options.get("rawLink") or (options.get("lazy") and definition.check_lazy))
        yield item.name, value[0], waits


def reach(prompt: Mapping[str, Any], outputs: Iterable[str], registry: Mapping[str, NodeDefinition]) -> list[str]:
    """All nodes that `outputs` need, ancestors before what uses them.

    Raises `ValueError` for a cycle and `KeyError` for an absent node or class; validation lets none of them through.
    """
    complete: dict[str, bool] = {}  # False: on the path that is being walked
    found: list[str] = []
    for output in outputs:
        path: list[tuple[str, bool]] = [(output, False)]
        while path:
            node_id, leaving = path.pop()
            if leaving:
                complete[node_id] = True
                found.append(node_id)
                continue
            if node_id in complete:
                continue
            complete[node_id] = False
            path.append((node_id, True))
            node = prompt[node_id]
            for _, source, _ in links_of(node, registry[node["class_type"]]):
                if complete.get(source) is False:
                    raise ValueError(f"the graph has a cycle through the nodes {source} and {node_id}")
                path.append((source, False))
    return found

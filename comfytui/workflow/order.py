"""The order in which the nodes of a graph are expected to run, for display before the server tells."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from comfytui.workflow.graph import Graph, consumers, links
from comfytui.workflow.graph import title as title_of


def expected(graph: Graph, outputs: Iterable[str] | None = None) -> tuple[str, ...]:
    """Node ids, origins before consumers, as ComfyUI does it: what completes an output soon goes first, and of the
    others what was met first on the way from the outputs to the inputs (of several inputs, the last one first).

    With `outputs`, only what these nodes need. Without, all nodes, and those that nothing consumes count as outputs.
    Nodes in a cycle come last, as the graph has them.
    """
    taken_by = consumers(graph)
    ends = [node_id for node_id in graph if not taken_by[node_id]] if outputs is None else _known(graph, outputs)
    found = _discovered(graph, ends)
    # What no end needs is in a cycle, or behind one.
    wanted = dict.fromkeys((*found, *graph)) if outputs is None else dict.fromkeys(found)
    position = {node_id: index for index, node_id in enumerate(wanted)}
    hops = _hops(graph, ends)
    missing = {
        node_id: {origin for _, origin, _ in links(graph, node_id) if origin in wanted and origin in graph}
        for node_id in wanted
    }
    ready = [(hops.get(node_id, 3), position[node_id], node_id) for node_id, needs in missing.items() if not needs]
    heapq.heapify(ready)
    done: list[str] = []
    while ready:
        node_id = heapq.heappop(ready)[2]
        done.append(node_id)
        for consumer in taken_by[node_id]:
            needs = missing.get(consumer)
            if needs and node_id in needs:
                needs.discard(node_id)
                if not needs:
                    heapq.heappush(ready, (hops.get(consumer, 3), position[consumer], consumer))
    left = set(wanted).difference(done)
    return (*done, *(node_id for node_id in graph if node_id in left))


def titles(graph: Graph) -> dict[str, str]:
    """node id → its title, else its class, else its id."""
    return {node_id: title_of(graph, node_id) for node_id in graph}


def _known(graph: Graph, outputs: Iterable[str]) -> list[str]:
    return [node_id for node_id in outputs if node_id in graph]


def _discovered(graph: Graph, ends: Iterable[str]) -> list[str]:
    """What the ends need, themselves included, in the order in which a server meets it."""
    found: dict[str, None] = {}
    for end in ends:
        waiting = [end]
        while waiting:
            node_id = waiting.pop()
            if node_id not in found:
                found[node_id] = None
                waiting.extend(origin for _, origin, _ in links(graph, node_id) if origin in graph)
    return list(found)


def _hops(graph: Graph, ends: Iterable[str]) -> dict[str, int]:
    """How far a node is from an output, up to two links: 0 for the outputs themselves."""
    found = dict.fromkeys(ends, 0)
    layer = list(found)
    for distance in (1, 2):
        layer = [
            origin
            for node_id in layer
            for _, origin, _ in links(graph, node_id)
            if origin in graph and found.setdefault(origin, distance) == distance
        ]
    return found

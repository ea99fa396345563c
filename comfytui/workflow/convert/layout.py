"""Where the nodes of a sheet stand: in columns by the longest way from a node that takes nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

GAP_X, GAP_Y = 60, 50  # between columns, and between the nodes of one, in the browser's units
TITLE = 30  # a node's position is that of its body; the title stands above it


class Box(NamedTuple):
    """A node's position and size, in the browser's units (pixels at a zoom of 1)."""

    x: int
    y: int
    width: int
    height: int


def depths(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> dict[str, int]:
    """node → the most links in a row that end at it. Links are (origin, target); those of a circle count once.

    Nodes come in the order of the result before all that takes from them, but for circles.
    """
    takers: dict[str, list[str]] = {node: [] for node in nodes}
    waits = dict.fromkeys(nodes, 0)
    for origin, target in links:
        if origin in takers and target in waits and origin != target:
            takers[origin].append(target)
            waits[target] += 1
    position = {node: index for index, node in enumerate(nodes)}
    ready = [(0, position[node], node) for node in nodes if not waits[node]]
    left = dict.fromkeys(node for node in nodes if waits[node])
    found: dict[str, int] = {}
    reached = dict.fromkeys(nodes, 0)
    while ready or left:
        if not ready:  # a circle: begin it anywhere
            node = next(iter(left))
            del left[node]
            ready = [(reached[node], position[node], node)]
        depth, _, node = heapq.heappop(ready)
        found[node] = depth
        for taker in takers[node]:
            if taker in left:
                reached[taker] = max(reached[taker], depth + 1)
                waits[taker] -= 1
                if not waits[taker]:
                    del left[taker]
                    heapq.heappush(ready, (reached[taker], position[taker], taker))
    return found


def boxes(
    depth: Mapping[str, int], links: Iterable[tuple[str, str]], sizes: Mapping[str, tuple[int, int]]
) -> dict[str, Box]:
    """A box for each node of `depth`: a column for each depth, in it the nodes near those that they take from."""
    columns: dict[int, list[str]] = {}
    for node, column in depth.items():
        columns.setdefault(column, []).append(node)
    origins: dict[str, list[str]] = {node: [] for node in depth}
    for origin, target in links:
        if origin in depth and target in depth:
            origins[target].append(origin)
    found: dict[str, Box] = {}
    x = 0
    for _, nodes in sorted(columns.items()):
        middles = {node: _middle(found, origins[node]) for node in nodes}
        y = 0
        for node in sorted(nodes, key=middles.__getitem__):  # stable: the order of the graph decides ties
            width, height = sizes[node]
            found[node] = Box(x, y, width, height)
            y += height + TITLE + GAP_Y
        x += max(sizes[node][0] for node in nodes) + GAP_X
    return found


def _middle(placed: Mapping[str, Box], origins: Sequence[str]) -> float:
    ys = [placed[node].y + placed[node].height / 2 for node in origins if node in placed]
    return sum(ys) / len(ys) if ys else 0.0

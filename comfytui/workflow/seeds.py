"""The seeds of a workflow: where they are, new ones, and one for each of several runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from comfytui.workflow import trace
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, inputs

MAX_SEED = 2**64 - 1  # what KSampler accepts
# What random seeds stay below: browsers keep them as doubles and would round larger ones.
MAX_RANDOM = 2**50


def seed_places(graph: Graph) -> tuple[Place, ...]:
    """The inputs that hold a seed as a plain number: those of the samplers first, then others of that name."""
    found = [place for place, role in trace.roles(graph).items() if role == "seed"]
    for node_id in graph:
        for name, value in inputs(graph, node_id).items():
            if name in trace.SCALARS["seed"] and isinstance(value, int) and not isinstance(value, bool):
                found.append(Place(node_id, name))
    return tuple(dict.fromkeys(found))


def with_seed(graph: Graph, seed: int) -> dict[str, Any]:
    """The graph with every seed replaced. Raises WorkflowError if it has none, or the seed is out of range."""
    _in_range(seed)
    places = seed_places(graph)
    if not places:
        raise WorkflowError("has no seed to set", fix="Run it without a seed")
    changed = dict(graph)
    for place in places:
        node = dict(changed[place.node_id])
        node["inputs"] = {**node["inputs"], place.input: seed}
        changed[place.node_id] = node
    return changed


def random_seed() -> int:
    """A seed nobody chose, 0 … 2**50 - 1."""
    return secrets.randbelow(MAX_RANDOM)


def seeds(count: int, first: int | None) -> Iterator[int]:
    """`count` seeds: counting up from `first` (wrapping at the largest), or all random if that is None.

    Raises WorkflowError if `first` is out of range.
    """
    if first is not None:
        _in_range(first)
    for index in range(count):
        yield random_seed() if first is None else (first + index) % (MAX_SEED + 1)


def _in_range(seed: int) -> None:
    if not 0 <= seed <= MAX_SEED:
        raise WorkflowError(f"seed {seed} is out of range", fix=f"Give one from 0 to {MAX_SEED}")

"""The LoRAs of a workflow: which there are, in order; adding one between a loader and its users, weighing, removing.

A LoRA is a node with a `lora_name` that takes a model, or a model and a text encoder, and gives them on.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import msgspec

from comfytui.workflow import trace
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, inputs, link, links, title
from comfytui.workflow.order import expected

BOTH, MODEL_ONLY = "LoraLoader", "LoraLoaderModelOnly"
MOST = 100.0  # what servers accept, and its negative
TITLES = {BOTH: "Load LoRA", MODEL_ONLY: "Load LoRA (model only)"}
PASSED = {0: "model", 1: "clip"}  # output → the input that it gives on


class Lora(msgspec.Struct, frozen=True, gc=False):
    """One LoRA. `clip` is its strength on the text encoder, None if it changes the model alone."""

    node_id: str
    name: str
    strength: float
    clip: float | None = None


class Output(NamedTuple):
    """An output of a node, that links begin at."""

    node_id: str
    slot: int


class Spot(msgspec.Struct, frozen=True, gc=False):
    """Where a LoRA can be added: after these outputs, before all that takes them. `title` is the model's."""

    title: str
    model: Output
    clip: Output | None = None  # None: only the model is changed there


def loras(graph: Graph) -> tuple[Lora, ...]:
    """The LoRAs in the order in which they are applied, those of the first sampler first. Never raises."""
    on_the_way = [place.node_id for place, role in trace.roles(graph).items() if role == "lora"]
    found = dict.fromkeys([*on_the_way, *(node_id for node_id in expected(graph) if _is_lora(graph, node_id))])
    return tuple(_lora(graph, node_id) for node_id in found)


def spots(graph: Graph) -> tuple[Spot, ...]:
    """Where LoRAs can be added: after the last one of each sampler's model, else after its loader."""
    found: dict[Output, Spot] = {}
    for sampler in trace.samplers(graph):
        model = _source(graph, [sampler, *trace.helpers(graph, sampler)], "model")
        if model is None:
            continue
        clip = _source(graph, trace.encoders(graph, sampler), "clip")
        name = next((trace.value(graph, p) for p, role in trace.roles_of(graph, sampler) if role == "model"), "")
        if clip is not None and clip.node_id != model.node_id and not _in_both(graph, model.node_id):
            clip = None  # a model that is loaded without its text encoder is changed alone, as is the custom
        elif _is_lora(graph, model.node_id) and not _in_both(graph, model.node_id):
            clip = None
        found.setdefault(model, Spot(str(name) or title(graph, model.node_id), model, clip))
    return tuple(found.values())


def add(
    graph: Graph,
    name: str,
    strength: float = 1.0,
    spot: Spot | None = None,
    object_info: ObjectInfo | None = None,
    taken: Container[str] = (),
) -> tuple[dict[str, Any], str]:
    """The graph with a LoRA more, and the id of its node. `spot` is the first of `spots` by default, `taken` are ids
    that are not free although the graph has them not: of notes and the like in the UI form.

    Raises WorkflowError if there is no place for it, or the server has no node for it.
    """
    spot = spot or next(iter(spots(graph)), None)
    if spot is None:
        raise WorkflowError(
            "has no sampler whose model a LoRA could change", fix="Add it in the browser, where it belongs"
        )
    wanted = BOTH if spot.clip is not None else MODEL_ONLY
    if object_info is not None and wanted not in object_info:
        if wanted == BOTH and MODEL_ONLY in object_info:
            wanted = MODEL_ONLY
        else:
            raise WorkflowError(f"needs {wanted}, which the server does not have", fix="Update the server")
    weight = _weight(strength)
    node_id = _new_id(graph, spot.model.node_id, taken)
    given: dict[str, Any] = {"model": list(spot.model)}
    if wanted == BOTH and spot.clip is not None:
        given["clip"] = list(spot.clip)
    given |= {"lora_name": name, "strength_model": weight}
    moved = {spot.model: Output(node_id, 0)}
    if wanted == BOTH and spot.clip is not None:
        given["strength_clip"] = weight
        moved[spot.clip] = Output(node_id, 1)
    made: dict[str, Any] = {}
    for each, node in _relinked(graph, moved).items():
        made[each] = node
        if each == spot.model.node_id:
            made[node_id] = {"class_type": wanted, "inputs": given, "_meta": {"title": TITLES[wanted]}}
    return made, node_id


def remove(graph: Graph, node_id: str) -> dict[str, Any]:
    """The graph without a LoRA: what took its outputs takes what it took. Raises WorkflowError."""
    if not _is_lora(graph, node_id):
        raise WorkflowError(f"node {node_id} is no LoRA", fix="Name the node of a LoRA")
    given = inputs(graph, node_id)
    moved: dict[Output, Output] = {}
    for other in graph:
        for name, origin, slot in links(graph, other):
            if origin != node_id:
                continue
            source = link(given.get(PASSED.get(slot, "")))
            if source is None or source[0] == node_id:
                raise WorkflowError(
                    f"{name} of node {other} ({title(graph, other)}) takes output {slot} of it, and nothing can stand in",
                    place=f"node {node_id} ({title(graph, node_id)})",
                    fix="Set its strength to 0 instead",
                )
            moved[Output(node_id, slot)] = Output(*source)
    made = _relinked(graph, moved)
    del made[node_id]
    return made


def weigh(graph: Graph, node_id: str, by: float) -> dict[str, Any]:
    """The graph with a LoRA's strengths raised (or lowered) by this much, rounded to hundredths. Raises WorkflowError."""
    if not _is_lora(graph, node_id):
        raise WorkflowError(f"node {node_id} is no LoRA", fix="Name the node of a LoRA")
    given = inputs(graph, node_id)
    new = {
        name: min(MOST, max(-MOST, round(given[name] + by, 2)))
        for name in trace.STRENGTHS
        if isinstance(given.get(name), (int, float)) and not isinstance(given[name], bool)
    }
    if not new:
        raise WorkflowError("its strength comes from another node", place=f"node {node_id}", fix="Change it there")
    return {**graph, node_id: {**graph[node_id], "inputs": {**given, **new}}}


def _is_lora(graph: Graph, node_id: str) -> bool:
    given = inputs(graph, node_id)
    return isinstance(given.get("lora_name"), str) and any(link(given.get(name)) for name in PASSED.values())


def _in_both(graph: Graph, node_id: str) -> bool:
    return _is_lora(graph, node_id) and link(inputs(graph, node_id).get("clip")) is not None


def _lora(graph: Graph, node_id: str) -> Lora:
    given = inputs(graph, node_id)
    weights = [
        float(each) if isinstance(each := given.get(name), (int, float)) and abs(each) < 1e9 else math.nan
        for name in trace.STRENGTHS[:2]
    ]
    clip = weights[1] if "strength_clip" in given else None
    return Lora(node_id, str(given["lora_name"]), weights[0], clip)


def _source(graph: Graph, starts: list[str], name: str) -> Output | None:
    """Upwards from the first of these nodes that takes a `name`: the last LoRA's output, else the loader's."""
    at = next((found for each in starts if (found := link(inputs(graph, each).get(name))) is not None), None)
    seen: set[str] = set()
    while at is not None and at[0] in graph and at[0] not in seen:
        seen.add(at[0])
        above = next(_above(graph, at[0], name), None)
        if above is None or _is_lora(graph, at[0]):
            return Output(*at)
        at = above
    return None


def _above(graph: Graph, node_id: str, name: str) -> Iterator[tuple[str, int]]:
    taken = list(trace.taken(graph, node_id))
    named = [(origin, slot) for each, origin, slot in taken if each in (name, f"{name}1")]
    yield from named or [(origin, slot) for _, origin, slot in taken]


def _relinked(graph: Graph, moved: dict[Output, Output]) -> dict[str, Any]:
    """A copy in which every link from one of these outputs begins at the other."""
    made: dict[str, Any] = {}
    for node_id, node in graph.items():
        new = {
            name: list(moved[Output(origin, slot)])
            for name, origin, slot in links(graph, node_id)
            if Output(origin, slot) in moved
        }
        made[node_id] = {**node, "inputs": {**inputs(graph, node_id), **new}} if new else node
    return made


def _new_id(graph: Graph, beside: str, held: Container[str]) -> str:
    """An id that is free, in the same subgraph as another node."""
    path, colon, _ = beside.rpartition(":")
    taken = [each.rpartition(":") for each in graph]
    numbers = [int(last) for before, _, last in taken if before == path and last.isascii() and last.isdecimal()]
    number = max((each for each in numbers if each < 10**9), default=0) + 1
    while f"{path}{colon}{number}" in graph or f"{path}{colon}{number}" in held:
        number += 1
    return f"{path}{colon}{number}"


def _weight(strength: float) -> float:
    if not math.isfinite(strength) or abs(strength) > MOST:
        raise WorkflowError(f"a strength of {strength} is out of range", fix=f"Give one from -{MOST:g} to {MOST:g}")
    return strength

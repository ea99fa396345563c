"""A workflow that is being changed before it runs: its edits, their undo, and the graphs that will be submitted.

Pure and frozen; the editor shows one and replaces it with each edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.controls import control_of
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, inputs, link, title
from comfytui.workflow.inputs import Field, check_value, fields, with_value
from comfytui.workflow.queueing import with_templates
from comfytui.workflow.seeds import MAX_SEED, random_seed, seed_places, with_seed

MAX_RUNS = 1000  # of one keystroke; more is a mistyped number


class SeedMode(StrEnum):
    """What becomes of the seeds with each run."""

    RANDOM = "random"
    INCREMENT = "increment"
    DECREMENT = "decrement"
    FIXED = "fixed"


# What the web page does after each run, in its own words.
CONTROLS = {"randomize": SeedMode.RANDOM, "increment": SeedMode.INCREMENT, "decrement": SeedMode.DECREMENT,
            "fixed": SeedMode.FIXED}  # fmt: skip
COUNTED = {SeedMode.INCREMENT: 1, SeedMode.DECREMENT: -1}


class Change(msgspec.Struct, frozen=True):
    """One input that differs from the document. `before` is None if the document did not give it."""

    place: Place
    label: str
    before: Any
    after: Any


class Draft(msgspec.Struct, frozen=True):
    """A document and what was changed in it. `past` holds the graphs before each edit, newest last."""

    document: Document
    graph: dict[str, Any]
    seed_mode: SeedMode = SeedMode.FIXED
    past: tuple[dict[str, Any], ...] = ()

    @property
    def has_seed(self) -> bool:
        return bool(seed_places(self.graph))


def start(document: Document, seed_mode: SeedMode | None = None) -> Draft:
    """A draft of a document. By default a file of the web page does with its seeds as it says, any other gets random
    ones, and a job from the server keeps its own."""
    if seed_mode is None:
        said = control_of(document.workflow) if document.source == "ui" else ""
        usual = SeedMode.FIXED if document.source in ("history", "queue") else SeedMode.RANDOM
        seed_mode = CONTROLS.get(said, usual)
    graph = with_templates(document)
    past = (document.graph,) if graph != document.graph else ()  # undo leads to what they had become
    return Draft(document, graph, seed_mode, past)


def parse(draft: Draft, field: Field, text: str) -> Any | WorkflowError:
    """What `text` means for this input, or (not raised) why the server would refuse it."""
    if field.kind == "float" and "," in text and "." not in text:
        text = text.replace(",", ".", 1)  # half of the world writes 6,5
    return check_value(field, text)


def edit(draft: Draft, place: Place, value: Any, object_info: ObjectInfo | None = None) -> Draft:
    """The draft with one input changed; itself if nothing changes. Raises WorkflowError."""
    graph = with_value(draft.graph, place.node_id, place.input, value, object_info)
    if graph == draft.graph:
        return draft
    # Typing is one edit an input, not one a letter: undo takes back what the eye sees as one change.
    same = draft.past and _only_difference(draft.past[-1], draft.graph) == place
    past = draft.past if same else (*draft.past, draft.graph)
    return msgspec.structs.replace(draft, graph=graph, past=past)


def restructure(draft: Draft, graph: dict[str, Any]) -> Draft:
    """The draft with other nodes or links, as an edit of its own; itself if nothing changes."""
    return (
        draft if graph == draft.graph else msgspec.structs.replace(draft, graph=graph, past=(*draft.past, draft.graph))
    )


def undo(draft: Draft) -> Draft:
    """The draft before the last edit; itself if there was none."""
    if not draft.past:
        return draft
    return msgspec.structs.replace(draft, graph=draft.past[-1], past=draft.past[:-1])


def changes(draft: Draft) -> list[Change]:
    """Every value that differs from the document, in the order of the form, then the nodes that are gone.

    Links that lead elsewhere because of a node more or less are not told: the node is.
    """
    before = draft.document.graph
    found = [
        Change(place, _label(draft.graph, place), inputs(before, place.node_id).get(place.input), value)
        for node_id in draft.graph
        for name, value in inputs(draft.graph, node_id).items()
        if inputs(before, (place := Place(node_id, name)).node_id).get(name) != value and link(value) is None
    ]
    order = {field.place: index for index, field in enumerate(fields(draft.graph))}
    found.sort(key=lambda change: order.get(change.place, len(order)))
    gone = [node_id for node_id in before if node_id not in draft.graph]
    return [*found, *(Change(Place(each, ""), title(before, each), _named(before, each), None) for each in gone)]


def is_structural(draft: Draft) -> bool:
    """Whether the draft has other nodes than its document."""
    return draft.graph.keys() != draft.document.graph.keys()


def runs(draft: Draft, count: int = 1) -> Iterator[dict[str, Any]]:
    """The graphs of `count` runs. Random seeds are drawn as the graphs are taken; counted ones start at the seed shown."""
    for index in range(min(count, MAX_RUNS)):
        yield _seeded(draft, index)


def after_runs(draft: Draft, count: int) -> Draft:
    """What the form shows once they are submitted: the next seed, where seeds are counted."""
    if draft.seed_mode not in COUNTED or not draft.has_seed:
        return draft
    return msgspec.structs.replace(draft, graph=_seeded(draft, count))


def _seeded(draft: Draft, index: int) -> dict[str, Any]:
    if draft.seed_mode is SeedMode.FIXED or not draft.has_seed:
        return draft.graph
    if draft.seed_mode is SeedMode.RANDOM:
        return with_seed(draft.graph, random_seed())
    graph = dict(draft.graph)
    for node_id, name in seed_places(graph):  # each its own: several seeds of a workflow stay apart
        given = inputs(graph, node_id)
        counted = max(0, given[name] + COUNTED[draft.seed_mode] * index)  # downwards the page stops at 0
        graph[node_id] = {**graph[node_id], "inputs": {**given, name: counted % (MAX_SEED + 1)}}
    return graph


def _only_difference(old: Graph, new: Graph) -> Place | None:
    places = [
        Place(node_id, name)
        for node_id in new
        if new[node_id] is not old.get(node_id)
        for name, value in inputs(new, node_id).items()
        if inputs(old, node_id).get(name) != value
    ]
    return places[0] if len(places) == 1 else None


def _named(graph: Graph, node_id: str) -> str:
    """What a node is about: the first text that it holds."""
    return next((value for value in inputs(graph, node_id).values() if isinstance(value, str)), "")


def _label(graph: Graph, place: Place) -> str:
    field = next((each for each in fields(graph) if each.place == place), None)
    if field is not None and field.role:
        return field.role
    return f"{title(graph, place.node_id)} · {place.input}"

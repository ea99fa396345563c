"""What the name of a swept input means in a workflow, and which values it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from comfytui.workflow import inputs as fields_of
from comfytui.workflow import seeds, trace
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, inputs, link, title
from comfytui.workflow.inputs import Field

ALIASES = {"prompt": "positive", "negative_prompt": "negative", "batch_size": "batch", "sampler_name": "sampler"}
WHOLE = ("seed", "steps", "width", "height", "batch")  # of these half of one is a slip; cfg may well be 7.5
RANDOM = "random"


class Setter(msgspec.Struct, frozen=True):
    """Sets one named input: that of `field`, and also those at `places` (all seeds, for the name `seed`)."""

    name: str
    field: Field
    places: tuple[Place, ...]

    def value(self, given: Any) -> Any:
        """The value as the server wants it. Raises WorkflowError that says what the input accepts."""
        found = fields_of.check_value(self.field, given)
        if isinstance(found, WorkflowError) and self._guessed_whole:
            found = fields_of.check_value(msgspec.structs.replace(self.field, kind="float"), given)
        if isinstance(found, WorkflowError):
            raise found
        if self.field.role == "seed" and isinstance(found, int) and not 0 <= found <= seeds.MAX_SEED:
            raise WorkflowError(f"seed {found} is out of range", fix=f"Give one from 0 to {seeds.MAX_SEED}")
        return found

    @property
    def _guessed_whole(self) -> bool:
        """A workflow's 8 says nothing about 7.5 where no server has declared the input."""
        field = self.field
        return not field.declared and field.kind == "int" and not {field.role, field.input} & {*WHOLE, "noise_seed"}


def setter(graph: Graph, name: str, object_info: ObjectInfo | None = None) -> Setter:
    """The input that goes by `name`: a role (`seed`, `steps`, `prompt`), NODE.INPUT, an input's name that only one node
    has, or the title of a node with one value. `seed` means every seed, as in `run --seed`.

    Raises WorkflowError with the names that are near.
    """
    text = name.strip()
    if text == "seed" and (places := seeds.seed_places(graph)):
        return Setter(name, _field(graph, places[0], object_info), places)
    assignment = fields_of.parse_assignment(f"{text}=", graph) if text else None
    if assignment is None:
        raise WorkflowError("an input without a name", fix="Name the input")
    try:
        if assignment.node:
            place = fields_of.place_of(graph, assignment.node, assignment.input)
        else:
            place = fields_of.place_of(graph, "", ALIASES.get(assignment.input, assignment.input))
        return Setter(name, _field(graph, place, object_info), (place,))
    except WorkflowError as error:
        if (alone := _titled(graph, text)) is not None:
            return Setter(name, _field(graph, alone, object_info), (alone,))
        fix = _near(graph, text) or error.fix
        raise WorkflowError(error.problem, place=error.place, fix=fix) from error


def _field(graph: Graph, place: Place, object_info: ObjectInfo | None) -> Field:
    return fields_of.field_at(graph, place, object_info)


def _titled(graph: Graph, text: str) -> Place | None:
    """The value of a node whose title stands alone: the only plain one, else the one that is its text or its number."""
    try:
        node_id = fields_of.resolve(graph, text)
    except WorkflowError:
        return None
    plain = [key for key, value in inputs(graph, node_id).items() if link(value) is None]
    chosen: Sequence[str] = plain if len(plain) == 1 else [key for key in trace.LITERALS if key in plain][:1]
    return Place(node_id, chosen[0]) if chosen else None


def _near(graph: Graph, text: str) -> str:
    roles = dict.fromkeys(trace.roles(graph).values())
    names = [*roles, *(alias for alias, role in ALIASES.items() if role in roles)]
    for node_id in graph:
        for key, value in inputs(graph, node_id).items():
            if link(value) is None:
                names += [key, f"{node_id}.{key}", f"{title(graph, node_id)}.{key}"]
    found = fields_of.near(text, names)
    return f"Did you mean {' or '.join(repr(each) for each in found)}?" if found else ""

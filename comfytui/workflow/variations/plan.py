"""From a job file's part to its jobs: each with a name of its own that stays the same from run to run."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from comfytui.workflow import seeds
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place
from comfytui.workflow.variations.job_file import Part
from comfytui.workflow.variations.naming import Setter, setter
from comfytui.workflow.variations.rows import RowFile
from comfytui.workflow.variations.values import MAX_JOBS


class Source(msgspec.Struct, frozen=True):
    """A workflow that is varied: it has a graph; and what the server says of its nodes, if that is known."""

    document: Document
    object_info: ObjectInfo | None = None

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def graph(self) -> Graph:
        return self.document.graph

    @property
    def digest(self) -> bytes:
        """Of what stands in the file: what a server makes of the UI form may change with its version."""
        ui = self.document.source == "ui"
        text = msgspec.json.encode(self.document.workflow if ui else self.graph, order="sorted")
        return hashlib.blake2b(text, digest_size=16).digest()


class Variation(msgspec.Struct, frozen=True):
    """One job. `key` is its name: of the same workflow and the same values, whatever else the job file holds.

    changes  what is set in the graph
    labels   the swept inputs as they are named, with their values: text for tables
    across   the last axis of a grid: its name and this job's value; None without a grid
    down     what tells this job's row from others: all other swept inputs
    repeat   which of `count` it is, from 0
    """

    key: str
    source: Source
    part: int
    changes: tuple[tuple[Place, Any], ...] = ()
    labels: tuple[tuple[str, Any], ...] = ()
    across: tuple[str, Any] | None = None
    down: tuple[tuple[str, Any], ...] = ()
    repeat: int = 0
    seed: int | None = None


class _Step(msgspec.Struct, frozen=True):
    """One value of an axis: what it sets, and how that is called."""

    changes: tuple[tuple[Place, Any], ...]
    labels: tuple[tuple[str, Any], ...]
    said: tuple[tuple[str, str, str], ...]  # as it is written: what a server makes of it is not what names a job


class _Axes(msgspec.Struct, frozen=True):
    """What is combined with what: `before` outermost, then the grid's own axes, of which the last is the fastest."""

    fixed: _Step
    before: tuple[tuple[_Step, ...], ...]
    grid: tuple[tuple[_Step, ...], ...]


def plan(
    parts: Sequence[Part], sources: Mapping[str, Source], rows: Mapping[str, RowFile], salt: str
) -> list[Variation]:
    """All jobs, in their order. `sources` and `rows` by the names in the parts; `salt` makes random seeds differ from batch
    to batch, and be the same when one is resumed; without it they are not told.

    Raises WorkflowError: for a name or a value that a workflow has no place for, for more than MAX_JOBS jobs (whose
    number is found without making them).
    """
    axes = [[_axes(part, sources[name], rows.get(part.rows)) for name in part.workflows] for part in parts]
    total = sum(_count(part, each) for part, found in zip(parts, axes, strict=True) for each in found)
    if total > MAX_JOBS:
        raise WorkflowError(f"{total:,} jobs, and {MAX_JOBS:,} are the most", fix="Sweep fewer values at once")
    twins: Counter[str] = Counter()
    found: list[Variation] = []
    for index, (part, of_part) in enumerate(zip(parts, axes, strict=True)):
        for name, each in zip(part.workflows, of_part, strict=True):
            found += _variations(index, part, sources[name], each, salt, twins)
    return found


def graph_of(job: Variation) -> dict[str, Any]:
    """The graph with the job's values; the source's stays as it is."""
    changed = dict(job.source.graph)
    own: set[str] = set()
    for place, value in job.changes:
        if place.node_id not in own:
            own.add(place.node_id)
            node = changed[place.node_id]
            changed[place.node_id] = {**node, "inputs": dict(node["inputs"])}
        changed[place.node_id]["inputs"][place.input] = value
    return changed


def _count(part: Part, axes: _Axes) -> int:
    return part.count * math.prod(len(each) for each in (*axes.before, *axes.grid))


def _axes(part: Part, source: Source, rows: RowFile | None) -> _Axes:
    taken: dict[Place, str] = {}
    prefix = f"{part.place}." if part.place else ""

    def own(name: str, place: str, file: str = "") -> Setter:
        found = _setter(source, name, place, file)
        for each in found.places:
            if each in taken:
                text = f"{name!r} and {taken[each]!r} set the same input of {source.name}"
                raise WorkflowError(text, name=file, place=place, fix="Keep one of them")
            taken[each] = name
        return found

    fixed = [_step(own(name, f"{prefix}set.{name}"), value, f"{prefix}set.{name}") for name, value in part.set.items()]
    before: list[tuple[_Step, ...]] = []
    if rows is not None:
        setters = {name: own(name, place, rows.name) for name, place in rows.columns.items()}
        before.append(tuple(_row(rows, setters, index) for index in range(len(rows.rows))))
    if part.zip:
        columns = [_axis(own(name, f"{prefix}zip.{name}"), of, f"{prefix}zip.{name}") for name, of in part.zip.items()]
        before.append(tuple(_joined(each) for each in zip(*columns, strict=True)))
    grid = [_axis(own(name, f"{prefix}grid.{name}"), of, f"{prefix}grid.{name}") for name, of in part.grid.items()]
    if part.seeds.mode == "list":
        place = f"{prefix}seed"
        grid.append(_axis(own("seed", place), part.seeds.listed, place))
    elif part.seeds.mode != "fixed":
        places = seeds.seed_places(source.graph)
        if not places and (part.seeds.mode == "random" or part.seeds.first is not None):
            fix = "Leave seed out, or choose a workflow with one"
            raise WorkflowError(f"{source.name} has no seed to set", place=f"{prefix}seed", fix=fix)
        if clash := [taken[each] for each in places if each in taken]:
            text = f"{clash[0]!r} sets the seed already"
            raise WorkflowError(text, place=f"{prefix}seed", fix="Write seed: fixed, or leave the other out")
    return _Axes(_joined(fixed), tuple(before), tuple(grid))


def _setter(source: Source, name: str, place: str, file: str) -> Setter:
    try:
        return setter(source.graph, name, source.object_info)
    except WorkflowError as error:
        detail = f"{source.name}: {error.place}: {error.problem}" if error.place else f"{source.name}: {error.problem}"
        raise WorkflowError(detail, name=file, place=place, fix=error.fix) from error


def _axis(found: Setter, values: Sequence[Any], place: str) -> tuple[_Step, ...]:
    return tuple(_step(found, value, f"{place}, value {index}") for index, value in enumerate(values, 1))


def _step(found: Setter, given: Any, place: str, file: str = "") -> _Step:
    try:
        value = found.value(given)
    except WorkflowError as error:
        text = f"{error.place}: {error.problem}" if error.place else error.problem
        raise WorkflowError(text, name=file, place=place, fix=error.fix) from error
    return _Step(
        tuple((place, value) for place in found.places),
        ((found.name, value),),
        tuple((*place, str(given)) for place in found.places),
    )


def _row(rows: RowFile, setters: Mapping[str, Setter], index: int) -> _Step:
    row = rows.rows[index]
    return _joined(
        [
            _step(setters[name], value, f"line {row.line}, column {name!r}", rows.name)
            for name, value in row.values.items()
        ]
    )


def _joined(steps: Sequence[_Step]) -> _Step:
    return _Step(
        tuple(change for step in steps for change in step.changes),
        tuple(label for step in steps for label in step.labels),
        tuple(each for step in steps for each in step.said),
    )


def _variations(
    index: int, part: Part, source: Source, axes: _Axes, salt: str, twins: Counter[str]
) -> Iterator[Variation]:
    workflow = source.digest
    places = seeds.seed_places(source.graph)
    first = part.seeds.first
    if first is None and places:
        first = source.graph[places[0].node_id]["inputs"][places[0].input]
    number = 0
    for outer in itertools.product(*axes.before):
        for cell in itertools.product(*(range(len(each)) for each in axes.grid)):
            inner = [each[at] for each, at in zip(axes.grid, cell, strict=True)]
            step = _joined([axes.fixed, *outer, *inner])
            shown = _joined([*outer, *inner]).labels
            across = inner[-1].labels[0] if inner else None
            down = _joined([*outer, *inner[:-1]]).labels
            for repeat in range(part.count):
                changes, labels, seed, mode = step.changes, shown, None, part.seeds.mode
                if mode == "increment" and places and first is not None:
                    seed = (first + number) % (seeds.MAX_SEED + 1)
                number += 1
                name = hashlib.blake2b(
                    msgspec.json.encode([step.said, seed, mode == "random"]), key=workflow, digest_size=10
                ).hexdigest()
                twins[name] += 1
                key = name if twins[name] == 1 else f"{name}-{twins[name]}"
                if mode == "random":
                    drawn = hashlib.blake2b(f"{salt} {key}".encode(), digest_size=8).digest()
                    seed = int.from_bytes(drawn) % seeds.MAX_RANDOM
                if seed is not None:
                    changes = (*changes, *((place, seed) for place in places))
                    labels = (*labels, ("seed", seed if salt or mode != "random" else "random"))
                yield Variation(key, source, index, changes, labels, across, down, repeat, _seed(labels, seed))


def _seed(labels: Sequence[tuple[str, Any]], seed: int | None) -> int | None:
    found = dict(labels).get("seed")
    return seed if seed is not None else found if isinstance(found, int) else None

"""What made a picture, as text to copy and as rows to compare. Plain functions on frozen jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from comfytui.state.model import Job
from comfytui.tui.wording import at, model_name, number, one_line, size, took
from comfytui.workflow import trace
from comfytui.workflow.graph import Graph, Place, class_type, inputs, link, title
from comfytui.workflow.order import expected


class Parameter(NamedTuple):
    """A named value of a job."""

    name: str
    value: str


class Difference(NamedTuple):
    """A parameter whose value differs; "" where a job has none."""

    name: str
    left: str
    right: str


def of_job(job: Job) -> tuple[Parameter, ...]:
    """What a job was asked, by the names that people use; only what is known."""
    facts = job.facts
    found = (
        ("workflow", facts.name),
        ("positive", facts.positive),
        ("negative", facts.negative),
        ("seed", "" if facts.seed is None else str(facts.seed)),
        ("steps", "" if facts.steps is None else str(facts.steps)),
        ("cfg", "" if facts.cfg is None else number(facts.cfg)),
        ("sampler", facts.sampler),
        ("scheduler", facts.scheduler),
        ("denoise", "" if facts.denoise is None else number(facts.denoise)),
        ("size", size(facts.width, facts.height) if facts.width and facts.height else ""),
        ("batch", "" if facts.batch is None else str(facts.batch)),
        ("model", facts.model),
        ("loras", ", ".join(facts.loras)),
    )
    return tuple(Parameter(name, value) for name, value in found if value)


def of_nodes(graph: Graph) -> Iterator[tuple[str, str, tuple[Parameter, ...]]]:
    """`(node id, title, its inputs that are values)` in the order in which the nodes are expected to run."""
    for node_id in expected(graph):
        yield node_id, title(graph, node_id), tuple(_values(graph, node_id))


def _values(graph: Graph, node_id: str) -> Iterator[Parameter]:
    for name, value in inputs(graph, node_id).items():
        if link(value) is None:
            yield Parameter(name, shown(value))


def shown(value: object) -> str:
    """A value of an input as one reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def as_lines(job: Job) -> str:
    """All parameters, one a line, as one reads them."""
    rows = [f"{name}: {value}" for name, value in of_job(job)]
    if job.seconds is not None:
        rows.append(f"took: {took(job.seconds)}")
    if job.ended is not None:
        rows.append(f"ended: {at(job.ended)}")
    rows += [f"{o.kind}: {o.subfolder + '/' if o.subfolder else ''}{o.filename}" for o in job.outputs if o.filename]
    rows.append(f"prompt id: {job.id}")
    return "\n".join(rows)


def as_a1111(job: Job) -> str:
    """The form in which the stable-diffusion web UI writes parameters, which many tools and sites read."""
    facts = job.facts
    lines = [facts.positive] if facts.positive else []
    if facts.negative:
        lines.append(f"Negative prompt: {facts.negative}")
    pairs = (
        ("Steps", facts.steps),
        ("Sampler", facts.sampler),
        ("Schedule type", facts.scheduler),
        ("CFG scale", None if facts.cfg is None else number(facts.cfg)),
        ("Seed", facts.seed),
        ("Size", f"{facts.width}x{facts.height}" if facts.width and facts.height else None),
        ("Model", _quoted(model_name(facts.model))),
        ("Denoising strength", None if facts.denoise in (None, 1) else number(facts.denoise)),
        ("Batch size", facts.batch if facts.batch and facts.batch > 1 else None),
        ("Loras", _quoted(", ".join(model_name(lora) for lora in facts.loras))),
    )
    if told := ", ".join(f"{name}: {value}" for name, value in pairs if value not in (None, "")):
        lines.append(told)
    return "\n".join(lines)


def _quoted(value: str) -> str:
    """In quotes where a comma or a colon would end the value."""
    return '"' + value.replace('"', "'") + '"' if any(sign in value for sign in ',:"') else value


def differing(left: Job, right: Job) -> tuple[Difference, ...]:
    """Where two jobs differ: first by the names that people use, then every other input, node by node, then the time."""
    ours, theirs = dict(of_job(left)), dict(of_job(right))
    names = [*ours, *(name for name in theirs if name not in ours)]
    found = [_pair(name, ours.get(name, ""), theirs.get(name, "")) for name in names]
    known = _named(left.graph) | _named(right.graph)
    places = dict.fromkeys([*_places(left.graph), *_places(right.graph)])
    for place in places:
        if place in known and _same_class(left.graph, right.graph, place.node_id):
            continue  # it is among the named ones
        values = [_input(job.graph, place) for job in (left, right)]
        node = title(left.graph if place.node_id in left.graph else right.graph, place.node_id)
        found.append(_pair(f"{node} {place.node_id} · {place.input}", *values))
    found.append(Difference("took", took(left.seconds), took(right.seconds)))
    return tuple(row for row in found if row.left != row.right)


def _pair(name: str, left: str, right: str) -> Difference:
    return Difference(one_line(name), one_line(left), one_line(right))


def _named(graph: Graph) -> set[Place]:
    """The inputs behind the named parameters: those of the first sampler; a second one's are told node by node."""
    found = trace.samplers(graph)
    return {place for place, _ in trace.roles_of(graph, found[0])} if found else set()


def _same_class(left: Graph, right: Graph, node_id: str) -> bool:
    return class_type(left, node_id) == class_type(right, node_id)


def _places(graph: Graph) -> Iterator[Place]:
    for node_id in expected(graph):
        for name, value in inputs(graph, node_id).items():
            if link(value) is None:
                yield Place(node_id, name)


def _input(graph: Graph, place: Place) -> str:
    value = inputs(graph, place.node_id).get(place.input)
    return "" if value is None or link(value) is not None else shown(value)

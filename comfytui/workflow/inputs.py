"""The inputs of a workflow that a user can change, and the changing of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from comfytui.workflow import trace
from comfytui.workflow.catalog import Declared, ObjectInfo, declared
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Graph, Place, class_type, inputs, link, title
from comfytui.workflow.order import expected

# Roles a user most likely wants to change, in the order of a form.
IMPORTANT = (
    "positive", "negative", "model", "seed", "steps", "cfg", "sampler", "scheduler", "denoise", "width", "height",
    "length", "batch", "lora", "strength",
)  # fmt: skip
# Names worth showing first wherever they stand.
IMPORTANT_NAMES = frozenset({"filename_prefix", "image", "lora_name", "ckpt_name", "unet_name", "model_name"})
TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
SHOWN_CHOICES = 8
UPLOADS = ("image", "video", "audio", "file")


class Field(msgspec.Struct, frozen=True, gc=False):
    """One input with a plain value, and what it accepts as far as the server has told."""

    node_id: str
    title: str
    class_type: str
    input: str
    kind: str  # int | float | string | bool | choice
    value: Any
    default: Any = None
    min: float | None = None
    max: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    multiline: bool = False
    tooltip: str = ""
    important: bool = False
    role: str = ""  # positive, negative, seed, steps, cfg, …: see `trace.ROLES`; empty for none
    declared: bool = False  # False: the kind is guessed from the value
    upload: str = ""  # image | video | audio | file: what may be put on the server for it; empty for nothing

    name: str = ""  # that a user gave it, as a favourite

    @property
    def place(self) -> Place:
        return Place(self.node_id, self.input)


class Assignment(NamedTuple):
    """`node.input=value` as typed; `node` is an id, a title or a class, empty if `input` is a role."""

    node: str
    input: str
    value: str


def fields(
    graph: Graph, object_info: ObjectInfo | None = None, favourites: Mapping[str, str] | None = None
) -> list[Field]:
    """The editable inputs: `favourites` ("node.input" → name) first, in the order in which they were named; then the
    important ones, by role; then node by node in running order.

    Without `object_info` the kinds are guessed from the values. Inputs that a link feeds, lists and objects are left
    out. Optional inputs that the graph does not give are left out too.
    """
    roles = trace.roles(graph)
    found: list[Field] = []
    for node_id in expected(graph):
        known = declared(object_info, class_type(graph, node_id)) if object_info is not None else {}
        for name, value in inputs(graph, node_id).items():
            place = Place(node_id, name)
            field = _field(graph, place, value, known.get(name), roles.get(place, ""))
            if field is not None:
                found.append(field)
    found.sort(key=_order)
    if not favourites:
        return found
    order = {place: index for index, place in enumerate(favourites)}
    keys = {field.place: f"{field.node_id}.{field.input}" for field in found}
    named = [
        msgspec.structs.replace(field, name=favourites[keys[field.place]], important=True)
        if keys[field.place] in favourites
        else field
        for field in found
    ]
    return sorted(named, key=lambda field: order.get(keys[field.place], len(order)))


def _order(field: Field) -> int:
    role = "lora" if field.role == "strength" else field.role  # each beside the name of its own LoRA
    return IMPORTANT.index(role) if role in IMPORTANT else len(IMPORTANT)


def parse_assignment(text: str, graph: Graph | None = None) -> Assignment:
    """`3.seed=42`, `Positive.text=a cat`, or `seed=42` by role. Raises WorkflowError.

    Titles and the inputs of some nodes hold dots and equals signs themselves. With the graph at hand, the split that
    names a node of it is taken; without, the node ends at the last dot before the first equals sign.
    """
    cuts = [index for index, letter in enumerate(text) if letter == "="]
    if not cuts or not text[: cuts[0]].strip():
        raise WorkflowError(f"{text!r} sets nothing", fix="Write NODE.INPUT=VALUE, as in 3.seed=42")
    if graph is not None:
        splits = [
            Assignment(text[:dot], text[dot + 1 : cut].strip(), text[cut + 1 :])
            for cut in cuts
            for dot, letter in enumerate(text[:cut])
            if letter == "." and _find(graph, text[:dot])
        ]
        whole = [each for each in splits if any(each.input in inputs(graph, node) for node in _find(graph, each.node))]
        if splits:
            return (whole or splits)[0]
    key, value = text[: cuts[0]], text[cuts[0] + 1 :]
    node, _, name = key.rpartition(".")
    return Assignment(node.strip(), name.strip(), value)


def with_value(
    graph: Graph, node: str, input_name: str, value: Any, object_info: ObjectInfo | None = None
) -> dict[str, Any]:
    """The graph with one input changed; the given one stays as it is.

    `node` is an id, a title or a class name that only one node has; empty if `input_name` is a role (`seed`, which
    then changes the input of the first sampler). Text is converted to the kind of the input. Raises WorkflowError that
    names what there is instead.
    """
    node_id, input_name = place_of(graph, node, input_name)
    field = field_at(graph, Place(node_id, input_name), object_info)
    converted = check_value(field, value)
    if isinstance(converted, WorkflowError):
        raise converted
    changed = dict(graph)
    changed[node_id] = {**graph[node_id], "inputs": {**inputs(graph, node_id), input_name: converted}}
    return changed


def place_of(graph: Graph, node: str, input_name: str) -> Place:
    """Where `with_value` puts a value: `node` and `input_name` mean the same there. Raises WorkflowError."""
    return Place(resolve(graph, node), input_name) if node else _by_role(graph, input_name)


def resolve(graph: Graph, node: str) -> str:
    """The id of the node with this id, title or class. Raises WorkflowError if none has it, or several."""
    found = _find(graph, node)
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(found[:SHOWN_CHOICES])
        raise WorkflowError(f"{node!r} is the name of {len(found)} nodes", fix=f"Use the id: one of {ids}")
    names = [*graph, *(title(graph, node_id) for node_id in graph)]
    raise WorkflowError(f"has no node {node!r}", fix=_instead(node, names))


def check_value(field: Field, value: Any) -> Any | WorkflowError:
    """The value as the server wants it, or (not raised) the WorkflowError that says what the field accepts.

    Text is converted; other values must be of the field's kind already.
    """
    match field.kind:
        case "int":
            return _number(field, value, whole=True)
        case "float":
            return _number(field, value, whole=False)
        case "bool":
            if isinstance(value, bool):
                return value
            word = str(value).strip().lower()
            return word in TRUE if word in TRUE | FALSE else _refused(field, value, "Give true or false")
        case "choice":
            return _choice(field, value)
    return value if isinstance(value, str) else str(value)


def near(wanted: str, names: Iterable[Any], count: int = 3, cutoff: float = 0.55) -> list[str]:
    """The names most like the one that is wanted, best first; case and folders count little."""
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(str(name).lower(), str(name))
        by_key.setdefault(str(name).replace("\\", "/").rpartition("/")[2].lower(), str(name))
    key = wanted.lower()
    tail = key.replace("\\", "/").rpartition("/")[2]
    # Comparing takes quadratic time: a server with many thousands of files is compared by what begins alike.
    keys = list(by_key)
    if len(keys) > 3000:
        keys = [each for each in keys if each[:2] == tail[:2]][:3000]
    found = difflib.get_close_matches(tail, keys, n=count * 2, cutoff=cutoff)
    return list(dict.fromkeys(by_key[each] for each in found))[:count]


def _field(graph: Graph, place: Place, value: Any, known: Declared | None, role: str) -> Field | None:
    if link(value) is not None or isinstance(value, (list, dict)) or value is None:
        return None
    kind = known.kind if known is not None and known.kind != "link" else _guess(value)
    return _make(graph, place, value, kind, known, role)


def _make(graph: Graph, place: Place, value: Any, kind: str, known: Declared | None, role: str) -> Field:
    options = known.options if known is not None else {}
    prompt = role in ("positive", "negative")
    upload = next((each for each in UPLOADS if options.get(f"{each}_upload") is True), "")
    return Field(
        node_id=place.node_id,
        title=title(graph, place.node_id),
        class_type=class_type(graph, place.node_id),
        input=place.input,
        kind=kind,
        value=value,
        default=options.get("default"),
        min=_limit(options.get("min")),
        max=_limit(options.get("max")),
        step=_limit(options.get("step")),
        choices=known.choices if known is not None else (),
        multiline=options.get("multiline") is True or (prompt and known is None),
        tooltip=options["tooltip"] if isinstance(options.get("tooltip"), str) else "",
        important=role in IMPORTANT or place.input in IMPORTANT_NAMES or bool(upload),
        role=role,
        declared=known is not None,
        upload=upload,
    )


def _guess(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "string"


def _limit(value: Any) -> float | None:
    """A bound as the server gave it; integers stay integers, since seeds do not fit a double."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    return value


def field_at(graph: Graph, place: Place, object_info: ObjectInfo | None = None) -> Field:
    """The field at a place, which the graph or the server must know. Raises WorkflowError, also for a linked input."""
    given = inputs(graph, place.node_id)
    known = declared(object_info, class_type(graph, place.node_id)) if object_info is not None else {}
    where = f"node {place.node_id} ({title(graph, place.node_id)})"
    plain = [name for name, value in given.items() if link(value) is None]
    names = [*plain, *(name for name, each in known.items() if each.kind != "link" and name not in given)]
    if place.input not in given and place.input not in names:
        raise WorkflowError(f"has no input {place.input!r}", place=where, fix=_instead(place.input, names))
    value = given.get(place.input)
    spec = known.get(place.input)
    if (origin := link(value)) is not None and (spec is None or spec.kind == "link"):
        raise WorkflowError(
            f"{place.input} comes from node {origin[0]} ({title(graph, origin[0])})",
            place=where,
            fix="Change the value there",
        )
    kind = spec.kind if spec is not None and spec.kind != "link" else _guess(value)
    return _make(graph, place, value, kind, spec, trace.roles(graph).get(place, ""))


def _by_role(graph: Graph, role: str) -> Place:
    places = {found: place for place, found in reversed(trace.roles(graph).items())}
    if role not in places:
        named = [Place(node_id, role) for node_id in graph if role in inputs(graph, node_id)]
        if len(named) == 1:
            return named[0]
        fix = "Name the node too, as in 3.seed=42" if named else _instead(role, places)
        raise WorkflowError(f"{len(named) or 'no'} inputs go by {role!r}", fix=fix)
    return places[role]


def _find(graph: Graph, node: str) -> list[str]:
    """Ids of the nodes that a word can mean: the best kind of match that has any."""
    if node in graph:
        return [node]
    word = node.strip()
    for same in (
        lambda node_id: node_id == word,
        lambda node_id: title(graph, node_id).strip() == word,
        lambda node_id: title(graph, node_id).strip().lower() == word.lower(),
        lambda node_id: class_type(graph, node_id).lower() == word.lower(),
    ):
        if found := [node_id for node_id in graph if same(node_id)]:
            return found
    return []


def _number(field: Field, value: Any, *, whole: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return _refused(field, value, "Give a number")
    try:
        if whole:
            number: int | float = int(value.strip(), 10) if isinstance(value, str) else int(value)
            if number != value and not isinstance(value, str):
                return _refused(field, value, "Give a whole number")
        else:
            number = float(value)
    except (ValueError, OverflowError):
        return _refused(field, value, "Give a whole number" if whole else "Give a number")
    if isinstance(number, float) and not math.isfinite(number):
        return _refused(field, value, "Give a finite number")
    if (field.min is not None and number < field.min) or (field.max is not None and number > field.max):
        low = "…" if field.min is None else f"{field.min:g}" if isinstance(field.min, float) else str(field.min)
        high = "…" if field.max is None else f"{field.max:g}" if isinstance(field.max, float) else str(field.max)
        return _refused(field, value, f"Give one from {low} to {high}")
    return number


def _choice(field: Field, value: Any) -> Any:
    if not field.choices:  # the server did not tell them, or has none: it is its turn to refuse
        return value
    for choice in field.choices:
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
            return choice
    same = [choice for choice in field.choices if str(choice).lower() == str(value).strip().lower()]
    if len(same) == 1:
        return same[0]
    return _refused(field, value, _instead(str(value), field.choices))


def _refused(field: Field, value: Any, fix: str) -> WorkflowError:
    shown = value if isinstance(value, str) else repr(value)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    where = f"node {field.node_id} ({field.title})"
    return WorkflowError(f"{field.input} cannot be {shown!r}", place=where, fix=fix)


def _instead(wanted: str, names: Iterable[Any]) -> str:
    """A hint: what was probably meant, else what there is."""
    listed: Sequence[str] = list(dict.fromkeys(str(name) for name in names))
    if not listed:
        return "There is none to choose from"
    if close := near(wanted, listed):
        return f"Did you mean {' or '.join(repr(name) for name in close)}?"
    more = f", … ({len(listed)} in all)" if len(listed) > SHOWN_CHOICES else ""
    return "There is: " + ", ".join(listed[:SHOWN_CHOICES]) + more

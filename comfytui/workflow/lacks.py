"""What a server lacks of a workflow: node classes, and files or choices, each with what it has that is near."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.check import check
from comfytui.workflow.graph import Graph, class_type, inputs
from comfytui.workflow.inputs import near
from comfytui.workflow.near_files import near_files

NEAR_NODE = 0.7  # how alike a name must be to be told


class Lack(msgspec.Struct, frozen=True):
    """One thing that is not there. `near` are names the server has, best first; `where` the titles of the nodes.

    `how` says of each of `near` how it is: in another folder, in another precision, or alike.
    """

    kind: str  # node | file (a model, a picture, or another choice)
    name: str
    where: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    input: str = ""  # of a file
    how: tuple[str, ...] = ()


def lacks(graph: Graph, object_info: ObjectInfo) -> list[Lack]:
    """The nodes, then the files; each once, however many nodes want it. Takes some 10 ms: call it in a thread."""
    found = lacking_classes((class_type(graph, node_id) for node_id in graph), object_info)
    files: dict[tuple[str, str], Lack] = {}
    for problem in check(graph, object_info):
        if problem.kind != "missing_choice":
            continue
        wanted = str(inputs(graph, problem.node_id).get(problem.input))
        key = (problem.input, wanted)
        where = (*(files[key].where if key in files else ()), problem.title)
        spec = catalog.declared(object_info, class_type(graph, problem.node_id))[problem.input]
        if key in files:
            files[key] = msgspec.structs.replace(files[key], where=where)
            continue
        close = near_files(wanted, spec.choices)
        names, how = tuple(each.name for each in close), tuple(each.how for each in close)
        files[key] = Lack("file", wanted, where, names, problem.input, how)
    return [*found, *files.values()]


def lacking_classes(classes: Iterable[str], object_info: ObjectInfo) -> list[Lack]:
    """The node classes that the server does not have, in their order: all that can be said of a workflow in UI form."""
    return list(_lacking(dict.fromkeys(classes), object_info))


def _lacking(classes: Iterable[str], object_info: ObjectInfo) -> Iterator[Lack]:
    for name in classes:
        if name not in object_info:
            yield Lack("node", name, near=tuple(near(name, object_info, cutoff=NEAR_NODE)))

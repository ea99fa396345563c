"""Damaged and hostile workflows: an error of ours or an answer, never a traceback, within bounds."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.workflow.convert import MissingNodesError, to_api, to_ui, with_widget_values
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Place
from comfytui.workflow.nodes import checked

from .pages import INFO, SUBGRAPH, Page, text_to_image
from .test_groups import workflow as grouped
from .test_subgraphs import around, sized

WORKFLOWS = [
    text_to_image().saved,
    around({"properties": {"proxyWidgets": [["-1", "width"]]}}, values=[48]).with_subgraphs(sized()),
    grouped(),
    Page()
    .node(1, "Resize", ["to", 5, "crop", 2, "lanczos"])
    .node(2, "Batch", [], {"images.image0": (1, 0)})
    .node(3, "PrimitiveNode", [5, "fixed"], outputs=("INT",))
    .node(4, "Number", [1, "fixed"], {"value": (3, 0)}, widgets=("value",), mode=4)
    .node(5, "Reroute", None, {"": (2, 0)}, outputs=("IMAGE",))
    .node(6, "Save", ["x"], {"images": (5, 0)})
    .saved,
]
JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True)
    | st.sampled_from([-10, -20, 1, 2, 5, 7, "1", "7:1", SUBGRAPH.format(1), "workflow>mine", "Reroute", "", "-1", "a" * 500])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "id", "link", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document, by keys and positions."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found.extend(places(each, (*path, key)))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A workflow with parts removed, replaced by nonsense, doubled, or put in the place of others."""
    found: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(WORKFLOWS)))
    for _ in range(draw(st.integers(1, 5))):
        where = places(found)
        if not where:
            break
        path = draw(st.sampled_from(where))
        parent: Any = found
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.integers(0, 3)):
            case 0:
                del parent[path[-1]]
            case 1:
                parent[path[-1]] = draw(JSON)
            case 2 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[path[-1]]))
            case _:
                other: Any = found
                for key in draw(st.sampled_from(where)):
                    other = other[key] if isinstance(other, (dict, list)) else other
                parent[path[-1]] = copy.deepcopy(other)
    return found


@settings(max_examples=400)
@given(mutated())
def test_a_mutated_workflow_gives_an_answer_or_an_error_that_names_a_place(saved: dict[str, Any]) -> None:
    untouched = copy.deepcopy(saved)
    try:
        found = to_api(saved, INFO)
    except MissingNodesError as error:
        assert error.missing
        assert all(each.node_id and each.class_type for each in error.missing)
        return
    except WorkflowError as error:
        assert error.problem
        assert error.place or "nodes" in error.problem
        return
    assert found.graph
    for node in found.graph.values():
        assert node["class_type"] in INFO
        for value in node["inputs"].values():
            assert not (isinstance(value, list) and value[0] not in found.graph)
    assert json.dumps(saved) == json.dumps(untouched)


@settings(max_examples=150)
@given(mutated(), st.sampled_from(["1", "4", "7:1", "5:0"]), st.sampled_from(["width", "seed", "text", "value"]), JSON)
def test_a_change_is_written_into_a_mutated_workflow_or_told(saved: Any, node_id: str, name: str, value: Any) -> None:
    place = Place(node_id, name)
    found = with_widget_values(saved, {place: value}, INFO)
    assert found.left in ((), (place,))


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["1", "2", "7:1", "7:1:2", "7", ":", "-10", "x"]), st.fixed_dictionaries({
    "class_type": st.sampled_from([*INFO, "Unknown", SUBGRAPH.format(1), "Reroute"]),
    "inputs": st.dictionaries(
        st.sampled_from(["image", "images", "seed", "how", "how.fit", "images.image0", "x", ""]),
        JSON | st.tuples(st.sampled_from(["1", "2", "7:1", "x"]), st.integers(-2, 2000)).map(list), max_size=4),
}), min_size=1, max_size=5))  # fmt: skip
def test_any_graph_is_drawn_or_refused(graph: dict[str, Any]) -> None:
    try:
        graph = checked(graph)
    except WorkflowError:
        return
    workflow = to_ui(graph, INFO).workflow
    try:
        to_api(json.loads(json.dumps(workflow)), INFO)
    except MissingNodesError as error:
        assert {each.class_type for each in error.missing} <= {"Unknown", SUBGRAPH.format(1)}
    except WorkflowError:
        assert {node["class_type"] for node in graph.values()} == {"Reroute"}  # here no class, but the browser's own


def test_a_catalogue_of_nonsense_is_survived() -> None:
    for info in (None, 7, {}, {"input": 3}, {"input": {"required": []}}, {"input": {"required": {"a": "INT"}}}):
        found = to_api(Page().node(1, "X", [1, 2]).saved, {"X": info})
        assert found.graph["1"]["class_type"] == "X"
        assert to_ui(found.graph, {"X": info}).workflow["nodes"]


def test_a_dynamic_choice_that_brings_itself_ends() -> None:
    spec: list[Any] = ["COMFY_DYNAMICCOMBO_V3", {"options": []}]
    spec[1]["options"].append({"key": "again", "inputs": {"required": {"how": spec}}})
    info = {"X": {"input": {"required": {"how": spec}}, "output": []}}
    assert len(to_api(Page().node(1, "X", ["again"] * 50).saved, info).graph["1"]["inputs"]) < 20


def test_long_chains_are_followed_without_recursion() -> None:
    page = Page().node(0, "Load", ["a.png", "image"])
    for number in range(1, 5001):
        page.node(number, "Reroute", None, {"": (number - 1, 0)}, outputs=("IMAGE",))
    page.node(9999, "Save", ["x"], {"images": (5000, 0)})
    assert to_api(page.saved, INFO).graph["9999"]["inputs"]["images"] == ["0", 0]


def test_entangled_links_are_given_up() -> None:
    page = Page().node(0, "Load", ["a.png", "image"])
    for number in range(1, 4001):
        page.node(number, "Reroute", None, {"": (number - 1, 0)}, outputs=("IMAGE",))
    for number in range(5000, 5200):
        page.node(number, "Save", ["x"], {"images": (4000, 0)})
    with pytest.raises(WorkflowError, match="too entangled"):
        to_api(page.saved, INFO)

"""From a graph to a workflow that a browser opens, and back: the same graph, however random."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.workflow import catalog
from comfytui.workflow.convert import to_api, to_ui
from comfytui.workflow.convert.layout import boxes, depths
from comfytui.workflow.convert.widgets import DYNAMIC, is_widget, options, widget_type
from comfytui.workflow.errors import WorkflowError

from .pages import INFO, text_to_image


def back(graph: dict[str, Any], info: dict[str, Any] = INFO) -> dict[str, Any]:
    """There and back, as through a file."""
    drawn = to_ui(graph, info)
    return to_api(json.loads(json.dumps(drawn.workflow)), info).graph


def plain(graph: dict[str, Any]) -> dict[str, Any]:
    return to_api(text_to_image().saved, INFO).graph | graph


def test_it_is_what_a_browser_saves() -> None:
    made = to_ui(to_api(text_to_image().saved, INFO).graph, INFO).workflow
    sampler = next(each for each in made["nodes"] if each["type"] == "Sampler")
    assert sampler["id"] == 4
    assert sampler["widgets_values"] == [7, "fixed", 20, 6.5, "euler", 0.9]
    assert [each["name"] for each in sampler["inputs"]] == ["model", "positive", "latent"]
    by_id = {link[0]: link for link in made["links"]}
    assert by_id[sampler["inputs"][0]["link"]][1:] == [1, 0, 4, 0, "MODEL"]
    loader = next(each for each in made["nodes"] if each["type"] == "Loader")
    assert [each["type"] for each in loader["outputs"]] == ["MODEL", "CLIP", "VAE"]
    assert all(each["links"] for each in loader["outputs"])
    assert next(each for each in made["nodes"] if each["id"] == 2)["title"] == "Positive"
    assert (made["version"], made["last_node_id"], made["last_link_id"]) == (0.4, 6, len(made["links"]))


def test_the_same_graph_is_drawn_the_same() -> None:
    graph = to_api(text_to_image().saved, INFO).graph
    assert to_ui(graph, INFO) == to_ui(graph, INFO)


def test_nodes_stand_behind_what_they_take_from_and_on_nothing() -> None:
    made = to_ui(to_api(text_to_image().saved, INFO).graph, INFO).workflow
    places = {each["id"]: each for each in made["nodes"]}
    for _, origin, _, target, _, _ in made["links"]:
        assert places[origin]["pos"][0] + places[origin]["size"][0] < places[target]["pos"][0]
    assert sorted(each["order"] for each in made["nodes"]) == list(range(6))


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_no_two_boxes_overlap_whatever_the_links(pairs: list[tuple[int, int]]) -> None:
    links = [(str(one), str(other)) for one, other in pairs]
    nodes = [str(number) for number in range(13)]
    depth = depths(nodes, links)
    assert set(depth) == set(nodes)
    placed = list(boxes(depth, links, {node: (100 + int(node), 40) for node in nodes}).values())
    for index, one in enumerate(placed):
        for other in placed[:index]:
            apart_x = one.x + one.width < other.x or other.x + other.width < one.x
            apart_y = one.y + one.height < other.y or other.y + other.height < one.y
            assert apart_x or apart_y


def test_ids_of_subgraphs_are_put_into_subgraphs() -> None:
    graph = {
        "1": {"class_type": "Loader", "inputs": {"ckpt_name": "a.safetensors"}, "_meta": {"title": "L"}},
        "7:3:1": {"class_type": "Empty", "inputs": {"width": 5, "height": 6}, "_meta": {"title": "E"}},
        "7:2": {"class_type": "Decode", "inputs": {"samples": ["7:3:1", 0], "vae": ["1", 2]}, "_meta": {"title": "D"}},
        "7:4": {"class_type": "Decode", "inputs": {"samples": ["7:3:1", 0], "vae": ["1", 2]}, "_meta": {"title": "D"}},
        "9": {"class_type": "Save", "inputs": {"images": ["7:2", 0], "filename_prefix": "x"}, "_meta": {"title": "S"}},
        "8:1": {"class_type": "Invert", "inputs": {"image": ["7:4", 0], "strength": 1.5}, "_meta": {"title": "I"}},
    }
    drawn = to_ui(graph, INFO)
    assert drawn.warnings == ()
    assert {each["id"] for each in drawn.workflow["nodes"]} == {1, 7, 8, 9}
    assert len(drawn.workflow["definitions"]["subgraphs"]) == 3
    sub = next(
        each for each in drawn.workflow["definitions"]["subgraphs"] if len(each["inputs"]) == 1 and each["outputs"]
    )
    assert sub["inputs"][0]["linkIds"]
    assert back(graph) == graph


def test_ids_that_no_browser_takes_are_replaced_and_told() -> None:
    node = {"class_type": "Load", "inputs": {"image": "a.png", "scale": 1.0}, "_meta": {"title": "L"}}
    graph = {"7": node, "7:1": node, "": node, ":": node, "8:-10": node, "x": node, "-10": node}
    drawn = to_ui(graph, INFO)
    assert {each.node_id for each in drawn.warnings} == {"7:1", "", ":", "8:-10"}
    assert len(to_api(drawn.workflow, INFO).graph) == 7


def test_unknown_classes_are_drawn_as_far_as_they_are_known() -> None:
    graph = {
        "1": {"class_type": "Strange", "inputs": {"a": 1, "b": "x"}},
        "2": {"class_type": "Save", "inputs": {"images": ["1", 3], "filename_prefix": "x"}},
    }
    drawn = to_ui(graph, INFO)
    assert [each.node_id for each in drawn.warnings] == ["1"]
    strange = drawn.workflow["nodes"][0]
    assert (strange["widgets_values"], len(strange["outputs"])) == ([1, "x"], 4)


def test_a_value_on_a_socket_has_no_place_and_is_told() -> None:
    drawn = to_ui({"1": {"class_type": "Show", "inputs": {"source": "text"}}}, INFO)
    assert str(drawn.warnings[0]) == "node 1 (Show): source is no widget, so its value is left out"


def test_an_empty_graph_is_refused() -> None:
    with pytest.raises(WorkflowError, match="has no nodes"):
        to_ui({}, INFO)


@st.composite
def graphs(draw: st.DrawFn, info: dict[str, Any]) -> dict[str, Any]:
    """A valid graph: every widget with a value or a link, sockets linked to outputs of earlier nodes."""
    names = sorted(info)
    ids = draw(
        st.lists(
            st.one_of(st.integers(1, 60).map(str), st.sampled_from(["12:7", "12:8", "12:9:1", "13:1", "a", "save_1"])),
            min_size=1, max_size=8, unique=True,
        )
    )  # fmt: skip
    ids = [each for each in ids if ":" not in each or each.split(":")[0] not in ids]
    graph: dict[str, Any] = {}
    outputs: list[list[Any]] = []
    for node_id in ids or ["1"]:
        kind = draw(st.sampled_from(names))
        inputs: dict[str, Any] = {}
        _fill(draw, catalog.declared(info, kind), "", inputs, outputs)
        title = draw(st.sampled_from([kind, "My node", "猫"]))
        graph[node_id] = {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}
        outputs.extend([node_id, slot] for slot in range(len(catalog.output_types(info, kind))))
    return graph


def _fill(draw: st.DrawFn, specs: Any, prefix: str, inputs: dict[str, Any], outputs: list[list[Any]]) -> None:
    for spec in specs.values():
        name = prefix + spec.name
        if spec.type.startswith("COMFY_AUTOGROW"):
            for index in range(draw(st.integers(0, 2)) if outputs else 0):
                inputs[f"{name}.image{index}"] = draw(st.sampled_from(outputs))
        elif not is_widget(spec):
            if outputs and draw(st.booleans()):
                inputs[name] = draw(st.sampled_from(outputs))
        elif widget_type(spec) == DYNAMIC:
            inputs[name] = draw(st.sampled_from([each["key"] for each in spec.options["options"]]))
            _fill(draw, options(spec, inputs[name]), f"{name}.", inputs, outputs)
        elif outputs and draw(st.integers(0, 5)) == 0:
            inputs[name] = draw(st.sampled_from(outputs))
        elif (value := draw(_values(spec))) is not None:
            inputs[name] = value


def _values(spec: Any) -> st.SearchStrategy[Any]:
    match widget_type(spec):
        case "INT":
            return st.integers(0, 2**64 - 1)
        case "FLOAT":
            return st.floats(-1e9, 1e9)
        case "BOOLEAN":
            return st.booleans()
        case "COMBO":
            return st.sampled_from(spec.choices) if spec.choices else st.just("new.safetensors")
        case "CURVE":
            return st.just({"__type__": "CURVE", "__value__": [[0, 1], [1, 0]]})
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60)
@given(graphs(INFO))
def test_there_and_back_is_the_same(graph: dict[str, Any]) -> None:
    assert back(graph) == graph

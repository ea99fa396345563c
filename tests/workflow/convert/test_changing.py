"""A changed input is written into the UI form, wherever its value stands there, and nothing else is touched."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from comfytui.workflow.convert import changes, to_api, with_widget_values
from comfytui.workflow.graph import Place

from .pages import INFO, SUBGRAPH, Page, text_to_image
from .test_groups import workflow as grouped
from .test_subgraphs import around, sized


def written(saved: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    """The workflow with changes, as n7_1__width=value for the input width of node 7:1; that they took effect and the original is as it was is checked."""
    before = copy.deepcopy(saved)
    places: dict[Place, Any] = {}
    for key, value in wanted.items():
        node_id, _, name = key.removeprefix("n").partition("__")
        places[Place(node_id.replace("_", ":"), name)] = value
    found = with_widget_values(saved, places, INFO)
    assert saved == before
    assert found.left == ()
    graph = to_api(found.workflow, INFO).graph
    for place, value in places.items():
        assert graph[place.node_id]["inputs"][place.input] == value
    return found.workflow


def test_the_nodes_own_value() -> None:
    saved = text_to_image().saved
    saved["extra"] = {"mine": [1, {"x": None}]}
    made = written(saved, n4__steps=30, n2__text="a dog")
    assert made["nodes"][3]["widgets_values"] == [7, "randomize", 30, 6.5, "euler", 0.9]
    assert made["nodes"][1]["widgets_values"] == ["a dog"]
    for node in (made["nodes"][3], saved["nodes"][3], made["nodes"][1], saved["nodes"][1]):
        del node["widgets_values"]
    assert made == saved  # nothing else


def test_values_by_name_are_written_too() -> None:
    page = text_to_image()
    named = {"seed": 7, "steps": 20, "cfg": 6.5, "sampler_name": "euler", "denoise": 0.9}
    page.nodes[3]["widgets_values_named"] = named
    made = written(page.saved, n4__steps=30)
    assert made["nodes"][3]["widgets_values_named"]["steps"] == 30
    assert made["nodes"][3]["widgets_values"][2] == 30
    page.nodes[3]["widgets_values"] = dict(named)
    del page.nodes[3]["widgets_values_named"]
    assert written(page.saved, n4__cfg=2.0)["nodes"][3]["widgets_values"]["cfg"] == 2.0


def test_a_value_that_the_file_did_not_have() -> None:
    page = Page().node(1, "Sampler", [7, "randomize"])
    assert written(page.saved, n1__denoise=0.5)["nodes"][0]["widgets_values"] == [7, "randomize", 1, 8.0, "euler", 0.5]
    del page.nodes[0]["widgets_values"]
    assert written(page.saved, n1__seed=9)["nodes"][0]["widgets_values"][0] == 9


def test_another_dynamic_choice_brings_its_inputs() -> None:
    page = Page().node(1, "Resize", ["by", 3.5, "lanczos"])
    made = written(page.saved, n1__how="to")
    assert made["nodes"][0]["widgets_values"] == ["to", 1, "crop", 1, "lanczos"]


def test_a_list_is_a_value() -> None:
    page = Page().node(1, "Curved", [[0, 1], "x"])
    found = with_widget_values(page.saved, {Place("1", "curve"): {"__type__": "CURVE", "__value__": [1, 1]}}, INFO)
    assert found.left == ()
    assert found.workflow["nodes"][0]["widgets_values"] == [[1, 1], "x"]


def test_a_primitive_holds_the_value() -> None:
    page = (
        Page()
        .node(1, "PrimitiveNode", [99, "randomize"], outputs=("INT",))
        .node(2, "Empty", [8, 8], {"width": (1, 0)}, widgets=("width",))
    )
    made = written(page.saved, n2__width=5)
    assert made["nodes"][0]["widgets_values"] == [5, "randomize"]
    assert made["nodes"][1]["widgets_values"] == [8, 8]


@pytest.mark.parametrize(
    "properties", [{}, {"proxyWidgets": []}, {"proxyWidgets": [["-1", "width"]]}, {"proxyWidgets": [["1", "width"]]}]
)
@pytest.mark.parametrize("values", [[48], [None], None])
def test_the_instance_of_a_subgraph_holds_the_value(properties: dict[str, Any], values: Any) -> None:
    saved = around({"properties": properties}, values=values).with_subgraphs(sized())
    made = written(saved, n7_1__width=5)
    assert made["nodes"][1]["widgets_values"] == [5]
    assert made["definitions"] == saved["definitions"]


def test_what_the_instance_does_not_hold_is_written_within() -> None:
    saved = around().with_subgraphs(sized())
    made = written(saved, n7_1__height=5)
    assert made["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"] == [16, 5]
    other = {"properties": {"proxyWidgets": [["1", "height"]]}}
    made = written(around(other).with_subgraphs(sized()), n7_1__width=5)
    assert made["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"] == [5, 8]


def test_a_proxy_that_is_no_input_is_written_on_the_instance() -> None:
    saved = around({"properties": {"proxyWidgets": [["1", "height"]]}}, values=[77]).with_subgraphs(sized())
    assert written(saved, n7_1__height=5)["nodes"][1]["widgets_values"] == [5]


def test_another_instance_of_the_same_subgraph_stays_as_it_was() -> None:
    page = around()
    page.node(8, SUBGRAPH.format(1), None, {"vae": (1, 2)}, types={"vae": "VAE"}, outputs=("IMAGE",))
    made = written(page.with_subgraphs(sized()), n7_1__height=5)
    graph = to_api(made, INFO).graph
    assert (graph["7:1"]["inputs"]["height"], graph["8:1"]["inputs"]["height"]) == (5, 8)
    assert len({each["id"] for each in made["definitions"]["subgraphs"]}) == 2


def test_what_has_no_place_is_told() -> None:
    saved = text_to_image().saved
    wanted = {
        Place("4", "model"): "x",  # another node gives it
        Place("4", "latent"): ["1", 0],  # a link
        Place("99", "seed"): 1,
        Place("4", "nonsense"): 1,
        Place("4", "seed"): 1,
    }
    found = with_widget_values(saved, wanted, INFO)
    assert set(found.left) == set(wanted) - {Place("4", "seed")}
    assert to_api(found.workflow, INFO).graph["4"]["inputs"]["seed"] == 1
    assert with_widget_values(grouped(), {Place("5:0", "text"): "new"}, INFO).left == (Place("5:0", "text"),)


@pytest.mark.parametrize("saved", [{}, {"nodes": 3}, {"nodes": [{"id": 1}]}, {"nodes": [], "definitions": 7}])
def test_in_a_malformed_workflow_nothing_has_a_place(saved: dict[str, Any]) -> None:
    found = with_widget_values(saved, {Place("1", "x"): 1}, INFO)
    assert (found.workflow, found.left) == (saved, (Place("1", "x"),))


def test_changes_are_found() -> None:
    before = to_api(text_to_image().saved, INFO).graph
    after = copy.deepcopy(before)
    after["4"]["inputs"]["seed"] = 8
    after["4"]["inputs"]["new"] = 1
    assert changes(before, after) == {Place("4", "seed"): 8, Place("4", "new"): 1}
    assert changes(before, before) == {}

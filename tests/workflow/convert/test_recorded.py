"""The official templates: as the official front end converts them, or with what is missing told."""

from __future__ import annotations

import collections
import json
import random
from typing import Any

import pytest

from comfytui.workflow import catalog
from comfytui.workflow.convert import MissingNodesError, to_api, to_ui, with_widget_values
from comfytui.workflow.convert.resolving import VIRTUAL
from comfytui.workflow.graph import Place
from comfytui.workflow.ui_form import ui_form

from . import recorded
from .recorded import nodes, object_info

CASES = recorded.cases()
# The front end restores this by position, of a class that got another widget since: a number becomes the name of a
# model. The names that the file gives too are right.
BETTER = {"3d_hunyuan3d-v2.1"}
# Two subgraphs of it have nodes with the same ids; the front end gives new ones to those of one. The graph is the same.
RENUMBERED = {"image_newbieimage_exp0_1-t2i"}

here = pytest.mark.skipif(not CASES, reason="the recordings are not here")


@here
@pytest.mark.parametrize("name", CASES)
def test_as_the_front_end_does_it(name: str) -> None:
    info = object_info()
    made = to_api(recorded.workflow(name), info)
    same = nodes(made.graph, info) == nodes(recorded.expected(name), info)
    assert same is (name not in BETTER)
    assert made.problems == ()
    same_ids = set(made.graph) <= set(recorded.expected(name))
    assert same_ids is (name not in RENUMBERED)  # ids too: progress on the server is told by them


@here
def test_where_it_is_better_the_values_are_possible() -> None:
    graph = to_api(recorded.workflow("3d_hunyuan3d-v2.1"), object_info()).graph
    assert graph["19:1"]["inputs"]["ckpt_name"] == "hunyuan_3d_v2.1.safetensors"
    assert graph["19:7"]["inputs"]["steps"] == 30


@here
@pytest.mark.parametrize("name", CASES)
def test_a_recorded_graph_is_drawn_and_comes_back(name: str) -> None:
    info = object_info()
    graph = recorded.expected(name)
    back = to_api(json.loads(json.dumps(to_ui(graph, info).workflow)), info).graph
    for node in graph.values():  # the front end sends what no class declares; a server ignores it
        declared = catalog.declared(info, node["class_type"])
        node["inputs"] = {key: value for key, value in node["inputs"].items() if key.partition(".")[0] in declared}
    assert back == graph


@here
@pytest.mark.parametrize("name", CASES)
def test_a_changed_value_is_written_where_the_browser_reads_it(name: str) -> None:
    info, saved = object_info(), recorded.workflow(name)
    graph = to_api(saved, info).graph
    places = [
        (Place(node_id, key), value)
        for node_id, node in graph.items()
        for key, value in node["inputs"].items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    ]
    for place, value in random.Random(name).sample(places, min(3, len(places))):
        wanted = value + "x" if isinstance(value, str) else value + 1
        changed = with_widget_values(saved, {place: wanted}, info)
        assert changed.left == ()
        again = to_api(changed.workflow, info).graph
        assert again[place.node_id]["inputs"][place.input] == wanted
        assert _without(again) == _without(graph)


def _without(graph: dict[str, Any]) -> dict[str, Any]:
    """Nodes, classes and links."""
    return {
        node_id: (node["class_type"], {key: value for key, value in node["inputs"].items() if isinstance(value, list)})
        for node_id, node in graph.items()
    }


@here
@pytest.mark.slow
def test_every_official_template_converts_or_tells_what_is_missing() -> None:
    info, counts = object_info(), collections.Counter[str]()
    for name, saved in recorded.templates():
        found = ui_form(saved, name)
        assert found is not None
        assert found.classes
        inner = (saved.get("definitions") or {}).get("subgraphs") or []
        instances = {each["id"] for each in inner}
        used = {
            node["type"]
            for sheet in (saved, *inner)
            for node in sheet["nodes"]
            if node.get("mode", 0) not in (2, 4)
        }  # fmt: skip
        unknown = used - instances - VIRTUAL - set(info)
        try:
            made = to_api(saved, info)
        except MissingNodesError as error:
            counts["missing"] += 1
            assert {each.class_type for each in error.missing} <= unknown
            assert all(each.node_id for each in error.missing)
            continue
        counts["converted"] += 1
        assert all(node["class_type"] in info for node in made.graph.values())
    if not counts:
        pytest.skip("the templates are not installed")
    assert counts.total() == 644
    assert counts["converted"] >= 126  # all whose classes the recorded server has


@here
def test_random_graphs_on_the_recorded_catalogue_come_back() -> None:
    from hypothesis import HealthCheck, given, settings

    from .test_ui import graphs

    info = object_info()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(graphs(info))
    def check(graph: dict[str, Any]) -> None:
        assert to_api(json.loads(json.dumps(to_ui(graph, info).workflow)), info).graph == graph

    check()

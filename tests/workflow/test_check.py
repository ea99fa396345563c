"""Everything that a server would refuse is found before it is asked, with a remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfytui.workflow.check import check

from .graphs import OBJECT_INFO, RECORDINGS, example, node


def problems(change: Any) -> list[tuple[str, str]]:
    graph = example()
    change(graph)
    return [(each.kind, str(each)) for each in check(graph, OBJECT_INFO)]


def test_a_good_workflow_has_none() -> None:
    assert check(example(), OBJECT_INFO) == []


def test_all_missing_classes_are_listed_each_once() -> None:
    def change(graph: dict[str, Any]) -> None:
        graph["5"]["class_type"] = "KSamplr"
        graph["x"] = node("FancyUpscale", "Up")
        graph["y"] = node("FancyUpscale")

    found = problems(change)
    assert [kind for kind, _ in found] == ["missing_node", "missing_node"]
    assert "Did you mean KSampler?" in found[0][1]
    assert "(nodes x, y)" in found[1][1]


def test_missing_models_name_near_ones() -> None:
    ((kind, text),) = problems(lambda graph: graph["1"]["inputs"].update(ckpt_name="comfytui_demo.safetensors"))
    assert kind == "missing_choice"
    assert "Near: comfytui-demo.safetensors" in text
    ((_, text),) = problems(lambda graph: graph["1"]["inputs"].update(ckpt_name="juggernautXL_v9.ckpt"))
    assert "Download it" in text


def test_a_server_without_any_model_says_so() -> None:
    empty = {
        **OBJECT_INFO,
        "CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": [[]]}}, "output": ["MODEL"] * 3},
    }
    (found,) = (each for each in check(example(), empty) if each.kind == "missing_choice")
    assert "put the file in its folder" in found.fix
    untold = {
        **OBJECT_INFO,
        "CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": ["COMBO", {"remote": {}}]}}},
    }
    assert not [each for each in check(example(), untold) if each.kind == "missing_choice"]


@pytest.mark.parametrize(
    ("node_id", "name", "value", "kind", "says"),
    [
        ("5", "sampler_name", "zzz", "missing_choice", "There is: euler, heun, dpmpp_2m"),
        ("5", "steps", 0, "bad_value", "Give one from 1 to 10000"),
        ("5", "steps", "many", "bad_value", "Give a whole number"),
        ("5", "model", ["99", 0], "bad_link", "node 99, which is not there"),
        ("5", "model", ["1", 9], "bad_link", "output 9 of node 1, which has 3"),
        ("5", "model", ["4", 0], "wrong_type", "needs MODEL and gets LATENT"),
    ],
)
def test_one_wrong_input(node_id: str, name: str, value: Any, kind: str, says: str) -> None:
    ((found, text),) = problems(lambda graph: graph[node_id]["inputs"].update({name: value}))
    assert found == kind
    assert says in text
    assert f"node {node_id} (Sampler)" in text


def test_missing_inputs_cycles_and_outputs() -> None:
    ((kind, _),) = problems(lambda graph: graph["5"]["inputs"].pop("model"))
    assert kind == "missing_input"
    ((kind, text),) = problems(lambda graph: graph["5"]["inputs"].update(latent_image=["5", 0]))
    assert (kind, "5 ← 5" in text) == ("cycle", True)
    ((kind, text),) = problems(lambda graph: graph.pop("7"))
    assert (kind, "SaveImage" in text) == ("no_outputs", True)


def test_nodes_that_no_output_needs_are_not_judged() -> None:
    assert problems(lambda graph: graph.update(z=node("KSampler"))) == []


def test_inputs_that_come_in_parts_are_not_missing() -> None:
    info = {
        "input": {"required": {"images": ["COMFY_AUTOGROW_V3", {}], "size": ["COMFY_DYNAMICCOMBO_V3", {}]}},
        "output": [],
    }
    graph = {"1": node("Batch", **{"images.image0": ["2", 0], "size": "big", "size.width": 3}), "2": node("Empty")}
    known = {"Batch": {**info, "output_node": True}, "Empty": {"input": {}, "output": ["IMAGE"]}}
    assert check(graph, known) == []


@pytest.mark.parametrize("info", [None, 3, {}, {"input": 3}, {"input": {"required": {"a": []}}, "output": 3}])
def test_a_malformed_catalogue_entry_harms_nobody(info: Any) -> None:
    check(example(), {**OBJECT_INFO, "KSampler": info})


def test_against_a_real_server() -> None:
    if not (RECORDINGS / "http.json").is_file():
        pytest.skip("the recordings are not here")
    info = json.loads((RECORDINGS / "object_info.json").read_text())
    exchanges = json.loads((RECORDINGS / "http.json").read_text())
    asked = 0
    for exchange in exchanges:
        sent = exchange["request"].get("json")
        if exchange["request"]["method"] != "POST" or not exchange["request"]["path"].endswith("/prompt"):
            continue
        if not isinstance(sent, dict) or not sent.get("prompt"):
            continue
        asked += 1
        refused = exchange["response"]["status"] == 400
        found = check(sent["prompt"], info)
        if refused and not sent.get("partial_execution_targets"):
            assert found, exchange["note"]
        if not found and "partial_execution_targets" not in sent:
            assert not refused, exchange["note"]
    assert asked > 10

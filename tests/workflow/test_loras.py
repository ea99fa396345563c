"""LoRAs between a loader and its users: chains stay in order, and every link goes through them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow import convert, loras
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.loras import Lora

from .graphs import ROOT, custom_sampling, example, node
from .test_trace import graphs as wirings

EXPECTED = ROOT.parent / "shared" / "graph-to-prompt" / "expected"


def ids(graph: dict[str, Any], class_type: str) -> list[str]:
    return [each for each in graph if graph[each]["class_type"] == class_type]


def test_the_first_one_goes_between_the_checkpoint_and_all_that_uses_it() -> None:
    graph = example()
    before = json.dumps(graph)
    made, new = loras.add(graph, "film.safetensors", 0.8)
    assert json.dumps(graph) == before, "the given graph stays"
    (loader,), (sampler,) = ids(graph, "CheckpointLoaderSimple"), ids(graph, "KSampler")
    assert made[new]["class_type"] == "LoraLoader"
    assert made[new]["inputs"] == {
        "model": [loader, 0],
        "clip": [loader, 1],
        "lora_name": "film.safetensors",
        "strength_model": 0.8,
        "strength_clip": 0.8,
    }
    assert made[sampler]["inputs"]["model"] == [new, 0]
    assert {tuple(made[each]["inputs"]["clip"]) for each in ids(made, "CLIPTextEncode")} == {(new, 1)}
    (decode,) = ids(made, "VAEDecode")
    assert made[decode]["inputs"]["vae"] == [loader, 2], "what is no model stays where it was"
    assert loras.loras(made) == (Lora(new, "film.safetensors", 0.8, 0.8),)


def test_a_chain_keeps_its_order_also_when_one_goes() -> None:
    graph = example()
    found = []
    for name in ("a", "b", "c"):
        graph, new = loras.add(graph, name)
        found.append(new)
    assert [each.name for each in loras.loras(graph)] == ["a", "b", "c"]
    without = loras.remove(graph, found[1])
    assert [each.name for each in loras.loras(without)] == ["a", "c"]
    assert without[found[2]]["inputs"]["model"] == [found[0], 0]
    assert without[found[2]]["inputs"]["clip"] == [found[0], 1]
    for each in found:
        graph = loras.remove(graph, each)
    assert graph == example()


def test_a_model_without_its_text_encoder_is_changed_alone() -> None:
    made, new = loras.add(custom_sampling(), "more.safetensors")
    assert made[new]["class_type"] == "LoraLoaderModelOnly"
    assert made[new]["inputs"]["model"] == ["lora", 0]
    assert made["guider"]["inputs"]["model"] == made["sigmas"]["inputs"]["model"] == [new, 0]
    assert [each.name for each in loras.loras(made)] == ["film.safetensors", "more.safetensors"]
    assert loras.remove(made, new) == custom_sampling()


def test_two_models_are_two_spots() -> None:
    graph = custom_sampling()
    other = {f"b_{key}": json.loads(json.dumps(each)) for key, each in graph.items()}
    for each in other.values():
        for name, value in each["inputs"].items():
            if isinstance(value, list):
                each["inputs"][name] = [f"b_{value[0]}", value[1]]
    other["b_unet"]["inputs"]["unet_name"] = "low.safetensors"
    both = {**graph, **other}
    first, second = loras.spots(both)
    assert {first.title, second.title} == {"flux.safetensors", "low.safetensors"}
    low = first if first.title == "low.safetensors" else second
    made, new = loras.add(both, "x", 1.0, low)
    assert made["b_guider"]["inputs"]["model"] == [new, 0]
    assert made["guider"]["inputs"]["model"] == ["lora", 0]


def test_weighing_by_steps() -> None:
    graph, new = loras.add(example(), "a")
    for _ in range(3):
        graph = loras.weigh(graph, new, -0.1)
    assert loras.loras(graph) == (Lora(new, "a", 0.7, 0.7),)
    assert loras.loras(loras.weigh(graph, new, 1e6))[0].strength == 100


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(WorkflowError, match="no sampler"):
        loras.add({"1": node("LoadImage", image="x")}, "a")
    with pytest.raises(WorkflowError, match="the server does not have"):
        loras.add(custom_sampling(), "a", object_info={"KSampler": {}})
    with pytest.raises(WorkflowError, match="out of range"):
        loras.add(example(), "a", float("nan"))
    with pytest.raises(WorkflowError, match="no LoRA"):
        loras.remove(example(), "3")
    graph, new = loras.add(custom_sampling(), "a")
    graph["odd"] = node("Other", clip=[new, 1])
    with pytest.raises(WorkflowError, match="takes output 1"):
        loras.remove(graph, new)


def test_in_a_subgraph_the_node_stays_within_it() -> None:
    graph = {f"7:{n}" if n != "save" else n: each for n, each in custom_sampling().items()}
    for each in graph.values():
        for name, value in each["inputs"].items():
            if isinstance(value, list):
                each["inputs"][name] = [f"7:{value[0]}", value[1]]
    _, new = loras.add(graph, "a")
    assert new == "7:1"


@pytest.mark.skipif(not EXPECTED.is_dir(), reason="needs the recorded templates")
def test_in_recorded_workflows_one_can_be_added_and_taken_out_again() -> None:
    done = 0
    for path in sorted(EXPECTED.glob("*.json")):
        graph = json.loads(path.read_text())
        if not loras.spots(graph):
            continue
        made, new = loras.add(graph, "x.safetensors", 0.5)
        assert new in {each.node_id for each in loras.loras(made)}, path.name
        assert loras.remove(made, new) == graph, path.name
        assert convert.changes(graph, made), path.name
        done += 1
    assert done >= 61


@given(wirings)
def test_any_wiring(graph: dict[str, Any]) -> None:
    for each in loras.loras(graph):
        try:
            loras.remove(graph, each.node_id)
            loras.weigh(graph, each.node_id, 0.1)
        except WorkflowError as error:
            assert error.fix
    for spot in loras.spots(graph):
        made, new = loras.add(graph, "x", 1.0, spot)
        assert made[new]["inputs"]["lora_name"] == "x"
        assert set(made) == {*graph, new}


@given(st.text(max_size=12), st.floats())
def test_any_strength_is_kept_or_refused(name: str, strength: float) -> None:
    try:
        made, new = loras.add(example(), name, strength)
    except WorkflowError:
        return
    assert loras.loras(made)[0] == Lora(new, name, strength, strength)

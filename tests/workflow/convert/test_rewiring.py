"""A LoRA more or less in the browser's form: the same graph runs, and everything else in the file stays."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow import loras
from comfytui.workflow.convert import to_api, to_ui
from comfytui.workflow.convert.rewiring import rewired
from comfytui.workflow.errors import WorkflowError
from tests.workflow.graphs import RECORDINGS, ROOT, custom_sampling, example

WORKFLOWS = ROOT.parent / "shared" / "graph-to-prompt" / "workflows"
needs = pytest.mark.skipif(not WORKFLOWS.is_dir(), reason="needs the recorded templates")
LORA = {
    "input": {
        "required": {
            "model": ["MODEL"], "clip": ["CLIP"], "lora_name": [["film.safetensors"]],
            "strength_model": ["FLOAT", {"default": 1.0}], "strength_clip": ["FLOAT", {"default": 1.0}],
        }
    },
    "output": ["MODEL", "CLIP"],
}  # fmt: skip


def catalogue() -> dict[str, Any]:
    """Declares what the example needs, and the LoRA; as little as the conversion takes."""
    found: dict[str, Any] = {"LoraLoader": LORA}
    outputs = {"CheckpointLoaderSimple": ["MODEL", "CLIP", "VAE"], "CLIPTextEncode": ["CONDITIONING"],
               "EmptyLatentImage": ["LATENT"], "KSampler": ["LATENT"], "VAEDecode": ["IMAGE"]}  # fmt: skip
    types = {"model": "MODEL", "clip": "CLIP", "vae": "VAE", "positive": "CONDITIONING", "negative": "CONDITIONING",
             "latent_image": "LATENT", "samples": "LATENT", "images": "IMAGE"}  # fmt: skip
    for node in example().values():
        kinds = {str: "STRING", int: "INT", float: "FLOAT"}
        declared = {n: [types[n]] if n in types else [kinds[type(v)], {}] for n, v in node["inputs"].items()}
        name = node["class_type"]
        found[name] = {"input": {"required": declared}, "output": outputs.get(name, []), "output_node": "Save" in name}
    return found


INFO = catalogue()


def test_one_is_added_and_taken_out_and_all_else_stays() -> None:
    workflow = to_ui(example(), INFO).workflow
    workflow["groups"] = [{"title": "mine"}]
    workflow["of_another_program"] = {"a": 1}
    workflow["nodes"].append({"id": 99, "type": "Note", "pos": [0, 0], "widgets_values": ["remember"]})
    graph = to_api(workflow, INFO).graph
    before = json.dumps(workflow)
    made, new = loras.add(graph, "film.safetensors", 0.5, None, INFO, {"99"})
    assert new not in graph and new != "99"
    changed = rewired(workflow, graph, made, INFO)
    assert json.dumps(workflow) == before
    assert changed is not None
    assert to_api(changed, INFO).graph == made
    assert changed["groups"] == workflow["groups"] and changed["of_another_program"] == {"a": 1}
    assert {each["id"] for each in changed["nodes"]} == {*(each["id"] for each in workflow["nodes"]), int(new)}
    assert len({each[0] for each in changed["links"]}) == len(changed["links"])
    assert changed["last_node_id"] >= int(new)
    back = rewired(changed, made, loras.remove(made, new), INFO)
    assert back is not None
    assert to_api(back, INFO).graph == graph


def test_values_that_were_changed_too_are_written() -> None:
    workflow = to_ui(example(), INFO).workflow
    graph = to_api(workflow, INFO).graph
    made, _ = loras.add(graph, "film.safetensors", 0.5)
    sampler = next(each for each in made if made[each]["class_type"] == "KSampler")
    made[sampler] = {**made[sampler], "inputs": {**made[sampler]["inputs"], "steps": 3}}
    changed = rewired(workflow, graph, made, INFO)
    assert changed is not None
    assert to_api(changed, INFO).graph == made


def test_where_it_would_not_run_as_the_same_there_is_no_answer() -> None:
    workflow = to_ui(example(), INFO).workflow
    graph = to_api(workflow, INFO).graph
    made, _ = loras.add(graph, "film.safetensors", 0.5)
    assert rewired(workflow, graph, made, {}) is None
    assert rewired({"nodes": []}, graph, made, INFO) is None
    assert rewired(workflow, graph, custom_sampling(), INFO) is None


@needs
def test_in_recorded_workflows_also_within_subgraphs() -> None:
    info = json.loads((RECORDINGS / "object_info.json").read_text())
    done = asked = 0
    for path in sorted(WORKFLOWS.glob("*.json"))[::3]:
        workflow = json.loads(path.read_text())
        try:
            graph = to_api(workflow, info).graph
        except WorkflowError:
            continue
        if not loras.spots(graph):
            continue
        made, new = loras.add(graph, "parity-lora.safetensors", 0.5, taken={str(n["id"]) for n in workflow["nodes"]})
        asked += 1
        changed = rewired(workflow, graph, made, info)
        if changed is None:
            continue
        done += 1
        assert to_api(changed, info).graph[new]["inputs"] == made[new]["inputs"], path.name
        assert rewired(changed, made, loras.remove(made, new), info) is not None, path.name
    assert done >= asked - 1 > 15


@given(st.data())
def test_a_damaged_workflow_has_no_answer_and_no_traceback(data: st.DataObject) -> None:
    workflow: Any = to_ui(example(), INFO).workflow
    graph = to_api(workflow, INFO).graph
    made, _ = loras.add(graph, "film.safetensors")
    damaged = copy.deepcopy(workflow)
    at: Any = damaged
    for _ in range(data.draw(st.integers(1, 5))):
        keys = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(at[key], (dict, list)):
            at[key] = data.draw(st.sampled_from([None, 3, "x", [], {}, -1.5, [None], {"id": "a"}]))
            break
        at = at[key]
    found = rewired(damaged, graph, made, INFO)
    if found is not None:
        assert to_api(found, INFO).graph.keys() == made.keys()

"""Facts and order: what the queue and the history show of a workflow."""

from __future__ import annotations

from typing import Any

import pytest

from comfytui.workflow import order
from comfytui.workflow.summary import Facts, facts
from tests.support.replay import Recording

from .graphs import RECORDINGS, custom_sampling, example, node


def test_a_simple_workflow() -> None:
    assert facts(example(), "txt2img-demo.json") == Facts(
        name="txt2img-demo.json",
        positive="a red circle on a blue background",
        negative="",
        seed=42,
        steps=20,
        cfg=6.0,
        sampler="euler",
        scheduler="normal",
        denoise=1.0,
        width=128,
        height=128,
        batch=1,
        model="comfytui-demo.safetensors",
    )


def test_a_sampler_in_parts_is_understood() -> None:
    found = facts(custom_sampling())
    assert (found.positive, found.negative, found.seed) == ("a lighthouse in a storm", "", 8412)
    assert (found.steps, found.sampler, found.scheduler, found.denoise) == (28, "dpmpp_2m", "simple", 1.0)
    assert (found.width, found.height, found.batch) == (1216, 832, 2)
    assert (found.model, found.loras) == ("flux.safetensors", ("film.safetensors",))


def test_of_two_passes_the_first_one_tells() -> None:
    found = facts(example("img2img-demo"))
    assert (found.denoise, found.width) == (1.0, 96)


def test_sides_stay_apart_behind_a_node_that_takes_both() -> None:
    graph = example()
    graph["c"] = node("ControlNetApplyAdvanced", positive=["2", 0], negative=["3", 0], strength=1.0)
    graph["3"]["inputs"]["text"] = "blurry"
    graph["5"]["inputs"].update(positive=["c", 0], negative=["c", 1])
    found = facts(graph)
    assert (found.positive, found.negative) == ("a red circle on a blue background", "blurry")


def test_combined_prompts_are_joined_and_values_of_primitives_found() -> None:
    graph = example()
    graph["2b"] = node("CLIPTextEncode", text="at night", clip=["1", 1])
    graph["mix"] = node("ConditioningCombine", conditioning_1=["2", 0], conditioning_2=["2b", 0])
    graph["n"] = node("PrimitiveInt", value=77)
    graph["5"]["inputs"].update(positive=["mix", 0], seed=["n", 0])
    found = facts(graph)
    assert found.positive == "a red circle on a blue background | at night"
    assert found.seed == 77


def test_loras_are_told_from_the_checkpoint_on() -> None:
    graph = example()
    graph["a"] = node("LoraLoader", model=["1", 0], clip=["1", 1], lora_name="first")
    graph["b"] = node("LoraLoader", model=["a", 0], clip=["a", 1], lora_name="second")
    graph["5"]["inputs"]["model"] = ["b", 0]
    assert facts(graph).loras == ("first", "second")


@pytest.mark.parametrize(
    "graph",
    [
        {},
        {"1": None},
        {"1": {"class_type": "KSampler", "inputs": {"positive": ["1", 0], "model": ["1", 0], "seed": 10**400}}},
        {
            "1": {
                "class_type": "KSampler",
                "inputs": {"cfg": 10**400, "positive": ["2", 0], "model": ["1", 0], "steps": 1},
            }
        },
        {"1": {"class_type": "X", "inputs": {"width": float("nan"), "height": True}}},
    ],
)
def test_nonsense_gives_few_facts_and_no_error(graph: dict[str, Any]) -> None:
    found = facts(graph, "n")
    assert (found.name, found.positive, found.width) == ("n", "", None)


def test_origins_run_first_and_outputs_soon() -> None:
    assert order.expected(example()) == ("1", "4", "3", "2", "5", "6", "7")
    # The preview is an output and comes before the rest of the chain goes on.
    assert order.expected(example("img2img-demo")).index("7") < order.expected(example("img2img-demo")).index("8")


def test_only_what_the_outputs_need() -> None:
    assert order.expected(example("img2img-demo"), ["7", "nope"]) == ("1", "4", "3", "2", "5", "6", "7")


@pytest.mark.parametrize(
    "name", ["txt2img-previews", "txt2img-cached", "execution-error", "interrupted", "last", "three-queued-one-deleted"]
)
def test_a_real_server_ran_them_in_this_order(name: str) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("the recordings are not here")
    recording = Recording.load(name)
    told = [each["data"] for each in recording.frames if isinstance(each, dict) and each["type"] == "executing"]
    ran = [each["node"] for each in told if each["node"] and each["prompt_id"] == recording.prompt_id]
    outputs = ["10", "9"]  # as the history of that server lists them
    assert [node_id for node_id in order.expected(recording.graph, outputs) if node_id in ran] == ran


def test_cycles_come_last_and_nothing_is_lost() -> None:
    graph = {"a": node("A", x=["b", 0]), "b": node("B", x=["a", 0]), "c": node("C"), "self": node("D", x=["self", 0])}
    assert order.expected(graph) == ("c", "a", "b", "self")


def test_a_chain_longer_than_the_stack() -> None:
    graph: dict[str, Any] = {"0": node("A")}
    for index in range(1, 5000):
        graph[str(index)] = node("A", x=[str(index - 1), 0])
    assert order.expected(graph)[-1] == "4999"
    assert facts(graph) == Facts()


def test_titles_fall_back_to_the_class_and_the_id() -> None:
    assert order.titles({"1": node("A", "Mine"), "2": node("B", " "), "3": {}}) == {"1": "Mine", "2": "B", "3": "3"}

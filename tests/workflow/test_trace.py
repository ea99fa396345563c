"""What the inputs of a workflow mean: found by its links, for every way in which nodes are wired to sample."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow import trace
from comfytui.workflow.graph import Place

from .graphs import ROOT, custom_sampling, node

EXPECTED = ROOT.parent / "shared" / "graph-to-prompt" / "expected"


def ksampler(**others: Any) -> dict[str, Any]:
    return {
        "unet": node("UNETLoader", unet_name="base.safetensors"),
        "clip": node("CLIPLoader", clip_name="t5.safetensors"),
        "yes": node("CLIPTextEncode", text="a cat", clip=["clip", 0]),
        "no": node("CLIPTextEncode", text="blurry", clip=["clip", 0]),
        "size": node("EmptyLatentImage", width=512, height=768, batch_size=2),
        "sample": node(
            "KSampler", model=["unet", 0], positive=["yes", 0], negative=["no", 0], latent_image=["size", 0],
            seed=1, steps=20, cfg=7.0, sampler_name="euler", scheduler="simple", denoise=1.0,
        ),
        **others,
    }  # fmt: skip


def by_role(graph: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, role in trace.roles(graph).items():
        found.setdefault(role, []).append(f"{place.node_id}.{place.input}")
    return found


def test_a_switch_lets_through_what_is_chosen() -> None:
    graph = ksampler(
        fast=node("PrimitiveBoolean", value=True),
        lora=node("LoraLoaderModelOnly", model=["unet", 0], lora_name="fast.safetensors", strength_model=1.0),
        which=node("Switch", switch=["fast", 0], on_true=["lora", 0], on_false=["unet", 0]),
        few=node("PrimitiveInt", value=4),
        many=node("PrimitiveInt", value=30),
        steps=node("Switch", switch=["fast", 0], on_true=["few", 0], on_false=["many", 0]),
    )
    graph["sample"]["inputs"] |= {"model": ["which", 0], "steps": ["steps", 0]}
    found = by_role(graph)
    assert (found["model"], found["lora"], found["strength"]) == (
        ["unet.unet_name"],
        ["lora.lora_name"],
        ["lora.strength_model"],
    )
    assert found["steps"] == ["few.value"]
    graph["fast"]["inputs"]["value"] = False
    found = by_role(graph)
    assert (found["model"], found.get("lora"), found["steps"]) == (["unet.unet_name"], None, ["many.value"])


def test_a_switch_that_hangs_on_itself_ends() -> None:
    graph = ksampler(loop=node("Switch", switch=["loop", 0], on_true=["loop", 0], on_false=["unet", 0]))
    graph["sample"]["inputs"] |= {"model": ["loop", 0], "steps": ["loop", 0]}
    graph["yes"]["inputs"]["text"] = ["loop", 0]
    assert "steps" not in by_role(graph)


def test_a_prompt_put_together_from_several_texts() -> None:
    graph = ksampler(
        style=node("PrimitiveStringMultiline", value="film still,"),
        what=node("PrimitiveStringMultiline", value="a lighthouse"),
        both=node("StringConcatenate", string_a=["style", 0], string_b=["what", 0], delimiter=" "),
    )
    graph["yes"]["inputs"]["text"] = ["both", 0]
    assert by_role(graph)["positive"] == ["style.value", "what.value"]


def test_words_that_are_zeroed_are_no_negative_prompt() -> None:
    graph = ksampler(no=node("ConditioningZeroOut", conditioning=["yes", 0]))
    assert "negative" not in by_role(graph)
    assert by_role(graph)["positive"] == ["yes.text"]


def test_the_guidance_of_a_distilled_model_is_what_cfg_means() -> None:
    graph = ksampler(guidance=node("FluxGuidance", guidance=3.5, conditioning=["yes", 0]))
    graph["sample"]["inputs"] |= {"positive": ["guidance", 0], "cfg": 1.0}
    assert by_role(graph)["cfg"] == ["guidance.guidance", "sample.cfg"]
    graph["sample"]["inputs"]["cfg"] = 4.0
    assert by_role(graph)["cfg"] == ["sample.cfg"]
    assert by_role(custom_sampling())["cfg"] == ["guidance.guidance"]


def test_two_conditionings_of_one_guider() -> None:
    graph = custom_sampling()
    graph["bad"] = node("CLIPTextEncode", text="bad", clip=["clip", 0])
    graph["guider"] = node(
        "DualCFGGuider", model=["lora", 0], cond1=["text", 0], cond2=["bad", 0], negative=["bad", 0], cfg_conds=5.0
    )
    found = by_role(graph)
    assert (found["positive"], found["negative"], found["cfg"]) == (["words.value"], ["bad.text"], ["guider.cfg_conds"])


def test_frames_and_a_batch_without_a_size_of_its_own() -> None:
    graph = ksampler(
        picture=node("LoadImage", image="in.png"),
        told=node("GetImageSize", image=["picture", 0]),
        size=node("EmptyVideo", width=["told", 0], height=["told", 1], length=81, batch_size=1),
    )
    found = by_role(graph)
    assert (found["length"], found["batch"]) == (["size.length"], ["size.batch_size"])
    assert "width" not in found


def test_without_a_sampler_names_alone_must_do() -> None:
    graph = {
        "1": node("Somewhere", prompt="a fox", negative_prompt="rain", seed=3, model="large"),
        "2": node("UpscaleModelLoader", model_name="x4.pth"),
    }
    found = by_role(graph)
    assert found == {
        "positive": ["1.prompt"],
        "negative": ["1.negative_prompt"],
        "seed": ["1.seed"],
        "model": ["2.model_name"],
    }


@pytest.mark.skipif(not EXPECTED.is_dir(), reason="needs the recorded templates")
def test_what_is_found_in_recorded_workflows() -> None:
    counts: Counter[str] = Counter()
    for path in EXPECTED.glob("*.json"):
        graph = json.loads(path.read_text())
        counts.update(set(trace.roles(graph).values()))
    # Of 63: some have no words (depth, 3D), no scheduler of their own, or take their size from a picture.
    assert counts["seed"] >= 61
    assert counts["sampler"] >= 62
    assert counts["model"] >= 62
    assert counts["steps"] >= 60
    assert counts["cfg"] >= 60
    assert counts["positive"] >= 58
    assert counts["batch"] >= 50


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "b", "x.safetensors"]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(st.sampled_from("abcd"), st.integers(0, 2)).map(list),
    max_leaves=4,
)
names = st.sampled_from(
    ["model", "positive", "negative", "latent_image", "seed", "steps", "text", "string_a", "switch", "on_true",
     "on_false", "guider", "sigmas", "noise", "cond1", "width", "height", "batch_size", "lora_name", "unet_name",
     "conditioning", "guidance", "prompt"]
)  # fmt: skip
graphs = st.dictionaries(
    st.sampled_from("abcd"),
    st.fixed_dictionaries(
        {"class_type": st.sampled_from(["KSampler", "Other"]), "inputs": st.dictionaries(names, values, max_size=8)}
    ),
    max_size=4,
)


@given(graphs)
def test_any_wiring_gives_places_that_are_there(graph: dict[str, Any]) -> None:
    for place, role in trace.roles(graph).items():
        assert role in trace.ROLES
        assert isinstance(place, Place)
        assert isinstance(trace.value(graph, place), (str, int, float))

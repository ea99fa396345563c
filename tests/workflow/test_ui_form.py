"""Workflows in the UI form: what can be told of them without the server, and nothing that is in one raises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.ui_form import ui_form

PAGE = {
    "version": 0.4,
    "links": [],
    "nodes": [
        {"type": "CheckpointLoaderSimple", "widgets_values": ["sd15/base.safetensors"]},
        {"type": "CLIPTextEncode", "widgets_values": ["a castle"]},
        {"type": "CLIPTextEncode", "widgets_values": ["blurry"]},
        {"type": "EmptyLatentImage", "widgets_values": [512, 768, 2]},
        {"type": "KSampler", "widgets_values": [5, "fixed", 20, 7.5, "euler", "normal", 1]},
        {"type": "LoraLoader", "widgets_values": ["grain.safetensors", 1, 1]},
        {"type": "Note", "widgets_values": ["read me"]},
        {"type": "PreviewImage", "mode": 2},
        {"type": "b1f0"},
    ],
    "definitions": {"subgraphs": [{"id": "b1f0", "nodes": [{"type": "VAEDecode"}, {"type": "b1f0"}]}]},
}


def test_what_can_be_told() -> None:
    seen = ui_form(PAGE, "castle")
    assert seen is not None
    facts = seen.facts
    assert (facts.positive, facts.negative, facts.model) == ("a castle", "blurry", "sd15/base.safetensors")
    assert (facts.width, facts.height, facts.batch) == (512, 768, 2)
    assert (facts.seed, facts.steps, facts.cfg, facts.sampler) == (5, 20, 7.5, "euler")
    assert facts.loras == ("grain.safetensors",)
    assert "VAEDecode" in seen.classes, "a node of a subgraph, which may even hold itself"
    assert not {"Note", "PreviewImage", "b1f0"} & set(seen.classes), "notes, muted nodes and stand-ins do not run"


def test_other_documents_are_none_of_them() -> None:
    assert ui_form({"1": {"class_type": "A"}}) is None and ui_form([]) is None and ui_form({"nodes": 3}) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
kinds = st.sampled_from(["KSampler", "CLIPTextEncode", "LoraLoader", "EmptyLatentImage", "x"])
nodes = st.fixed_dictionaries({"type": kinds | anything}, optional={"widgets_values": anything, "mode": anything})


@given(st.fixed_dictionaries({"nodes": st.lists(nodes | anything, max_size=5)}, optional={"definitions": anything}))
def test_nothing_in_it_raises(data: dict) -> None:
    assert ui_form(data) is not None

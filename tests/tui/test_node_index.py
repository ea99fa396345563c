"""The node index: what is found first, what fits what, and that a strange catalogue harms nobody."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.tui.node_index import NodeIndex

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "object_info.json"


def node(category: str, inputs: dict | None = None, outputs: list | None = None, **more: object) -> dict:
    return {
        "input": {"required": {name: [kind] for name, kind in (inputs or {}).items()}},
        "output": outputs or [],
        "category": category,
        "python_module": "nodes",
        **more,
    }


SMALL = {
    "KSampler": node("sampling", {"model": "MODEL", "latent": "LATENT"}, ["LATENT"], description="Denoises."),
    "KSamplerSelect": node("sampling/custom", {}, ["SAMPLER"]),
    "VAEDecode": node("latent", {"samples": "LATENT", "vae": "VAE"}, ["IMAGE"], display_name="VAE Decode"),
    "CLIPTextEncode": node("conditioning", {"clip": "CLIP"}, ["CONDITIONING"]),
    "OldBlur": node("image", {"image": "IMAGE"}, ["IMAGE"], deprecated=True),
    "Blur": node("image", {"image": "IMAGE,MASK"}, ["IMAGE"], python_module="custom_nodes.blurry", experimental=True),
    "Anything": node("util", {"value": "*"}, ["*"]),
}


@pytest.fixture
def index() -> NodeIndex:
    return NodeIndex(SMALL)


def names(found) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("ksampler", "KSampler"),
        ("ksam", "KSampler"),
        ("select", "KSamplerSelect"),
        ("cte", "CLIPTextEncode"),
        ("vae dec", "VAEDecode"),
        ("ksmplr", "KSampler"),
        ("denoises", "KSampler"),
        ("blurry", "Blur"),
    ],
)
def test_what_was_meant_comes_first(index: NodeIndex, query: str, first: str) -> None:
    assert names(index.search(query))[0] == first


def test_every_word_must_match(index: NodeIndex) -> None:
    assert names(index.search("ksampler vae")) == []


def test_deprecated_nodes_come_after_their_successors(index: NodeIndex) -> None:
    assert names(index.search("blur")) == ["Blur", "OldBlur"]


def test_types_find_their_takers_and_makers(index: NodeIndex) -> None:
    assert names(index.search("takes:LATENT")) == ["VAEDecode", "KSampler"]
    assert set(names(index.takers("IMAGE"))) == {"Blur", "OldBlur"}, (
        "one of several types fits, anything does not count"
    )
    assert names(index.search("makes:image vae")) == ["VAEDecode"]
    assert set(names(index.makers("MASK"))) == set()


def test_the_tree_counts_what_is_below(index: NodeIndex) -> None:
    tree = {c.path: c for c in index.categories}
    assert (tree[""].total, tree["sampling"].total, tree["sampling/custom"].total) == (7, 2, 1)
    assert tree["sampling"].has_children and not tree["latent"].has_children
    assert tree["sampling/custom"].depth == 2
    assert names(index.in_category("sampling")) == ["KSampler", "KSamplerSelect"]
    assert names(index.search("ksam", "sampling/custom")) == ["KSamplerSelect"]


def test_badges(index: NodeIndex) -> None:
    assert index.by_name["Blur"].badges == ("experimental", "custom")
    assert index.by_name["Blur"].package == "blurry"
    assert index.by_name["OldBlur"].badges == ("deprecated",)
    assert index.by_name["KSampler"].badges == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("input", "output", "output_name", "category", "display_name", "description", "python_module", "deprecated")
strange = st.dictionaries(st.text(max_size=6), json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, json_values)), max_size=4)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(strange, st.text(max_size=12))
def test_a_strange_catalogue_harms_nobody(info: dict, query: str) -> None:
    index = NodeIndex(info)
    assert len(index.search("")) == len(index.nodes)
    assert set(names(index.search(query))) <= set(info)


@pytest.mark.skipif(not RECORDED.exists(), reason="no recordings here")
def test_a_real_catalogue() -> None:
    index = NodeIndex(msgspec.json.decode(RECORDED.read_bytes()))
    assert index.categories[0].total == len(index.nodes) > 400
    assert names(index.search("ksam"))[0] == "KSampler"
    assert "VAEDecode" in names(index.takers("LATENT"))
    assert all(index.search(each.name)[0].name == each.name for each in index.nodes)

"""The words of a search in Nodes: badges, packages and types let pass, and half a word is no mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui.node_index import NodeIndex
from comfytui.tui.node_search import parse


def node(module: str = "nodes", takes: str = "IMAGE", makes: str = "IMAGE", **more: object) -> dict:
    return {
        "input": {"required": {"x": [takes]}}, "output": [makes], "category": "image", "python_module": module, **more,
    }  # fmt: skip


INDEX = NodeIndex({
    "Core": node(), "Old": node(deprecated=True), "Paid": node("comfy_api_nodes.x", api_node=True),
    "Mine": node("custom_nodes.was-suite", experimental=True, takes="IMAGE,MASK"), "End": node(output_node=True, makes="LATENT"),
})  # fmt: skip


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("is:custom", {"Mine"}),
        ("is:core", {"Core", "Old", "Paid", "End"}),
        ("is:dep", {"Old"}),
        ("is:api", {"Paid"}),
        ("is:experimental from:was", {"Mine"}),
        ("-is:deprecated is:core", {"Core", "Paid", "End"}),
        ("-from:was -is:api", {"Core", "Old", "End"}),
        ("from:core is:output", {"End"}),
        ("is:", {"Core", "Old", "Paid", "Mine", "End"}),
        ("takes:MASK", {"Mine"}),
        ("takes:mask,latent makes:image", {"Mine"}),
        ("makes:LATENT takes:IMAGE", {"End"}),
        ("takes:*", set()),
        ("min is:custom", {"Mine"}),
    ],
)
def test_words_let_pass(query: str, names: set[str]) -> None:
    assert {each.name for each in INDEX.search(query)} == names


def test_a_wrong_word_says_what_there_is() -> None:
    assert "is:custom" in parse("is:foo").wrong and INDEX.search("is:foo") == []


def test_counts_are_those_of_the_lists() -> None:
    for type_ in ("IMAGE", "MASK", "LATENT", "*", "NONE", "image,latent"):
        assert INDEX.count("takes:", type_) == len(INDEX.takers(type_)) == len(INDEX.search(f"takes:{type_}"))
        assert INDEX.count("makes:", type_) == len(INDEX.makers(type_))


@given(st.lists(st.sampled_from(["is:", "-is:", "from:", "takes:", "makes:", "is:custom", "k", "-", ":", "İ"]) | st.text(max_size=5), max_size=5))  # fmt: skip
def test_nothing_that_is_typed_raises(words: list[str]) -> None:
    found = INDEX.search(" ".join(words))
    assert {each.name for each in found} <= set(INDEX.by_name)

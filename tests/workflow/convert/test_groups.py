"""Legacy group nodes: their inside, the values on their instances, and what cannot be made out of one."""

from __future__ import annotations

from typing import Any

import pytest

from comfytui.workflow.convert import Converted, MissingNodesError, to_api
from comfytui.workflow.errors import WorkflowError

from .pages import INFO, Page

GROUP = {
    "nodes": [
        {"type": "Encode", "index": 0, "inputs": [{"name": "clip", "type": "CLIP", "link": None}],
         "outputs": [{"name": "C", "type": "CONDITIONING"}], "widgets_values": ["one"]},
        {"type": "Encode", "index": 1, "title": "Two", "inputs": [{"name": "clip", "type": "CLIP", "link": None}],
         "outputs": [{"name": "C", "type": "CONDITIONING"}], "widgets_values": ["two"]},
        {"type": "Sampler", "index": 2, "inputs": [
            {"name": "model", "type": "MODEL", "link": None}, {"name": "positive", "type": "CONDITIONING", "link": 5},
            {"name": "latent", "type": "LATENT", "link": None}],
         "outputs": [{"name": "LATENT", "type": "LATENT"}], "widgets_values": [7, "fixed", 20, 6.5, "euler", 1.0]},
    ],
    "links": [[0, 0, 2, 1, "CONDITIONING"]],
    "external": [[0, 0, "CONDITIONING"]],
}  # fmt: skip
VALUES = ["a", "b", 9, "randomize", 30, 5.0, "dpmpp_2m", 0.5]


def workflow(group: Any = GROUP, values: Any = VALUES, kind: str = "workflow>mine") -> dict[str, Any]:
    page = (
        Page()
        .node(1, "Loader", ["a.safetensors"])
        .node(2, "Empty", [8, 8])
        .node(
            5, kind, values, {"clip": (1, 1), "Two clip": (1, 1), "model": (1, 0), "latent": (2, 0)},
            types={"clip": "CLIP", "Two clip": "CLIP", "model": "MODEL", "latent": "LATENT"},
            outputs=("CONDITIONING", "CONDITIONING", "LATENT"),
        )
        .node(6, "Show", None, {"source": (5, 2)})
        .node(7, "Show", None, {"source": (5, 0)})
        .node(8, "Show", None, {"source": (5, 1)})
    )  # fmt: skip
    return {**page.saved, "extra": {"groupNodes": {"mine": group}}}


def graph(found: Converted) -> dict[str, Any]:
    return {node_id: node["inputs"] for node_id, node in found.graph.items()}


@pytest.mark.parametrize("kind", ["workflow>mine", "workflow/mine"])
def test_a_group_expands(kind: str) -> None:
    found = to_api(workflow(kind=kind), INFO)
    assert found.problems == ()
    made = graph(found)
    assert made["5:0"] == {"text": "a", "clip": ["1", 1]}
    assert made["5:1"] == {"text": "b", "clip": ["1", 1]}
    assert made["5:2"] == {
        "model": ["1", 0], "positive": ["5:0", 0], "latent": ["2", 0],
        "seed": 9, "steps": 30, "cfg": 5.0, "sampler_name": "dpmpp_2m", "denoise": 0.5,
    }  # fmt: skip
    assert [made[each]["source"] for each in "678"] == [["5:2", 0], ["5:0", 0], ["5:1", 0]]


def test_hidden_widgets_keep_what_the_group_was_saved_with() -> None:
    group = {**GROUP, "config": {"1": {"input": {"text": {"visible": False}}}}}
    made = graph(to_api(workflow(group, ["a", *VALUES[2:]]), INFO))
    assert (made["5:0"]["text"], made["5:1"]["text"], made["5:2"]["seed"]) == ("a", "two", 9)
    assert graph(to_api(workflow(group), INFO))["5:1"]["text"] == "b"  # some front ends saved them all the same


def test_values_that_do_not_add_up_are_told() -> None:
    found = to_api(workflow(values=["a"]), INFO)
    assert graph(found)["5:0"]["text"] == "one"
    assert "legacy group node 'mine' with 1 values for 8 widgets" in found.problems[0].text


def test_a_group_that_is_not_in_the_file() -> None:
    with pytest.raises(MissingNodesError, match="workflow>other"):
        to_api(workflow(kind="workflow>other"), INFO)


@pytest.mark.parametrize(
    ("group", "place"),
    [
        ({"nodes": [{"type": "workflow>mine"}]}, "group node 'mine': contains itself"),
        ({"nodes": 3}, "group node 'mine': has no list of nodes"),
        ({"nodes": [{"type": "Load"}], "links": [[0, 0, 9, 0]]}, "group node 'mine', links: a link without its ends"),
        ({"nodes": [7]}, r"group node 'mine', nodes\[0\]: a node that is not"),
    ],
)
def test_malformed_groups(group: Any, place: str) -> None:
    with pytest.raises(WorkflowError, match=place):
        to_api(workflow(group), INFO)

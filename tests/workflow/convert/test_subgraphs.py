"""Subgraphs: what they expand to, the values on their instances, nesting, and those that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from comfytui.workflow.convert import MissingNodesError, to_api
from comfytui.workflow.errors import WorkflowError

from .pages import INFO, SUBGRAPH, Page


def sized(number: int = 1) -> dict[str, Any]:
    """A subgraph with a size, of which only the width is an input, and an unrelated socket."""
    inner = (
        Page()
        .node(1, "Empty", [16, 8], {"width": (-10, 0)}, widgets=("width",))
        .node(2, "Decode", None, {"samples": (1, 0), "vae": (-10, 1)})
    )
    return inner.subgraph(number, {"width": "INT", "vae": "VAE"}, {"IMAGE": (2, 0)}, "Sized")


def around(instance: dict[str, Any] | None = None, width: Any = None, **more: Any) -> Page:
    return (
        Page()
        .node(1, "Loader", ["a.safetensors"])
        .node(
            7, SUBGRAPH.format(1), more.pop("values", None), {"width": width, "vae": (1, 2)},
            types={"width": "INT", "vae": "VAE"}, outputs=("IMAGE",), widgets=("width",), **(instance or {}),
        )
        .node(9, "Save", ["x"], {"images": (7, 0)})
    )  # fmt: skip


def graph(page: Page, *definitions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = to_api(page.with_subgraphs(*definitions), INFO).graph
    return {node_id: node["inputs"] for node_id, node in found.items()}


def test_it_expands_under_the_id_of_its_instance() -> None:
    assert graph(around(), sized()) == {
        "1": {"ckpt_name": "a.safetensors"},
        "7:1": {"width": 16, "height": 8},
        "7:2": {"samples": ["7:1", 0], "vae": ["1", 2]},
        "9": {"images": ["7:2", 0], "filename_prefix": "x"},
    }


@pytest.mark.parametrize(
    ("instance", "wanted"),
    [
        ({}, 16),
        ({"values": [48]}, 48),  # by rank among those that bear a widget
        ({"values": []}, 16),
        ({"values": [None]}, 16),
        ({"values": [48], "instance": {"widgets_values_named": {"width": 64}}}, 64),
        ({"values": [48], "instance": {"properties": {"proxyWidgets": [["-1", "width"]]}}}, 48),
        ({"values": [48], "instance": {"properties": {"proxyWidgets": [["1", "width"]]}}}, 48),
        ({"values": [5, 48], "instance": {"properties": {"proxyWidgets": [["3", "x"], ["-1", "width"]]}}}, 48),
        ({"values": [None], "instance": {"properties": {"proxyWidgets": [["-1", "width"]]}}}, 16),
        ({"values": [48], "instance": {"properties": {"proxyWidgets": []}}}, 48),
        ({"values": [48], "instance": {"properties": {"proxyWidgets": [["9", "x"]]}}}, 16),
        ({"values": {"width": 80}}, 80),
    ],
)
def test_the_value_on_the_instance(instance: dict[str, Any], wanted: int) -> None:
    assert graph(around(**instance), sized())["7:1"] == {"width": wanted, "height": 8}


def test_a_proxy_of_a_widget_that_is_no_input() -> None:
    page = around({"properties": {"proxyWidgets": [["1", "height"], ["-1", "width"]]}}, values=[77, 48])
    assert graph(page, sized())["7:1"] == {"width": 48, "height": 77}


def test_what_is_linked_to_the_instance_wins() -> None:
    page = around(width=(5, 0), values=[48]).node(5, "Number", [9, "fixed"])
    assert graph(page, sized())["7:1"]["width"] == ["5", 0]
    page = around(width=(5, 0), values=[48]).node(5, "PrimitiveNode", [33, "fixed"], outputs=("INT",))
    assert graph(page, sized())["7:1"]["width"] == 33
    page = around(width=(5, 0), values=[48]).node(5, "Number", [9, "fixed"], mode=2)
    assert graph(page, sized())["7:1"]["width"] == 16  # the widget's own


@pytest.mark.parametrize("mode", [2, 4])
def test_a_muted_or_bypassed_instance_is_not_expanded(mode: int) -> None:
    found = graph(around({"mode": mode}), sized())
    assert set(found) == {"1", "9"}
    assert "images" not in found["9"]


def test_a_bypassed_instance_passes_on_by_its_own_sockets() -> None:
    inner = Page().node(1, "Invert", [0.5], {"image": (-10, 0)}).subgraph(1, {"image": "IMAGE"}, {"IMAGE": (1, 0)})
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(7, SUBGRAPH.format(1), None, {"image": (1, 0)}, types={"image": "IMAGE"}, outputs=("IMAGE",), mode=4)
        .node(9, "Save", ["x"], {"images": (7, 0)})
    )
    assert graph(page, inner)["9"]["images"] == ["1", 0]


def test_several_instances_have_values_of_their_own() -> None:
    page = around(values=[48])
    page.node(8, SUBGRAPH.format(1), [50], {"width": None, "vae": (1, 2)}, types={"vae": "VAE"}, outputs=("IMAGE",))
    found = graph(page, sized())
    assert (found["7:1"]["width"], found["8:1"]["width"]) == (48, 50)


def test_a_link_straight_through() -> None:
    inner = Page().node(1, "Note", ["empty"]).subgraph(1, {"image": "IMAGE"}, {"IMAGE": (-10, 0)})
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(7, SUBGRAPH.format(1), None, {"image": (1, 0)}, types={"image": "IMAGE"}, outputs=("IMAGE",))
        .node(9, "Save", ["x"], {"images": (7, 0)})
    )
    assert graph(page, inner)["9"]["images"] == ["1", 0]


def nested(values: Any = None, outer_values: Any = None, **more: Any) -> dict[str, dict[str, Any]]:
    middle = (
        Page()
        .node(3, SUBGRAPH.format(1), values, {"width": (-10, 0), "vae": (-10, 1)}, types={"vae": "VAE"}, outputs=("IMAGE",), **more)
        .node(4, "Invert", [0.25], {"image": (3, 0)})
        .subgraph(2, {"size": "INT", "vae": "VAE"}, {"IMAGE": (4, 0)})
    )  # fmt: skip
    page = (
        Page()
        .node(1, "Loader", ["a.safetensors"])
        .node(
            7, SUBGRAPH.format(2), outer_values, {"size": None, "vae": (1, 2)}, types={"vae": "VAE"}, outputs=("IMAGE",)
        )
        .node(9, "Save", ["x"], {"images": (7, 0)})
    )
    return graph(page, middle, sized())


def test_subgraphs_within_subgraphs() -> None:
    found = nested()
    assert found["7:3:1"] == {"width": 16, "height": 8}
    assert found["7:3:2"] == {"samples": ["7:3:1", 0], "vae": ["1", 2]}
    assert found["9"]["images"] == ["7:4", 0]


def test_a_value_comes_from_the_outermost_instance_that_has_one() -> None:
    assert nested(values=[20])["7:3:1"]["width"] == 20
    assert nested(values=[20], outer_values=[30])["7:3:1"]["width"] == 30
    assert nested(values=[20], outer_values=[None])["7:3:1"]["width"] == 20


def test_one_input_for_several_widgets() -> None:
    inner = Page().node(1, "Empty", [16, 8], {"width": (-10, 0), "height": (-10, 0)}, widgets=("width", "height"))
    definition = inner.subgraph(1, {"side": "INT"}, {"LATENT": (1, 0)})
    page = Page().node(7, SUBGRAPH.format(1), None, {"side": None}).node(8, SUBGRAPH.format(1), [5], {"side": None})
    found = graph(page, definition)
    assert found["7:1"] == {"width": 16, "height": 16}
    assert found["8:1"] == {"width": 5, "height": 5}


def test_set_and_get_nodes_reach_into_subgraphs() -> None:
    inner = Page().node(1, "GetNode", ["pic"], outputs=("IMAGE",)).node(2, "Invert", [1], {"image": (1, 0)})
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "SetNode", ["pic"], {"IMAGE": (1, 0)})
        .node(7, SUBGRAPH.format(1), outputs=("IMAGE",))
    )
    assert graph(page, inner.subgraph(1, {}, {"IMAGE": (2, 0)}))["7:2"]["image"] == ["1", 0]


def test_a_missing_definition_is_a_missing_node() -> None:
    with pytest.raises(MissingNodesError) as caught:
        graph(around())
    assert [(each.class_type, each.node_id) for each in caught.value.missing] == [(SUBGRAPH.format(1), "7")]


def test_a_subgraph_that_contains_itself() -> None:
    inner = Page().node(1, SUBGRAPH.format(1)).subgraph(1, {}, {}, "Ouroboros")
    with pytest.raises(WorkflowError, match="subgraph 'Ouroboros': contains itself"):
        graph(around(), inner)
    one = Page().node(1, SUBGRAPH.format(2)).subgraph(1, {}, {}, "One")
    two = Page().node(1, SUBGRAPH.format(1)).subgraph(2, {}, {}, "Two")
    with pytest.raises(WorkflowError, match="contains itself: One → Two → One"):
        graph(around(), one, two)


def test_subgraphs_that_would_fill_the_memory() -> None:
    levels = []
    for level in range(9):
        page = Page()
        for node in range(10):
            page.node(node, SUBGRAPH.format(level + 1) if level < 8 else "Load", ["a.png"])
        levels.append(page.subgraph(level, {}, {}, f"Level {level}"))
    with pytest.raises(WorkflowError, match="expand to more than"):
        graph(Page().node(1, SUBGRAPH.format(0)), *levels)


def test_subgraphs_that_are_nested_too_deep() -> None:
    levels = [Page().node(1, f"level {n + 1}").subgraph(0, {}, {}, f"L{n}") for n in range(100)]
    for number, level in enumerate(levels):
        level["id"] = f"level {number}"
    with pytest.raises(WorkflowError, match="nested more than 32 deep"):
        graph(Page().node(1, "level 0"), *levels)

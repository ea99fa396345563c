"""From the UI form to the graph: links, modes, the front end's own nodes, and nodes that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from comfytui.workflow.convert import Converted, MissingNodesError, to_api
from comfytui.workflow.errors import WorkflowError

from .pages import INFO, Page, text_to_image


def converted(page: Page, info: dict[str, Any] = INFO) -> Converted:
    return to_api(page.saved, info)


def inputs(page: Page) -> dict[str, dict[str, Any]]:
    return {node_id: node["inputs"] for node_id, node in converted(page).graph.items()}


def test_a_plain_workflow() -> None:
    found = converted(text_to_image())
    assert found.graph["4"] == {
        "class_type": "Sampler",
        "inputs": {
            "model": ["1", 0], "positive": ["2", 0], "latent": ["3", 0],
            "seed": 7, "steps": 20, "cfg": 6.5, "sampler_name": "euler", "denoise": 0.9,
        },
        "_meta": {"title": "Sampler"},
    }  # fmt: skip
    assert found.graph["2"]["_meta"] == {"title": "Positive"}
    assert found.graph["6"]["inputs"] == {"images": ["5", 0], "filename_prefix": "pic"}
    assert (found.warnings, found.problems) == ((), ())


def test_origins_come_before_what_takes_from_them() -> None:
    page = text_to_image()
    page.nodes.reverse()
    order = list(converted(page).graph)
    assert order.index("1") < order.index("2") < order.index("4") < order.index("5") < order.index("6")


def test_links_may_be_objects_and_ids_text() -> None:
    page = Page(objects=True).node("load", "Load", ["a.png", "image"]).node(7, "Save", ["x"], {"images": ("load", 0)})
    assert inputs(page)["7"]["images"] == ["load", 0]


def test_the_link_of_an_input_counts_and_not_the_slot_in_the_list() -> None:
    page = text_to_image()
    for link in page.links:
        link[4] = 99
    assert inputs(page)["4"]["latent"] == ["3", 0]


def test_titles_fall_back_to_the_display_name() -> None:
    page = Page().node(1, "Load", ["a.png"]).node(2, "Show", None, {"source": (1, 0)})
    assert converted(page).graph["2"]["_meta"]["title"] == "Show Anything"


def test_the_pack_of_a_node_goes_along() -> None:
    page = Page().node(1, "Load", ["a.png"], properties={"cnr_id": "comfy-core", "ver": "0.3.1", "models": []})
    assert converted(page).graph["1"]["_meta"] == {"title": "Load", "cnr_id": "comfy-core", "ver": "0.3.1"}


def test_muted_nodes_are_gone_and_so_is_what_they_gave() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png"], mode=2)
        .node(2, "Invert", [0.5], {"image": (1, 0)})
        .node(3, "Save", ["x"], {"images": (2, 0)})
    )
    assert inputs(page) == {"2": {"strength": 0.5}, "3": {"images": ["2", 0], "filename_prefix": "x"}}


def test_a_bypassed_node_passes_on_what_has_the_type() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "Mix", None, {"mask": (1, 1), "one": (1, 0), "two": None}, mode=4)
        .node(3, "Save", ["x"], {"images": (2, 0)})
        .node(4, "Show", None, {"source": (2, 1)}, types={"source": "MASK"})
    )
    found = inputs(page)
    assert found["3"]["images"] == ["1", 0]  # not the mask, although it is the first input
    assert found["4"]["source"] == ["1", 1]


def test_a_bypassed_node_without_a_fitting_input_gives_nothing() -> None:
    page = (
        Page()
        .node(1, "Empty", [8, 8])
        .node(2, "Decode", None, {"samples": (1, 0)}, mode=4)
        .node(3, "Save", ["x"], {"images": (2, 0)})
    )
    assert inputs(page)["3"] == {"filename_prefix": "x"}


def test_a_chain_of_bypassed_nodes() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "Invert", [0.1], {"image": (1, 0)}, mode=4)
        .node(3, "Invert", [0.2], {"image": (2, 0)}, mode=4)
        .node(4, "Save", ["x"], {"images": (3, 0)})
    )
    assert inputs(page)["4"]["images"] == ["1", 0]
    assert set(inputs(page)) == {"1", "4"}


def test_reroutes_lead_back_to_the_origin() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "Reroute", None, {"": (1, 0)}, outputs=("IMAGE",))
        .node(3, "Reroute (rgthree)", None, {"": (2, 0)}, outputs=("IMAGE",))
        .node(4, "Save", ["x"], {"images": (3, 0)})
    )
    assert inputs(page)["4"]["images"] == ["1", 0]
    assert set(inputs(page)) == {"1", "4"}


def test_set_and_get_nodes_meet_by_name() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "SetNode", ["pic"], {"IMAGE": (1, 0)})
        .node(3, "GetNode", ["pic"], outputs=("IMAGE",))
        .node(4, "Save", ["x"], {"images": (3, 0)})
        .node(5, "GetNode", ["nothing"], outputs=("IMAGE",))
        .node(6, "Save", ["x"], {"images": (5, 0)})
    )
    found = converted(page)
    assert found.graph["4"]["inputs"]["images"] == ["1", 0]
    assert "images" not in found.graph["6"]["inputs"]
    assert [str(each) for each in found.problems] == ["node 6 (Save): images: nothing is set under the name 'nothing'"]


def test_a_primitive_gives_its_value_to_all_widgets() -> None:
    page = (
        Page()
        .node(1, "PrimitiveNode", [99, "randomize"], outputs=("INT",))
        .node(2, "Empty", [8, 8], {"width": (1, 0)}, widgets=("width",))
        .node(3, "Reroute", None, {"": (1, 0)}, outputs=("INT",))
        .node(4, "Empty", [8, 8], {"height": (3, 0)}, widgets=("height",))
        .node(5, "Show", None, {"source": (1, 0)})
    )
    found = inputs(page)
    assert (found["2"], found["4"]) == ({"width": 99, "height": 8}, {"width": 8, "height": 99})
    assert found["5"] == {}  # a socket has no widget that could hold it


def test_notes_are_not_nodes() -> None:
    page = text_to_image().node(8, "Note", ["hi"]).node(9, "MarkdownNote", ["**hi**"]).node(10, "Label (rgthree)")
    assert set(inputs(page)) == {"1", "2", "3", "4", "5", "6"}


def test_a_server_that_knows_such_a_class_runs_it() -> None:
    page = Page().node(1, "Note", ["hi"])
    info = {**INFO, "Note": {"input": {"required": {"text": ["STRING", {}]}}, "output": [], "output_node": True}}
    assert converted(page, info).graph["1"]["inputs"] == {"text": "hi"}


def test_old_names_of_classes_are_known_where_the_server_has_the_new_one() -> None:
    page = Page().node(1, "T2IAdapterLoader", ["x.pth"])
    info = {"ControlNetLoader": {"input": {"required": {"name": [["x.pth"]]}}, "output": ["CONTROL_NET"]}}
    assert converted(page, info).graph["1"]["class_type"] == "ControlNetLoader"


def test_inputs_that_grow_keep_their_names() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "Batch", [], {"images.image0": (1, 0), "images.image1": (1, 0), "images.image2": None})
    )
    assert inputs(page)["2"] == {"images.image0": ["1", 0], "images.image1": ["1", 0]}


def test_unknown_nodes_are_listed_with_their_origin() -> None:
    page = (
        text_to_image()
        .node(
            20,
            "Upscaler",
            [2],
            {"image": (5, 0)},
            outputs=("IMAGE",),
            title="Big",
            properties={"cnr_id": "up", "ver": "1.2"},
        )
        .node(21, "Save", ["x"], {"images": (20, 0)})
        .node(22, "Saver", [], {"images": (20, 0)}, properties={"aux_id": "me/saver"})
    )
    with pytest.raises(MissingNodesError) as caught:
        converted(page)
    listed = [(each.class_type, each.node_id, each.title, each.pack, each.version) for each in caught.value.missing]
    assert listed == [("Upscaler", "20", "Big", "up", "1.2"), ("Saver", "22", "Saver", "me/saver", "")]
    assert "Upscaler (node 20 'Big', of up 1.2)" in str(caught.value)
    assert caught.value.fix == "Install up, me/saver"
    assert caught.value.named("w.json").missing == caught.value.missing


def test_unknown_nodes_that_nothing_needs_are_left_out_and_told() -> None:
    page = text_to_image().node(20, "Fancy Note", ["hi"]).node(21, "Source", [], outputs=("IMAGE",))
    page.node(22, "Invert", [0.5], {"image": (21, 0)})  # leads to nothing that is saved
    found = converted(page)
    assert set(found.graph) == {"1", "2", "3", "4", "5", "6", "22"}
    assert [each.node_id for each in found.warnings] == ["20", "21"]
    assert found.graph["22"]["inputs"] == {"strength": 0.5}


def test_bypassed_unknown_nodes_need_no_class() -> None:
    page = (
        Page()
        .node(1, "Load", ["a.png", "image"])
        .node(2, "Unknown", [1], {"image": (1, 0)}, types={"image": "IMAGE"}, outputs=("IMAGE",), mode=4)
        .node(3, "Save", ["x"], {"images": (2, 0)})
    )
    assert inputs(page)["3"]["images"] == ["1", 0]


def test_links_to_nowhere_are_told() -> None:
    page = text_to_image()
    page.nodes[5]["inputs"][0]["link"] = 77
    page.links[0][1] = 500
    found = converted(page)
    texts = [str(each) for each in found.problems]
    assert "node 6 (Save): images: link 77 is not in the file" in texts
    assert any("begins at node 500, which is not in the file" in each for each in texts)


def test_links_in_a_circle_end() -> None:
    page = (
        Page()
        .node(1, "Reroute", None, {"": (2, 0)}, outputs=("IMAGE",))
        .node(2, "Reroute", None, {"": (1, 0)}, outputs=("IMAGE",))
        .node(3, "Save", ["x"], {"images": (2, 0)})
    )
    found = converted(page)
    assert found.graph["3"]["inputs"] == {"filename_prefix": "x"}
    assert "circle" in str(found.problems[0])


def test_a_circle_of_real_nodes_is_the_servers_to_refuse() -> None:
    page = Page().node(1, "Invert", [0.5], {"image": (2, 0)}).node(2, "Invert", [0.5], {"image": (1, 0)})
    assert set(inputs(page)) == {"1", "2"}


def test_nothing_to_run_is_an_error() -> None:
    with pytest.raises(WorkflowError, match="none of its nodes runs"):
        converted(Page().node(1, "Load", ["a.png"], mode=2).node(2, "Note", ["x"]))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda saved: saved.pop("nodes"), "no list of nodes"),
        (lambda saved: saved["nodes"].append(5), r"nodes\[6\]: a node that is not an object"),
        (lambda saved: saved["nodes"].append(saved["nodes"][0]), "node 1: two nodes have this id"),
        (lambda saved: saved["nodes"][1].pop("type"), r"nodes\[1\] \(id 2\): a node without a type"),
        (lambda saved: saved["nodes"][1].update(mode="x"), r"nodes\[1\] \(id 2\): the mode"),
        (lambda saved: saved["nodes"][1].update(inputs={}), r"nodes\[1\] \(id 2\): inputs is not a list"),
        (lambda saved: saved["nodes"][1].update(widgets_values=7), r"\(id 2\): widgets_values is neither"),
        (lambda saved: saved["nodes"][1].update(id=None), r"nodes\[1\]: an id that"),
        (lambda saved: saved["links"].append([9]), r"links\[7\]: a link without its ends"),
        (lambda saved: saved["links"].append([1, 3, 0, 4, 0, "X"]), "link 1: two links have this id"),
        (lambda saved: saved.update(links=3), "links: the list of links"),
        (lambda saved: saved.update(definitions=[1]), "definitions"),
    ],
)
def test_a_malformed_file_is_refused_at_its_place(change: Any, place: str) -> None:
    saved = text_to_image().saved
    change(saved)
    with pytest.raises(WorkflowError, match=place):
        to_api(saved, INFO)

"""What a server lacks of a workflow: each thing once, with where it is wanted and what is near."""

from __future__ import annotations

from comfytui.workflow.catalog import declared, with_choice
from comfytui.workflow.lacks import lacking_classes, lacks

INFO = {
    "Load": {"input": {"required": {"ckpt_name": [["a-v2.safetensors", "b.safetensors"]]}}, "output": ["MODEL"]},
    "New": {"input": {"required": {"lora_name": ["COMBO", {"options": ["x.safetensors"]}]}}, "output": ["MODEL"]},
    "Save": {"input": {"required": {"model": ["MODEL"]}}, "output": [], "output_node": True},
}


def test_each_missing_thing_once_with_what_is_near() -> None:
    graph = {
        "1": {"class_type": "Load", "inputs": {"ckpt_name": "a-v1.safetensors"}},
        "2": {"class_type": "Save", "inputs": {"model": ["1", 0]}},
        "3": {"class_type": "Load", "inputs": {"ckpt_name": "a-v1.safetensors"}, "_meta": {"title": "Second"}},
        "4": {"class_type": "Save", "inputs": {"model": ["3", 0]}},
        "5": {"class_type": "Svae", "inputs": {}},
        "6": {"class_type": "Svae", "inputs": {}},
    }
    node, file = lacks(graph, INFO)
    assert (node.kind, node.name, node.near) == ("node", "Svae", ("Save",))
    assert (file.kind, file.name, file.near[0], file.where) == ("file", "a-v1.safetensors", "a-v2.safetensors", ("Load", "Second"))  # fmt: skip


def test_of_classes_alone() -> None:
    assert [each.name for each in lacking_classes(["Load", "Gone", "Gone"], INFO)] == ["Gone"]


def test_a_catalogue_with_one_choice_more_leaves_the_other_as_it_was() -> None:
    for name, given in (("Load", "ckpt_name"), ("New", "lora_name")):
        more = with_choice(INFO, name, given, "new.png")
        assert "new.png" in declared(more, name)[given].choices
        assert "new.png" not in declared(INFO, name)[given].choices
        assert with_choice(more, name, given, "new.png") is more
    assert with_choice(INFO, "Save", "model", "x") is INFO and with_choice(INFO, "Gone", "x", "x") is INFO

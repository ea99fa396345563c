"""Drafts: edits reach the graph, undo takes back one change, runs carry the right seeds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui import draft as drafts
from comfytui.tui.draft import SeedMode
from comfytui.workflow import loras
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Place
from comfytui.workflow.inputs import fields
from tests.workflow.graphs import example

GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red circle", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 42,
            "steps": 20,
            "cfg": 6.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
        },
    },
    "6": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x", "images": ["5", 0]}},
}
SEED, STEPS, TEXT = Place("5", "seed"), Place("5", "steps"), Place("2", "text")


def draft(mode: SeedMode = SeedMode.FIXED, source: str = "api") -> drafts.Draft:
    return drafts.start(Document("t.json", GRAPH, source=source), mode)


def seed_of(graph: dict) -> int:
    return graph["5"]["inputs"]["seed"]


def test_an_edit_reaches_the_graph_and_leaves_the_document_alone() -> None:
    after = drafts.edit(draft(), TEXT, "a blue square")
    assert after.graph["2"]["inputs"]["text"] == "a blue square"
    assert after.document.graph["2"]["inputs"]["text"] == "a red circle"
    assert [(c.label, c.before, c.after) for c in drafts.changes(after)] == [
        ("positive", "a red circle", "a blue square")
    ]


def test_typing_into_one_input_is_one_undo() -> None:
    after = draft()
    for text in ("a", "a b", "a bl", "a blue one"):
        after = drafts.edit(after, TEXT, text)
    after = drafts.edit(after, STEPS, 5)
    once = drafts.undo(after)
    assert once.graph["5"]["inputs"]["steps"] == 20
    assert once.graph["2"]["inputs"]["text"] == "a blue one"
    assert drafts.undo(once).graph == GRAPH
    assert drafts.undo(drafts.undo(drafts.undo(once))).graph == GRAPH


def test_changing_back_is_no_change() -> None:
    after = drafts.edit(drafts.edit(draft(), STEPS, 5), STEPS, 20)
    assert drafts.changes(after) == []


def test_what_is_typed_is_converted_or_refused_with_a_reason() -> None:
    by_role = {field.role: field for field in fields(GRAPH)}
    assert drafts.parse(draft(), by_role["steps"], " 30 ") == 30
    assert drafts.parse(draft(), by_role["cfg"], "6,5") == 6.5
    refused = drafts.parse(draft(), by_role["steps"], "many")
    assert isinstance(refused, WorkflowError)
    assert "whole number" in refused.fix


def test_a_file_gets_random_seeds_and_a_job_keeps_its_own() -> None:
    assert drafts.start(Document("t", GRAPH)).seed_mode is SeedMode.RANDOM
    assert drafts.start(Document("t", GRAPH, source="history")).seed_mode is SeedMode.FIXED


@given(st.integers(1, 6))
def test_seeds_of_several_runs(count: int) -> None:
    fixed = [seed_of(graph) for graph in drafts.runs(draft(), count)]
    assert fixed == [42] * count
    counted = draft(SeedMode.INCREMENT)
    assert [seed_of(graph) for graph in drafts.runs(counted, count)] == list(range(42, 42 + count))
    assert seed_of(drafts.after_runs(counted, count).graph) == 42 + count
    down = draft(SeedMode.DECREMENT)
    assert [seed_of(graph) for graph in drafts.runs(down, count)] == list(range(42, 42 - count, -1))
    assert seed_of(drafts.after_runs(down, count).graph) == 42 - count
    drawn = [seed_of(graph) for graph in drafts.runs(draft(SeedMode.RANDOM), count)]
    assert len(set(drawn)) == count and 42 not in drawn


def test_the_largest_seed_wraps_around() -> None:
    at_end = drafts.edit(draft(SeedMode.INCREMENT), SEED, 2**64 - 1)
    assert [seed_of(graph) for graph in drafts.runs(at_end, 2)] == [2**64 - 1, 0]
    at_start = drafts.edit(draft(SeedMode.DECREMENT), SEED, 1)
    assert [seed_of(graph) for graph in drafts.runs(at_start, 3)] == [1, 0, 0]


def test_a_workflow_without_a_seed_runs_as_it_is() -> None:
    graph = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8}}}
    some = drafts.start(Document("t", graph))
    assert not some.has_seed
    assert list(drafts.runs(some, 2)) == [graph, graph]


def test_what_was_expanded_is_edited_as_it_was_written() -> None:
    graph = {"6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red cat", "clip": ["4", 1]}}}
    document = Document("job", graph, source="history", templates={"6": {"text": "a {red|blue} cat"}, "9": {"x": "y"}})
    draft = drafts.start(document)
    assert draft.graph["6"]["inputs"]["text"] == "a {red|blue} cat"
    assert [(each.before, each.after) for each in drafts.changes(draft)] == [("a red cat", "a {red|blue} cat")]
    assert drafts.undo(draft).graph == graph


def test_a_node_more_or_less_is_one_edit_and_told_as_such() -> None:
    draft = drafts.start(Document("x", example()))
    graph, node_id = loras.add(draft.graph, "film.safetensors", 0.5)
    more = drafts.restructure(draft, graph)
    assert [(each.place.input, each.after) for each in drafts.changes(more)] == [
        ("lora_name", "film.safetensors"),
        ("strength_model", 0.5),
        ("strength_clip", 0.5),
    ]
    assert drafts.is_structural(more)
    assert drafts.undo(more) == draft
    less = drafts.restructure(drafts.start(Document("x", graph)), loras.remove(graph, node_id))
    assert [(each.before, each.after) for each in drafts.changes(less)] == [("film.safetensors", None)]

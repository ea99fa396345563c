"""A model's facts out of what trainers and mergers write, and which files are listed in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from comfytui.client.model_files import ModelFile
from comfytui.tui.model_card import ModelFacts, facts
from comfytui.tui.model_order import Order, jobs_with, listed, total
from comfytui.tui.theme import Palette, load
from comfytui.tui.widgets import model_lines
from tests.tui import sample


def test_the_standard_keys() -> None:
    found = facts({
        "modelspec.architecture": "Flux.1-dev/lora", "modelspec.title": "Grain", "modelspec.trigger_phrase": "film grain, kodak ,film grain",
        "modelspec.author": "ann", "modelspec.license": "None", "ss_network_dim": "16", "ss_num_epochs": "10",
    })  # fmt: skip
    assert (found.family, found.title, found.words) == ("Flux.1-dev/lora", "Grain", ("film grain", "kodak"))
    assert found.about == (("author", "ann"),)
    assert found.training == (("rank", "16"), ("epochs", "10"))


def test_the_tags_of_a_training_are_counted_over_its_folders() -> None:
    found = facts({"ss_tag_frequency": '{"1_a": {"night": 3, "grain": 9}, "2_b": {"night": 8, "x": "many"}}'})
    assert found.tags == (("night", 11), ("grain", 9))
    assert facts({"ss_tag_frequency": "[" * 5000}) == facts({"ss_tag_frequency": '{"a": 3}'}) == ModelFacts()


def test_words_may_be_a_list_in_json() -> None:
    assert facts({"trained_words": '["a, b", "c"]'}).words == ("a, b", "c")


@given(st.dictionaries(st.sampled_from(["trigger_words", "ss_tag_frequency", "modelspec.title", "format"]), st.text()))
def test_no_metadata_breaks_a_card(metadata: dict[str, str]) -> None:
    file = ModelFile("a.safetensors", "a.safetensors", "loras", 5, 1.0, 0)
    for line in model_lines.card(Palette(load("dark")), file, None, facts(metadata), [("jobs", "3")], 40):
        assert cell_len(line.plain) <= 40 or not line.plain.strip()


FILES = [
    ModelFile("b/Two.safetensors", "b/Two.safetensors", "loras", 20, 3.0, 0),
    ModelFile("one.safetensors", "one.safetensors", "loras", 30, 1.0, 0),
    ModelFile("c.ckpt", "c.ckpt", "checkpoints", None, None, None),
]


def test_files_are_found_by_words_and_sorted() -> None:
    assert [file.name for file in listed(FILES, "TWO b", Order.NAME)] == ["b/Two.safetensors"]
    assert [file.name[0] for file in listed(FILES, "", Order.NAME)] == ["c", "b", "o"]
    assert [file.name[0] for file in listed(FILES, "", Order.SIZE)] == ["o", "b", "c"]
    assert [file.name[0] for file in listed(FILES, "", Order.DATE)] == ["b", "o", "c"]
    assert total(FILES) == 50 and total(FILES[2:]) is None and total([]) == 0


def test_jobs_are_found_by_their_graphs_and_by_what_is_kept_of_them() -> None:
    state = sample.idle(3)
    model = ModelFile("sdxl_base_1.0.safetensors", "sdxl_base_1.0.safetensors", "checkpoints")
    assert len(jobs_with(state, model)) == 3
    bare = {key: replace(job, graph={}) for key, job in state.jobs.items()}
    assert len(jobs_with(replace(state, jobs=bare), model)) == 3
    assert jobs_with(state, FILES[1]) == []
    windows = ModelFile("a\\film.safetensors", "a\\film.safetensors", "loras")
    (job, *_) = state.jobs.values()
    job = replace(job, graph={"1": {"class_type": "LoraLoader", "inputs": {"lora_name": "a/film.safetensors"}}})
    assert jobs_with(replace(state, jobs={job.id: job}), windows) == [job]

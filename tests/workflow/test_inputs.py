"""Changing a workflow: which inputs there are, and what each accepts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow import inputs, seeds
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Place

from .graphs import OBJECT_INFO, custom_sampling, example, node


def field(name: str, info: Any = OBJECT_INFO) -> inputs.Field:
    return next(each for each in inputs.fields(example(), info) if each.input == name)


def test_the_important_fields_come_first_with_their_roles() -> None:
    found = inputs.fields(example(), OBJECT_INFO)
    assert [each.role for each in found if each.role] == [
        "positive", "negative", "model", "seed", "steps", "cfg", "sampler", "scheduler", "denoise", "width", "height",
        "batch",
    ]  # fmt: skip
    assert all(each.important for each in found)
    assert found[-1].input == "filename_prefix"
    assert not any(each.input in ("model", "latent_image") for each in found), "links are not fields"


def test_a_field_knows_what_the_server_told() -> None:
    steps = field("steps")
    assert (steps.kind, steps.value, steps.default, steps.min, steps.max) == ("int", 20, 20, 1, 10000)
    assert field("sampler_name").choices == ("euler", "heun", "dpmpp_2m")
    assert field("scheduler").kind == "choice"
    text = field("text")
    assert (text.kind, text.multiline, text.tooltip, text.title) == ("string", True, "Words.", "Positive")


def test_without_a_server_kinds_are_guessed() -> None:
    assert [field(name, None).kind for name in ("steps", "cfg", "sampler_name")] == ["int", "float", "string"]
    assert field("text", None).multiline
    assert not field("steps", None).declared


@pytest.mark.parametrize(
    ("name", "given", "becomes"),
    [
        ("steps", "12", 12),
        ("steps", " 12 ", 12),
        ("steps", 12.0, 12),
        ("seed", "18446744073709551615", 2**64 - 1),
        ("cfg", "7", 7.0),
        ("cfg", "6.5", 6.5),
        ("sampler_name", "Heun", "heun"),
        ("text", "a = b", "a = b"),
        ("text", "", ""),
        ("ckpt_name", "other.safetensors", "other.safetensors"),
    ],
)
def test_good_values_are_converted(name: str, given: Any, becomes: Any) -> None:
    found = inputs.check_value(field(name), given)
    assert found == becomes
    assert type(found) is type(becomes)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("steps", "many", "Give a whole number"),
        ("steps", "1.5", "Give a whole number"),
        ("steps", 1.5, "Give a whole number"),
        ("steps", True, "Give a number"),
        ("steps", "0", "from 1 to 10000"),
        ("steps", "9" * 5000, "Give a whole number"),
        ("cfg", "nan", "finite"),
        ("cfg", "1e999", "finite"),
        ("cfg", "-1", "from 0 to 100"),
        ("seed", "18446744073709551616", "from 0 to 18446744073709551615"),
        ("sampler_name", "eulr", "Did you mean 'euler'?"),
        ("ckpt_name", "othr.safetensors", "Did you mean 'other.safetensors'"),
    ],
)
def test_bad_values_say_what_is_accepted(name: str, given: Any, says: str) -> None:
    error = inputs.check_value(field(name), given)
    assert isinstance(error, WorkflowError)
    assert says in str(error)
    assert name in str(error)


@pytest.mark.parametrize(("word", "value"), [("yes", True), ("TRUE", True), ("off", False), ("0", False)])
def test_words_for_yes_and_no(word: str, value: bool) -> None:
    (found,) = inputs.fields({"1": node("A", flag=True)})
    assert inputs.check_value(found, word) is value
    assert isinstance(inputs.check_value(found, "perhaps"), WorkflowError)


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("5.seed=7", ("5", "seed"), 7),
        ("Sampler.steps=12", ("5", "steps"), 12),
        ("sampler.steps=12", ("5", "steps"), 12),
        ("ksampler.cfg=2", ("5", "cfg"), 2.0),
        ("Positive.text=a=b.c", ("2", "text"), "a=b.c"),
        ("positive=a cat", ("2", "text"), "a cat"),
        ("negative=", ("3", "text"), ""),
        ("width=64", ("4", "width"), 64),
        ("filename_prefix=x", ("7", "filename_prefix"), "x"),
        ("5.extra=new", ("5", "extra"), "new"),
    ],
)
def test_assignments(text: str, place: tuple[str, str], value: Any) -> None:
    graph = example()
    before = copy.deepcopy(graph)
    node_name, name, given = inputs.parse_assignment(text, graph)
    changed = inputs.with_value(graph, node_name, name, given, OBJECT_INFO)
    assert changed[place[0]]["inputs"][place[1]] == value
    assert graph == before, "the given graph is left alone"
    changed[place[0]]["inputs"][place[1]] = before[place[0]]["inputs"].get(place[1])
    if before[place[0]]["inputs"].get(place[1]) is not None:
        assert changed == before, "and nothing else changes"


def test_titles_with_dots_and_equals_signs() -> None:
    graph = {"12:7": node("A", "v1.5 = best", **{"combo.sub": 1, "x": "t"}), "b": node("B", "v1", x="u")}
    assert inputs.parse_assignment("v1.5 = best.x=1.2=3", graph) == ("v1.5 = best", "x", "1.2=3")
    assert inputs.parse_assignment("12:7.combo.sub=4", graph) == ("12:7", "combo.sub", "4")
    assert inputs.parse_assignment("3.seed=42") == ("3", "seed", "42")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed", "Write NODE.INPUT=VALUE"),
        ("=3", "Write NODE.INPUT=VALUE"),
        ("99.seed=1", "has no node '99'"),
        ("Samplr.seed=1", "Did you mean 'Sampler'"),
        ("5.sed=1", "Did you mean 'seed'"),
        ("5.model=x", "comes from node 1 (Checkpoint)"),
        ("CLIPTextEncode.text=x", "is the name of 2 nodes. Use the id: one of 2, 3"),
        ("text=x", "2 inputs go by 'text'"),
        ("stepps=3", "Did you mean 'steps'"),
        ("5.steps=many", "Give a whole number"),
    ],
)
def test_bad_assignments_name_what_there_is(text: str, says: str) -> None:
    graph = example()
    with pytest.raises(WorkflowError) as caught:
        inputs.with_value(graph, *inputs.parse_assignment(text, graph), OBJECT_INFO)
    assert says in str(caught.value)


def test_a_linked_input_that_can_hold_a_value_may_be_set() -> None:
    graph = example()
    graph["n"] = node("PrimitiveInt", value=7)
    graph["5"]["inputs"]["seed"] = ["n", 0]
    assert inputs.with_value(graph, "5", "seed", "3", OBJECT_INFO)["5"]["inputs"]["seed"] == 3
    assert inputs.with_value(graph, "", "seed", "3")["n"]["inputs"]["value"] == 3, "by role: at its origin"


@given(st.text(max_size=40))
def test_any_text_is_an_assignment_or_an_error(text: str) -> None:
    graph = example()
    try:
        inputs.with_value(graph, *inputs.parse_assignment(text, graph), OBJECT_INFO)
    except WorkflowError as error:
        assert error.problem


def test_seeds_are_set_wherever_they_are() -> None:
    graph = example("img2img-demo")
    changed = seeds.with_seed(graph, 5)
    assert (changed["5"]["inputs"]["seed"], changed["10"]["inputs"]["seed"]) == (5, 5)
    assert graph["5"]["inputs"]["seed"] == 7
    assert seeds.seed_places(custom_sampling()) == (Place("noise", "noise_seed"),)


def test_seeds_that_cannot_be_set() -> None:
    with pytest.raises(WorkflowError, match="has no seed"):
        seeds.with_seed(example("trivial"), 1)
    for bad in (-1, 2**64):
        with pytest.raises(WorkflowError, match="out of range"):
            seeds.with_seed(example(), bad)


def test_several_seeds_count_up_and_wrap_or_are_random() -> None:
    assert list(seeds.seeds(3, 2**64 - 2)) == [2**64 - 2, 2**64 - 1, 0]
    found = list(seeds.seeds(20, None))
    assert len(set(found)) == 20
    assert all(0 <= seed < 2**50 for seed in found)


def test_near_names_ignore_case_and_folders() -> None:
    names = ["SDXL/Base_1.0.safetensors", "flux.safetensors", "upscale.pth"]
    assert inputs.near("sdxl\\base_1.0.safetensor", names)[0] == "SDXL/Base_1.0.safetensors"
    assert inputs.near("nothing like it", names) == []

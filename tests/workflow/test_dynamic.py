"""Prompts that differ with the seed, wildcards in files, and names of files with tokens."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow import document, dynamic, file_names, queueing
from comfytui.workflow.dynamic import Chance, expand
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.wildcards import Wildcards

from .graphs import example, node

NOW = datetime(2026, 3, 7, 4, 5, 9)
NONE = Wildcards([])


def one(text: str, seed: int = 1, lines: dynamic.Lines = NONE.lines) -> str:
    return expand(text, Chance(seed, "6.text"), lines)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("a cat", "a cat"),
        ("{a}", "a"),
        ("{}", ""),
        (r"\{a\|b\} \x \\", r"{a|b} \x \\"),
        ("a {b", "a {b"),
        ("a } b | c", "a } b | c"),
        ("a // to the end\nb", "a \nb"),
        ("a /* over\nlines */ b", "a  b"),
        ("see https://example.org/x", "see https:"),
        ("/* open", "/* open"),
        ("{{{x}}}", "x"),
    ],
)
def test_what_no_chance_decides(text: str, becomes: str) -> None:
    assert one(text) == becomes


def test_a_choice_is_fair_and_the_same_for_the_same_seed() -> None:
    drawn = Counter(one("a {red|green|{dark |light }blue} cat", seed) for seed in range(3000))
    assert set(drawn) == {"a red cat", "a green cat", "a dark blue cat", "a light blue cat"}
    assert 850 < drawn["a red cat"] < 1150
    assert 400 < drawn["a dark blue cat"] < 600
    assert [one("{a|b|c|d}{a|b|c|d}", seed) for seed in range(9)] == [
        one("{a|b|c|d}{a|b|c|d}", seed) for seed in range(9)
    ]
    assert len({expand("{a|b|c|d}" * 8, Chance(1, place), NONE.lines) for place in "xy"}) == 2


def test_what_a_seed_draws_never_changes() -> None:
    """A picture is made again from its template and its seed years later."""
    assert one("{a|b|c|d|e|f|g|h}" * 6, 42) == "gbgage"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w" / "animals").mkdir(parents=True)
    (tmp_path / "w" / "colour.txt").write_text("# colours\nred\n\n  {dark|light} blue  \n")
    (tmp_path / "w" / "animals" / "small_ones.txt").write_text("a __colour__ mouse\n")
    (tmp_path / "w" / "loop.txt").write_text("x __loop__\n")
    (tmp_path / "w" / "empty.txt").write_text("# nothing\n")
    (tmp_path / "w" / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "secret.txt").write_text("secret\n")
    (tmp_path / "w" / "linked.txt").symlink_to(tmp_path / "secret.txt")
    return tmp_path / "w"


def test_a_line_of_a_file_with_what_it_names_in_turn(folder: Path) -> None:
    made = {one("__animals/small_ones__, __colour__", seed, Wildcards([folder]).lines) for seed in range(80)}
    colours = {"red", "dark blue", "light blue"}
    assert made == {f"a {a} mouse, {b}" for a in colours for b in colours}
    assert Wildcards([folder]).names() == ["animals/small_ones", "colour", "empty", "latin", "linked", "loop"]


def test_only_the_file_that_was_chosen_is_read(folder: Path) -> None:
    assert {one("{__colour__|__colour__}", seed, Wildcards([folder]).lines) for seed in range(40)} >= {"red"}
    assert one("{plain}", 1, Wildcards([folder]).lines) == "plain"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("__color__", "Did you mean __colour__"),
        ("__nothing at all like it__", "Make that file"),
        ("__loop__", "more than 32 deep"),
        ("__empty__", "no line to choose"),
        ("__latin__", "not UTF-8"),
        ("__linked__", "leads out of the folder"),
        ("__x/../../secret__", "leads out of the folder"),
        ("__x//secret__", ""),
    ],
)
def test_a_file_that_cannot_be_had(folder: Path, text: str, says: str) -> None:
    if not says:  # what follows // is a comment
        assert one(text, 1, Wildcards([folder]).lines) == "__x"
        return
    with pytest.raises(WorkflowError, match=says):
        one(text, 1, Wildcards([folder]).lines)


def test_without_a_folder_the_setting_is_named() -> None:
    with pytest.raises(WorkflowError, match="wildcard_folders"):
        one("__colour__")


def test_braces_without_end() -> None:
    with pytest.raises(WorkflowError, match="nested"):
        one("{" * 40 + "}" * 40)
    assert one("{" * 5000) == "{" * 5000


def test_a_prompt_cannot_grow_without_end() -> None:
    def lines(name: str) -> list[str]:
        return ["x" * 100_000]

    with pytest.raises(WorkflowError, match="longer than"):
        one("__a____b____c__", 1, lines)


@given(st.text(st.sampled_from("ab{}|\\_/* \n"), max_size=60), st.integers(-5, 2**70))
def test_any_prompt_expands_or_says_why(text: str, seed: int) -> None:
    def lines(name: str) -> list[str]:
        return ["{x|y}", name.replace("_", " ")]

    try:
        assert one(text, seed, lines) == one(text, seed, lines)
    except WorkflowError as error:
        assert error.fix


@given(st.text(max_size=80))
def test_text_without_signs_stays(text: str) -> None:
    if not dynamic.is_dynamic(text):
        assert one(text) == text


# Names of files


def test_tokens_of_dates_and_of_other_inputs() -> None:
    graph = {
        "1": node("KSampler", "My sampler", seed=7, cfg=7.0, denoise=0.25, sampler_name="a/b"),
        "2": node("EmptyLatentImage", "Size", width=512),
        "9": node("SaveImage", filename_prefix="x"),
    }

    def named(text: str, names: dict[str, str] | None = None) -> str:
        return file_names.expand(text, graph, NOW, names)

    assert named("%date:yyyy-MM-dd%/%date:hh.mm.ss%_") == "2026-03-07/04.05.09_"
    assert named("%date:d.M.yy h:m:s%") == "7.3.26 4_5_9"
    assert named("%KSampler.seed%-%KSampler.cfg%-%My sampler.denoise%") == "7-7-0.25"
    assert named("%KSampler.sampler_name%") == "a_b"
    assert named("%year%%Nothing.seed%%KSampler.nothing% 100%") == "%year%%Nothing.seed%%KSampler.nothing% 100%"
    assert named("%Base.seed% %KSampler.seed%", {"1": "Base"}) == "7 %KSampler.seed%"


@given(st.text(st.sampled_from("%dateyMd:.hms KSampler/"), max_size=60))
def test_any_name(text: str) -> None:
    file_names.expand(text, {"1": node("KSampler", seed=7)}, NOW)


# Before a graph is queued


INFO: dict[str, Any] = {
    "CLIPTextEncode": {"input": {"required": {"text": ["STRING", {"dynamicPrompts": True}], "clip": ["CLIP"]}}}
}


@pytest.mark.parametrize("info", [INFO, None])
def test_what_is_sent_and_what_it_was_made_from(info: Any, folder: Path) -> None:
    graph = example()
    words = next(each for each in graph if graph[each]["class_type"] == "CLIPTextEncode")
    save = next(each for each in graph if graph[each]["class_type"] == "SaveImage")
    graph[words]["inputs"]["text"] = "{a|a} __animals/small_ones__ // mine"
    graph[save]["inputs"]["filename_prefix"] = "%date:yyyy%/x"
    before = str(graph)
    ready = queueing.ready(graph, info, Wildcards([folder]), now=NOW)
    assert str(graph) == before
    assert ready.graph[words]["inputs"]["text"].startswith("a a ")
    assert ready.graph[words]["inputs"]["text"].endswith("mouse ")
    assert ready.graph[save]["inputs"]["filename_prefix"] == "2026/x"
    assert ready.templates == {
        words: {"text": "{a|a} __animals/small_ones__ // mine"},
        save: {"filename_prefix": "%date:yyyy%/x"},
    }
    assert queueing.ready(graph, info, Wildcards([folder]), now=NOW) == ready

    entry = [0, "id", ready.graph, {"extra_pnginfo": {"comfytui": {"templates": ready.templates}}}, []]
    found = document._from_json({"prompt": entry}, "job")
    assert found.graph == ready.graph, "what ran can be run again as it was"
    assert queueing.with_templates(found) == graph, "and what it was made from can be edited"


def test_an_error_names_the_node() -> None:
    graph = {"6": node("CLIPTextEncode", "Words", text="__gone__")}
    with pytest.raises(WorkflowError, match=r"node 6 \(Words\), text, __gone__"):
        queueing.ready(graph, INFO, NONE, now=NOW)


@pytest.mark.parametrize("told", [None, 3, "x", "{", [], {"1": 2}, {"1": {"text": 3}}, {"1": {"text": "a"}}])
def test_templates_of_any_shape(told: Any) -> None:
    for each in (told, {"templates": told}, {"templates": {"1": told}}, str(told)):
        found = document.templates_in(each)
        assert all(isinstance(text, str) for texts in found.values() for text in texts.values())

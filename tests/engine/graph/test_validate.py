"""Which prompts are accepted, and what is said of those that are not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.folders import Folders
from engine.graph.validate import Validator
from engine.nodes.definition import Input, NodeDefinition, Output
from engine.options import Options
from tests.engine.graph import recorded

FOLDERS = Folders.from_options(Options(base_directory="/nonexistent"))


def make(name: str, *inputs: Input, outputs: tuple[str, ...] = ("X",), **flags: Any) -> NodeDefinition:
    return NodeDefinition(name, lambda **_: (), inputs, tuple(Output(kind) for kind in outputs), **flags)


SOURCE = make(
    "Source",
    Input("steps", "INT", {"default": 1, "min": 1, "max": 100}),
    Input("scale", "FLOAT", {"min": 0.0, "max": 1.0}, optional=True),
    Input("name", "STRING", optional=True),
    Input("flag", "BOOLEAN", optional=True),
    Input("mode", ("a", "b"), optional=True),
    Input("size", "COMBO", {"options": ["small", "large"]}, optional=True),
)
PASS = make("Pass", Input("x", "X"), Input("also", "X", optional=True))
END = make("End", Input("x", "X"), output_node=True, outputs=())
NODES = {d.name: d for d in (SOURCE, PASS, END, make("Other", outputs=("Y",)), make("Any", outputs=("*",)))}


def check(prompt: Any, targets: list[str] | None = None, nodes: dict[str, NodeDefinition] | None = None) -> Any:
    return Validator(nodes or NODES, FOLDERS).validate(prompt, targets)


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def prompt(**source: Any) -> dict[str, Any]:
    return {"1": node("Source", **{"steps": 5, **source}), "2": node("End", x=["1", 0])}


def only_error(verdict: Any) -> dict[str, Any]:
    (entry,) = verdict.node_errors.values()
    (error,) = entry["errors"]
    return dict(error)


# ── the recorded server ─────────────────────────────────────────────────────────────────────────


def comparable(errors: dict[str, Any]) -> dict[str, Any]:
    """Without what is free: the order of outputs, and where in the code an exception was."""
    errors = deepcopy(errors)
    for entry in errors.values():
        entry["dependent_outputs"].sort()
        for error in entry["errors"]:
            error["extra_info"].pop("traceback", None)
            # It is the input through which the node was reached first; a set's order decided that.
            if error["type"] == "exception_during_inner_validation":
                del error["extra_info"]["input_config"], error["extra_info"]["input_name"]
    return errors


@pytest.mark.skipif(not recorded.exchanges(), reason="needs the recordings")
@pytest.mark.parametrize("exchange", recorded.exchanges(), ids=lambda exchange: str(exchange["note"]))
def test_answers_as_recorded(exchange: dict[str, Any]) -> None:
    answer = exchange["response"]["json"]
    verdict = check(exchange["request"]["json"]["prompt"], nodes=recorded.registry())
    if exchange["note"] == "cycle":  # there ours says what was wrong
        assert verdict.outputs == ["10"]
        assert only_error(verdict)["type"] == "dependency_cycle"
        return
    assert verdict.error == answer.get("error")
    assert comparable(verdict.node_errors) == comparable(answer["node_errors"])
    assert bool(verdict.outputs) == (exchange["response"]["status"] == 200)


# ── values ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("steps", 4.7, 4),
        ("steps", "5", 5),
        ("steps", True, 1),
        ("scale", "0.5", 0.5),
        ("scale", 1, 1.0),
        ("name", 12, "12"),
        ("flag", "false", True),
        ("flag", 0, False),
        ("name", {"__value__": ["a"]}, "['a']"),
    ],
)
def test_values_become_what_the_input_wants(name: str, given: Any, stored: Any) -> None:
    graph = prompt(**{name: given})
    assert check(graph).error is None
    value = graph["1"]["inputs"][name]
    assert value == stored
    assert type(value) is type(stored)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"steps": 0}, "value_smaller_than_min", "Value 0 smaller than min of 1"),
        ({"steps": 101}, "value_bigger_than_max", "Value 101 bigger than max of 100"),
        ({"steps": "many"}, "invalid_input_type", "Failed to convert an input value to a INT value"),
        ({"scale": None}, "invalid_input_type", "Failed to convert an input value to a FLOAT value"),
        ({"steps": float("inf")}, "invalid_input_type", "Failed to convert an input value to a INT value"),
        ({"mode": "c"}, "value_not_in_list", "Value not in list"),
        ({"mode": {"a": 1}}, "value_not_in_list", "Value not in list"),
        ({"size": "huge"}, "value_not_in_list", "Value not in list"),
        ({"steps": [1, 2, 3]}, "bad_linked_input", "Bad linked input, must be a length-2 list"),
    ],
)
def test_bad_value_is_named(values: dict[str, Any], kind: str, message: str) -> None:
    verdict = check(prompt(**values))
    error = only_error(verdict)
    assert error["type"] == kind
    assert error["message"].startswith(message)
    assert error["extra_info"]["input_name"] == next(iter(values))
    assert verdict.node_errors["1"]["dependent_outputs"] == ["2"]
    assert verdict.error["type"] == "prompt_outputs_failed_validation"


def test_long_lists_are_not_repeated_in_errors() -> None:
    names = [f"model {number}" for number in range(57)]
    nodes = {"End": make("End", Input("name", names), output_node=True)}
    error = only_error(check({"1": node("End", name="x")}, nodes=nodes))
    assert error["details"] == "name: 'x' not in (list of length 57)"
    assert error["extra_info"]["input_config"] is None


def test_new_files_are_found_at_once() -> None:
    files = ["a"]
    listings: list[int] = []

    def list_files(_: Folders) -> list[str]:
        listings.append(1)
        return list(files)

    nodes = {"End": make("End", Input("file", list_files), output_node=True)}
    validator = Validator(nodes, FOLDERS)
    assert validator.validate({"1": node("End", file="b")}).error is not None
    files.append("b")
    assert validator.validate({"1": node("End", file="b")}).error is None
    before = len(listings)
    for _ in range(50):
        assert validator.validate({"1": node("End", file="b")}).error is None
    assert len(listings) == before, "a known name needs no new listing"


# ── links ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("received", "wanted", "fits"),
    [
        ("X", "X", True),
        ("X", "Y", False),
        ("*", "Y", True),
        ("X", "*", True),
        ("X,Y", "Y,Z", True),
        ("IMAGE", "IMAGE,MASK", True),
        ("COMBO", ("a", "b"), True),
        ("STRING", ("a", "b"), False),
    ],
)
def test_types_of_links(received: str, wanted: Any, fits: bool) -> None:
    nodes = {"S": make("S", outputs=(received,)), "E": make("E", Input("x", wanted), output_node=True)}
    verdict = check({"1": node("S"), "2": node("E", x=["1", 0])}, nodes=nodes)
    assert (verdict.error is None) == fits
    if not fits:
        assert only_error(verdict)["type"] == "return_type_mismatch"


@pytest.mark.parametrize("link", [["9", 0], ["1", 5], ["1", -1], [1, 0], ["1", "x"], [["1"], 0], [None, None]])
def test_broken_links_are_errors_of_their_node(link: list[Any]) -> None:
    verdict = check({"1": node("Source", steps=1), "2": node("Pass", x=link), "3": node("End", x=["2", 0])})
    assert list(verdict.node_errors) == ["2"]
    assert only_error(verdict)["type"] == "exception_during_inner_validation"
    assert only_error(verdict)["extra_info"]["linked_node"] == ["2", 0]


def test_broken_link_of_an_output_itself() -> None:
    verdict = check({"3": node("End", x=["9", 0])})
    assert only_error(verdict)["type"] == "exception_during_validation"
    assert verdict.error["details"] == "Exception when validating node: '9'"


def test_cycle_is_refused_and_shown() -> None:
    graph = {"1": node("Pass", x=["2", 0]), "2": node("Pass", x=["1", 0]), "3": node("End", x=["1", 0])}
    verdict = check(graph)
    error = only_error(verdict)
    assert error["type"] == "dependency_cycle"
    assert set(error["extra_info"]["cycle"]) == {"1", "2"}
    assert verdict.outputs == []


def test_node_linked_to_itself_is_a_cycle() -> None:
    assert (
        only_error(check({"1": node("Pass", x=["1", 0]), "3": node("End", x=["1", 0])}))["type"] == "dependency_cycle"
    )


def test_long_chains_do_not_exhaust_the_stack() -> None:
    graph = {"0": node("Source", steps=1)}
    for number in range(1, 5000):
        graph[str(number)] = node("Pass", x=[str(number - 1), 0])
    graph["end"] = node("End", x=["4999", 0])
    assert check(graph).outputs == ["end"]


# ── outputs ─────────────────────────────────────────────────────────────────────────────────────


def test_good_outputs_run_when_others_cannot() -> None:
    graph = {**prompt(), "8": node("Source", steps=0), "9": node("End", x=["8", 0])}
    verdict = check(graph)
    assert verdict.error is None
    assert verdict.outputs == ["2"]
    assert verdict.node_errors["8"]["dependent_outputs"] == ["9"]


def test_each_output_that_needs_the_bad_node_is_listed() -> None:
    verdict = check({**prompt(steps=0), "3": node("End", x=["1", 0]), "4": node("End")})
    assert verdict.node_errors["1"]["dependent_outputs"] == ["2", "3"]
    assert verdict.node_errors["4"]["dependent_outputs"] == ["4"]
    assert verdict.error["details"] == "Required input is missing: x"


def test_nodes_that_no_output_needs_are_not_checked() -> None:
    assert check({**prompt(), "8": node("Source", steps=-5)}).node_errors == {}


def test_unknown_class_refuses_the_prompt_even_unreached() -> None:
    verdict = check({**prompt(), "8": node("Gone")})
    assert verdict.error == {
        "type": "invalid_prompt",
        "message": "Cannot execute because node Gone does not exist.",
        "details": "Node ID '#8'",
        "extra_info": {},
    }


def test_targets_choose_outputs() -> None:
    graph = {**prompt(), "3": node("End", x=["1", 0])}
    assert check(graph, ["3", "unknown"]).outputs == ["3"]
    assert check(graph, []).error["type"] == "prompt_no_outputs"


# ── a node's own function ───────────────────────────────────────────────────────────────────────


def test_own_function_decides_instead_of_the_range() -> None:
    def decide(steps: int) -> bool | str:
        return True if steps == 1000 else "only 1000 will do"

    strict = make("Strict", Input("steps", "INT", {"max": 10}), output_node=True, validate_inputs=decide)
    assert check({"1": node("Strict", steps=1000)}, nodes={"Strict": strict}).error is None
    error = only_error(check({"1": node("Strict", steps=5)}, nodes={"Strict": strict}))
    assert (error["type"], error["details"]) == ("custom_validation_failed", "steps - only 1000 will do")


def test_own_function_that_fails_is_an_error_of_the_prompt() -> None:
    def broken(steps: int) -> bool:
        raise ZeroDivisionError("oh")

    nodes = {"E": make("E", Input("steps", "INT"), output_node=True, validate_inputs=broken)}
    error = only_error(check({"1": node("E", steps=1)}, nodes=nodes))
    assert error["extra_info"]["exception_type"] == "ZeroDivisionError"


def test_own_function_may_check_types() -> None:
    def types(input_types: dict[str, str]) -> bool | str:
        return True if input_types["x"] == "Y" else "needs Y"

    nodes = {**NODES, "E": make("E", Input("x", "Z"), output_node=True, validate_inputs=types)}
    assert check({"1": node("Other"), "2": node("E", x=["1", 0])}, nodes=nodes).error is None
    assert check({"1": node("Source", steps=1), "2": node("E", x=["1", 0])}, nodes=nodes).error is not None


# ── anything ────────────────────────────────────────────────────────────────────────────────────

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
IDS = st.sampled_from(["1", "2", "3", "4"])
LINKS = st.tuples(IDS, st.integers(-1, 2)).map(list)
ANY_NODE = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from([*NODES, "Gone"]) | JSON,
        "inputs": st.dictionaries(st.sampled_from(["x", "also", "steps", "mode", "flag"]), JSON | LINKS, max_size=4)
        | JSON,
    }
)


@given(st.dictionaries(IDS, ANY_NODE | JSON, max_size=4))
def test_whatever_comes_is_answered(graph: Any) -> None:
    verdict = check(graph)
    assert verdict.outputs or verdict.error is not None
    for node_id, entry in verdict.node_errors.items():
        assert entry["errors"]
        assert entry["dependent_outputs"]
        assert entry["class_type"] == graph[node_id]["class_type"]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_a_graph_is_accepted_exactly_if_it_has_no_cycle(edges: list[tuple[int, int]]) -> None:
    graph: dict[str, Any] = {str(n): node("Free") for n in range(31)}
    for number, (source, target) in enumerate(edges):
        graph[str(target)]["inputs"][f"x{number}"] = [str(source), 0]
    free = make("Free", *(Input(f"x{n}", "X", optional=True) for n in range(30)), output_node=True)
    verdict = check(graph, nodes={"Free": free})
    assert set(verdict.outputs) == set(graph) - _needing_a_cycle(edges)


def _needing_a_cycle(edges: list[tuple[int, int]]) -> set[str]:
    """By repeated removal of what has no sources left: an algorithm that shares nothing with the walk."""
    left = set(range(31))
    while removable := {n for n in left if not any(t == n and s in left for s, t in edges)}:
        left -= removable
    return {str(n) for n in left}

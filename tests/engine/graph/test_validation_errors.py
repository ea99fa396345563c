"""Every error of a prompt, whole: what clients parse, word by word and key by key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.files.folders import Folders
from engine.graph.validate import Validator
from engine.nodes.definition import Input, NodeDefinition, Output
from engine.options import Options

FOLDERS = Folders.from_options(Options(base_directory="/nonexistent"))
LONG = [f"model{number}" for number in range(21)]


def define(name: str, *inputs: Input, outputs: tuple[str, ...] = ("IMAGE",), **flags: Any) -> NodeDefinition:
    return NodeDefinition(name, lambda **_: (), inputs, tuple(Output(kind) for kind in outputs), **flags)


def refuse(text: str) -> Any:
    raise RuntimeError(f"cannot look at {text}")


NODES = {
    definition.name: definition
    for definition in (
        define(
            "Draw",
            Input("steps", "INT", {"default": 20, "min": 1, "max": 100}),
            Input("scale", "FLOAT", {"min": 0.5}, optional=True),
            Input("mode", ["fast", "good"], optional=True),
            Input("size", "COMBO", {"options": ["small", "large"]}, optional=True),
            Input("model", LONG, optional=True),
            Input("image", "IMAGE", optional=True),
            Input("mask", "MASK", {"tooltip": "t"}, optional=True),
        ),
        define("Open", Input("number", "INT")),
        define("Grow", Input("images.image0", "IMAGE")),
        define("False", Input("text", "STRING"), validate_inputs=lambda text: False),
        define("Says", Input("text", "STRING"), validate_inputs=lambda text: f"no such file: {text}"),
        define("Raises", Input("text", "STRING"), validate_inputs=refuse),
        define("RaisingEnd", Input("text", "STRING"), validate_inputs=refuse, output_node=True),
        define("Latent", outputs=("LATENT",)),
        define("Save", Input("images", "IMAGE"), outputs=(), output_node=True),
    )
}


@dataclass(frozen=True)
class Case:
    """A node "1" before the output "9", and the error it is refused with."""

    kind: str
    inputs: dict[str, Any]
    type: str
    message: str
    details: str
    extra: dict[str, Any] = field(default_factory=dict)


def value(name: str, config: Any, received: Any, **more: Any) -> dict[str, Any]:
    return {"input_name": name, "input_config": config, "received_value": received, **more}


STEPS = ["INT", {"default": 20, "min": 1, "max": 100}]
CASES = {
    "missing": Case(
        "Draw", {}, "required_input_missing", "Required input is missing", "steps", {"input_name": "steps"}
    ),
    "missing in a group": Case(
        "Grow", {}, "required_input_missing", "Required input is missing", "image0", {"input_name": "images.image0"}
    ),
    "bad link": Case(
        "Draw",
        {"steps": 1, "image": ["2"]},
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        "image",
        value("image", ["IMAGE", {}], ["2"]),
    ),
    "other type": Case(
        "Draw",
        {"steps": 1, "mask": ["2", 0]},
        "return_type_mismatch",
        "Return type mismatch between linked nodes",
        "mask, received_type(LATENT) mismatch input_type(MASK)",
        {
            "input_name": "mask",
            "input_config": ["MASK", {"tooltip": "t"}],
            "received_type": "LATENT",
            "linked_node": ["2", 0],
        },
    ),
    "no number": Case(
        "Draw",
        {"steps": "many"},
        "invalid_input_type",
        "Failed to convert an input value to a INT value",
        "steps, many, invalid literal for int() with base 10: 'many'",
        value("steps", STEPS, "many", exception_message="invalid literal for int() with base 10: 'many'"),
    ),
    "null": Case(
        "Draw",
        {"steps": 1, "scale": None},
        "invalid_input_type",
        "Failed to convert an input value to a FLOAT value",
        "scale, None, float() argument must be a string or a real number, not 'NoneType'",
        value(
            "scale",
            ["FLOAT", {"min": 0.5}],
            None,
            exception_message="float() argument must be a string or a real number, not 'NoneType'",
        ),
    ),
    "too small": Case(
        "Draw",
        {"steps": 0},
        "value_smaller_than_min",
        "Value 0 smaller than min of 1",
        "steps",
        value("steps", STEPS, 0),
    ),
    "too small once converted": Case(
        "Draw",
        {"steps": 1, "scale": "0.25"},
        "value_smaller_than_min",
        "Value 0.25 smaller than min of 0.5",
        "scale",
        value("scale", ["FLOAT", {"min": 0.5}], 0.25),
    ),
    "too big": Case(
        "Draw",
        {"steps": 101.9},
        "value_bigger_than_max",
        "Value 101 bigger than max of 100",
        "steps",
        value("steps", STEPS, 101),
    ),
    "a number of more than 64 bits": Case(
        "Draw",
        {"steps": "9" * 30},
        "value_bigger_than_max",
        f"Value {'9' * 30} bigger than max of 100",
        "steps",
        value("steps", STEPS, 1e30),
    ),
    "a number of more than 64 bits without a limit": Case(
        "Open",
        {"number": 1e300},
        "invalid_input_type",
        "Failed to convert an input value to a INT value",
        "number, 1e+300, 1.000e+300 has more than 64 bits",
        value("number", ["INT", {}], 1e300, exception_message="1.000e+300 has more than 64 bits"),
    ),
    "a number that not even a float holds": Case(
        "Open",
        {"number": "9" * 400},
        "invalid_input_type",
        "Failed to convert an input value to a INT value",
        f"number, {'9' * 400}, int too large to convert to float",
        value("number", ["INT", {}], "9" * 400, exception_message="int too large to convert to float"),
    ),
    "not a number": Case(
        "Draw",
        {"steps": 1, "scale": "nan"},
        "invalid_input_type",
        "Failed to convert an input value to a FLOAT value",
        "scale, nan, nan is not a finite number",
        value("scale", ["FLOAT", {"min": 0.5}], "nan", exception_message="nan is not a finite number"),
    ),
    "not in the list": Case(
        "Draw",
        {"steps": 1, "mode": "slow"},
        "value_not_in_list",
        "Value not in list",
        "mode: 'slow' not in ['fast', 'good']",
        value("mode", [["fast", "good"], {}], "slow"),
    ),
    "not in the list of a COMBO": Case(
        "Draw",
        {"steps": 1, "size": 7},
        "value_not_in_list",
        "Value not in list",
        "size: '7' not in ['small', 'large']",
        value("size", ["COMBO", {"options": ["small", "large"]}], 7),
    ),
    "not in a long list": Case(
        "Draw",
        {"steps": 1, "model": "x"},
        "value_not_in_list",
        "Value not in list",
        "model: 'x' not in (list of length 21)",
        value("model", None, "x"),
    ),
    "the node says no": Case(
        "False",
        {"text": "a"},
        "custom_validation_failed",
        "Custom validation failed for node",
        "text",
        {"input_name": "text"},
    ),
    "the node says why": Case(
        "Says",
        {"text": "a"},
        "custom_validation_failed",
        "Custom validation failed for node",
        "text - no such file: a",
        {"input_name": "text"},
    ),
    "an absent node": Case(
        "Draw",
        {"steps": 1, "image": ["99", 0]},
        "exception_during_inner_validation",
        "Exception when validating inner node",
        "'99'",
        {
            "input_name": "images",
            "input_config": ["IMAGE", {}],
            "exception_message": "'99'",
            "exception_type": "KeyError",
            "linked_node": ["1", 0],
        },
    ),
    "an absent output": Case(
        "Draw",
        {"steps": 1, "image": ["2", 1]},
        "exception_during_inner_validation",
        "Exception when validating inner node",
        "tuple index out of range",
        {
            "input_name": "images",
            "input_config": ["IMAGE", {}],
            "exception_message": "tuple index out of range",
            "exception_type": "IndexError",
            "linked_node": ["1", 0],
        },
    ),
    "the node's own check fails": Case(
        "Raises",
        {"text": "a"},
        "exception_during_inner_validation",
        "Exception when validating inner node",
        "cannot look at a",
        {
            "input_name": "images",
            "input_config": ["IMAGE", {}],
            "exception_message": "cannot look at a",
            "exception_type": "RuntimeError",
            "linked_node": ["1", 0],
        },
    ),
}
FAILED = {
    "type": "prompt_outputs_failed_validation",
    "message": "Prompt outputs failed validation",
    "details": "",
    "extra_info": {},
}


def check(prompt: Any, targets: list[str] | None = None) -> Any:
    return Validator(NODES, FOLDERS).validate(prompt, targets)


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_error_of_a_node(case: Case) -> None:
    prompt = {"1": node(case.kind, **case.inputs), "2": node("Latent"), "9": node("Save", images=["1", 0])}
    verdict = check(prompt)
    assert verdict.outputs == []
    assert verdict.error == FAILED  # the output itself has no error of its own
    (entry,) = verdict.node_errors.values()
    assert list(verdict.node_errors) == ["1"]
    assert list(entry) == ["errors", "dependent_outputs", "class_type"]
    assert (entry["dependent_outputs"], entry["class_type"]) == (["9"], case.kind)
    (error,) = entry["errors"]
    assert list(error) == ["type", "message", "details", "extra_info"]
    assert [error["type"], error["message"], error["details"]] == [case.type, case.message, case.details]
    traceback = error["extra_info"].pop("traceback", None)
    assert error["extra_info"] == case.extra
    assert (traceback is not None) == ("exception_type" in case.extra)
    assert traceback is None or all(isinstance(line, str) and line.endswith("\n") for line in traceback)


def test_an_exception_of_an_output_itself() -> None:
    verdict = check({"9": node("RaisingEnd", text="a")})
    error = verdict.node_errors["9"]["errors"][0]
    assert (error["type"], error["message"], error["details"]) == (
        "exception_during_validation",
        "Exception when validating node",
        "cannot look at a",
    )
    assert set(error["extra_info"]) == {"exception_type", "traceback"}
    assert error["extra_info"]["exception_type"] == "RuntimeError"
    assert verdict.error == {**FAILED, "details": "Exception when validating node: cannot look at a"}


def test_errors_of_outputs_are_the_details_of_the_prompts_error() -> None:
    verdict = check({"8": node("Save"), "9": node("Save", images=["2"])})
    assert verdict.error["details"].splitlines() == [
        "Required input is missing: images",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]: images",
    ]
    assert {key: entry["dependent_outputs"] for key, entry in verdict.node_errors.items()} == {"8": ["8"], "9": ["9"]}


def test_all_errors_of_a_node_are_told() -> None:
    verdict = check({"1": node("Draw", steps=0, scale=0, mode="x"), "9": node("Save", images=["1", 0])})
    kinds = [error["type"] for error in verdict.node_errors["1"]["errors"]]
    assert kinds == ["value_smaller_than_min", "value_smaller_than_min", "value_not_in_list"]


@pytest.mark.parametrize(
    ("prompt", "targets", "kind", "message", "details"),
    [
        ({}, None, "prompt_no_outputs", "Prompt has no outputs", ""),
        ({"2": node("Latent")}, None, "prompt_no_outputs", "Prompt has no outputs", ""),
        ({"9": node("Save", images=["2", 0])}, [], "prompt_no_outputs", "Prompt has no outputs", ""),
        ({"9": node("Save", images=["2", 0])}, ["8"], "prompt_no_outputs", "Prompt has no outputs", ""),
        (
            {"3": {"inputs": {}}},
            None,
            "invalid_prompt",
            "Cannot execute because a node is missing the class_type property.",
            "Node ID '#3'",
        ),
        (
            {"9": node("Save", images=["2", 0]), "7": node("Nope")},
            None,
            "invalid_prompt",
            "Cannot execute because node Nope does not exist.",
            "Node ID '#7'",
        ),
    ],
)
def test_an_error_of_the_whole_prompt(prompt: Any, targets: Any, kind: str, message: str, details: str) -> None:
    verdict = check(prompt, targets)
    assert verdict.error == {"type": kind, "message": message, "details": details, "extra_info": {}}
    assert verdict.node_errors == {}

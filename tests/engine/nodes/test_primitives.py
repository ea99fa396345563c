"""Nodes that hold a value, choose one, or show one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.nodes import primitives
from tests.engine.rig import Rig


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        ({"a": [1]}, '{"a": [1]}'),
        (torch.zeros(2), "tensor([0., 0.])"),
    ],
)
def test_any_value_is_shown_as_text(value: Any, text: str) -> None:
    assert primitives.preview_any.function(value) == {"ui": {"text": (text,)}}


def test_a_switch_computes_only_what_it_passes_on(tmp_path: Any) -> None:
    rig = Rig(tmp_path)
    prompt = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "yes"}},
        "2": {"class_type": "RegexReplace", "inputs": {"string": "a", "regex_pattern": "(", "replace": ""}},
        "3": {"class_type": "ComfySwitchNode", "inputs": {"switch": True, "on_true": ["1", 0], "on_false": ["2", 0]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
    }
    status, message, outputs = rig.run(prompt)
    assert status == "success", message
    assert list(outputs["4"]["text"]) == ["yes"]


def test_a_choice_that_only_the_page_knows_is_accepted(tmp_path: Any) -> None:
    prompt = {
        "1": {"class_type": "CustomCombo", "inputs": {"choice": "mine", "option1": "mine"}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    status, message, outputs = Rig(tmp_path).run(prompt)
    assert status == "success", message
    assert list(outputs["2"]["text"]) == ["mine"]


def test_a_switch_has_the_type_of_what_is_linked_to_it(tmp_path: Any) -> None:
    prompt = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "no picture"}},
        "2": {"class_type": "ComfySwitchNode", "inputs": {"switch": True, "on_true": ["1", 0], "on_false": ["1", 0]}},
        "3": {"class_type": "ComfySwitchNode", "inputs": {"switch": True, "on_true": ["2", 0], "on_false": ["2", 0]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }
    verdict = Rig(tmp_path).validator.validate(prompt, None)
    assert "received_type(STRING) mismatch input_type(IMAGE)" in str(verdict.node_errors["4"])

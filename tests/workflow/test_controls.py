"""What becomes of a seed after a run, read from the browser's form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.controls import WORDS, control_of


def page(*values: Any, **more: Any) -> dict[str, Any]:
    return {"nodes": [{"id": 1, "type": "KSampler", "widgets_values": list(values), **more}]}


@pytest.mark.parametrize(
    ("workflow", "control"),
    [
        (page(7, "randomize", 20, 8.0, "euler"), "randomize"),
        (page(7, "fixed", 20), "fixed"),
        (page("increment", 20), ""),
        (page(7, "fixed", mode=4), ""),
        ({"nodes": [], "definitions": {"subgraphs": [page(7, "increment")]}}, "increment"),
        ({"nodes": [*page(7, "fixed")["nodes"], *page(7, "randomize")["nodes"]]}, "randomize"),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_control_of_a_seed(workflow: Any, control: str) -> None:
    assert control_of(workflow) == control


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda each: (
        st.lists(each, max_size=4)
        | st.dictionaries(st.sampled_from(["nodes", "widgets_values", "definitions", "subgraphs", "mode"]), each)
    ),
)


@given(st.dictionaries(st.sampled_from(["nodes", "definitions"]), anything))
def test_any_form(workflow: dict[str, Any]) -> None:
    assert control_of(workflow) in (*WORDS, "")

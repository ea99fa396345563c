"""JSON as it is found: every encoding is read, and what is hostile or broken is told with its place, in bounded memory."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow import document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.json_text import kept, loads

from .graphs import ROOT, example

GRAPH = example("trivial")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_is_read(encoding: str) -> None:
    graph = {"1": {"class_type": "A", "inputs": {"text": "größer 猫"}}}
    assert document.parse(json.dumps(graph, ensure_ascii=False).encode(encoding), "w").graph == graph


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"3": {"class_type": "A"}, "3": {"class_type": "B"}}', "'3' is given twice"),
        ('{"3": {"class_type": "A", "inputs": {"seed": 1, "seed": 2}}}', r"w, 3 → inputs: 'seed' is given twice"),
        ('{"nodes": [{"id": 1}, {"id": 2, "id": 3}], "links": []}', r"w, nodes → 1: 'id' is given twice"),
        ('{"a": {"x": 1, "x": 2}, "a": 3}', "is given twice"),
        ('{"1": ' + "[" * 10_000 + "]" * 10_000 + "}", "nested too deeply"),
        ("[" + "[]," * 2_100_000 + "[]]", "millions of values"),
        ("[" + "0," * 9_000_000 + "0]", "millions of values"),
        ('"' + "x" * 50 + '"', "has no nodes"),
        ("{'1': 2}", "line 1, column 2: not JSON"),
    ],
)
def test_what_is_wrong_is_told(text: str, says: str) -> None:
    with pytest.raises(WorkflowError, match=says):
        document.parse(text.encode(), "w")


def test_a_file_of_200_mb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.write(b'{"1": "')
        file.truncate(200 << 20)
    tracemalloc.start()
    with pytest.raises(WorkflowError, match="200 MiB is too large"):
        document.read(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_nan_and_half_characters_of_a_page_do_not_keep_it_from_being_sent() -> None:
    text = '{"nodes": [{"id": 1, "type": "A", "widgets_values": [NaN, -Infinity, 1e999, "\\ud800", 0.5]}], "links": []}'
    found = document.parse(text.encode(), "w")
    assert found.workflow is not None
    assert found.workflow["nodes"][0]["widgets_values"] == [None, None, None, "\ufffd\ufffd\ufffd", 0.5]
    json.dumps(found.workflow, allow_nan=False).encode()


def test_a_page_that_is_nested_beyond_sense() -> None:
    text = '{"nodes": [' + "[" * 300 + "]" * 300 + '], "links": []}'
    with pytest.raises(WorkflowError, match="nested too deeply"):
        document.parse(text.encode(), "w")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_can_be_sent_is_left_as_it_is(value: Any) -> None:
    found = kept(value)
    json.dumps(found, allow_nan=False).encode()
    if all(math.isfinite(each) for each in _floats(value)):
        assert found is value or found == value


def _floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for each in value for found in _floats(each)]
    return [value] if isinstance(value, float) else []


@given(JSON, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_it_reads_what_json_reads(value: Any, encoding: str) -> None:
    text = json.dumps([value], allow_nan=False, default=str) if all(map(math.isfinite, _floats(value))) else "[1]"
    assert loads(text.encode(encoding)) == json.loads(text)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        document.parse(data, "w")
    except WorkflowError as error:
        assert error.name == "w"


def test_every_saved_page_is_a_document() -> None:
    folder = ROOT.parent / "shared" / "graph-to-prompt" / "workflows"
    if not folder.is_dir():
        pytest.skip("no templates here")
    for path in folder.glob("*.json"):
        found = document.read(path)
        assert found.form == "ui" and found.workflow == json.loads(path.read_text()), path.name

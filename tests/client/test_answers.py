"""Answers of the HTTP routes, the usual and the odd."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.client import answers
from comfytui.client.errors import BadAnswer
from comfytui.client.readers import decode, prompt
from tests.support.replay import HOSTILE, SHARED, txt2img

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def entry(*messages: list[Any], **status: Any) -> dict[str, Any]:
    return {
        "prompt": [4, "p", txt2img(), {"client_id": "c", "create_time": 1_700_000_000_000}, ["9"]],
        "outputs": {"9": {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}},
        "status": {"messages": list(messages), **status},
    }


START = ["execution_start", {"timestamp": 1_700_000_001_000}]


def test_an_interrupted_job_is_not_a_failed_one() -> None:
    stop = ["execution_interrupted", {"node_id": "3", "timestamp": 1_700_000_003_500}]
    (found,) = answers.history({"p": entry(START, stop, status_str="error", completed=False)})
    assert found.outcome == "interrupted"
    assert found.error is None
    assert found.interrupted is not None
    assert found.interrupted.node_id == "3"
    assert (found.started, found.ended) == (1_700_000_001.0, 1_700_000_003.5)


def test_a_failed_job_has_its_reason() -> None:
    error = ["execution_error", {"node_id": "3", "exception_message": "out of memory\n", "exception_type": "X"}]
    (found,) = answers.history({"p": entry(START, error, status_str="error", completed=False)})
    assert found.outcome == "failed"
    assert found.error is not None
    assert found.error.message == "out of memory"


def test_old_entries_without_messages_or_status() -> None:
    assert answers.history({"p": entry(status_str="success", completed=True)})[0].outcome == "done"
    assert answers.history({"p": entry(status_str="error", completed=False)})[0].outcome == "failed"
    assert answers.history({"p": {"outputs": {}, "status": None}})[0].prompt.prompt_id == "p"


def test_outputs_of_expanded_nodes_belong_to_the_node_that_was_submitted() -> None:
    value = entry(START)
    value["outputs"] = {"9.0.0.1": {"images": [{"filename": "a.png"}]}}
    value["meta"] = {"9.0.0.1": {"display_node": "9"}}
    assert answers.history({"p": value})[0].outputs[0].node_id == "9"


def test_the_queue_is_sorted_as_it_will_run() -> None:
    heap = [[-3, "front", {}, {}, []], [5.5, "b", {}, {}, []], [7, "a", {}, {}, []], [5.5, "a2", {}, {}, []]]
    queue = answers.queue({"queue_running": [], "queue_pending": heap})
    assert [item.prompt_id for item in queue.waiting] == ["front", "a2", "b", "a"]


def test_a_known_graph_is_not_read_again() -> None:
    item = [1, "p", txt2img(), {}, ["9"]]
    first, second = prompt(item), prompt(item, known={"p"})
    assert first is not None
    assert first.graph == txt2img()
    assert second is not None
    assert second.graph is None


def test_the_raw_prompt_is_kept_only_where_it_differs() -> None:
    clean = prompt([1, "p", txt2img(), {}, ["9"]])
    assert clean is not None
    assert clean.raw is None
    hostile = prompt([1, "p", txt2img(text=HOSTILE), {}, ["9"]])
    assert hostile is not None
    assert hostile.raw is not None
    assert hostile.raw.graph["6"]["inputs"]["text"] == HOSTILE
    assert hostile.graph is not None
    assert "\x1b" not in hostile.graph["6"]["inputs"]["text"]


def test_graphs_with_nan_can_be_read() -> None:
    value = decode('{"p": {"prompt": [1, "p", {"3": {"class_type": "X", "is_changed": [NaN]}}, {}, []]}}')
    assert answers.history(value)[0].prompt.graph == {"3": {"class_type": "X", "is_changed": [None]}}


def test_a_refusal_names_each_node_and_reason() -> None:
    body = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""},
        "node_errors": {"3": {
            "errors": [{"type": "value_smaller_than_min", "message": "Value 0 smaller than min of 1", "details": "steps",
                        "extra_info": {"input_name": "steps"}}],
            "dependent_outputs": ["9"], "class_type": "KSampler",
        }},
    }  # fmt: skip
    error = answers.refusal(body, "http://h")
    assert error is not None
    assert str(error) == "Prompt outputs failed validation\nnode 3 (KSampler): Value 0 smaller than min of 1: steps"
    assert error.node_errors["3"].problems[0].input_name == "steps"


def test_accepted_with_errors() -> None:
    answer = answers.submitted(
        {"prompt_id": "p", "number": -0.5, "node_errors": {"77": {"errors": [], "class_type": "S"}}}
    )
    assert (answer.number, list(answer.node_errors)) == (-0.5, ["77"])


@pytest.mark.parametrize("value", [None, [], "x", {}, {"error": "no"}])
def test_other_kinds_of_answers_are_refused(value: Any) -> None:
    for read in (answers.queue, answers.system_stats, answers.submitted):
        with pytest.raises(BadAnswer):
            read(value)


@given(JSON)
def test_nothing_but_bad_answer_is_raised(value: Any) -> None:
    for read in (answers.queue, answers.history, answers.system_stats, answers.submitted, answers.names):
        try:
            read(value)
        except BadAnswer:
            continue
    answers.refusal(value, "")
    answers.queue({"queue_running": value, "queue_pending": [value]})
    answers.history({"p": value, "q": {"prompt": value, "outputs": value, "status": value, "meta": value}})
    answers.system_stats({"system": value, "devices": [value]})


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_decoding_any_bytes(data: bytes) -> None:
    try:
        decode(data)
    except BadAnswer as error:
        assert "\x1b" not in str(error)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of a real server are not here")
def test_recorded_answers() -> None:
    outcomes: list[str] = []
    for item in json.loads((SHARED / "http.json").read_text()):
        path, answer = item["request"]["path"], item["response"].get("json")
        if item["request"]["method"] != "GET" or item["response"]["status"] != 200:
            continue
        if path.startswith("/history"):
            outcomes += [found.outcome for found in answers.history(answer)]
        elif path == "/queue":
            answers.queue(answer)
        elif path == "/system_stats":
            assert answers.system_stats(answer).devices[0].name == "cpu"
    assert {"done", "failed", "interrupted"} == set(outcomes)

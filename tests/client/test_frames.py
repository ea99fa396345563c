"""Frames of the socket: what real servers send, and what broken or hostile ones may."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.client import messages as m
from comfytui.client.frames import binary_frame, text_frame
from tests.support.replay import HOSTILE, SHARED, preview_frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = (
    "status", "feature_flags", "execution_start", "execution_cached", "executing", "progress", "progress_state",
    "executed", "execution_success", "execution_error", "execution_interrupted", "logs", "crystools.monitor",
)  # fmt: skip
KEYS = (
    "status", "exec_info", "queue_remaining", "sid", "prompt_id", "node", "nodes", "value", "max", "output", "state",
    "display_node", "node_id", "exception_message", "traceback", "current_inputs", "timestamp", "entries", "executed",
)  # fmt: skip
DATA = st.dictionaries(
    st.sampled_from(KEYS), JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4), max_size=6
)


def said(kind: str, **data: Any) -> m.Event:
    return text_frame(json.dumps({"type": kind, "data": data}))


def test_status_tells_the_queue() -> None:
    event = said("status", status={"exec_info": {"queue_remaining": 3}}, sid="me")
    assert event == m.Status(queue_remaining=3, sid="me")


def test_executing_null_is_the_end_but_executing_nothing_is_not() -> None:
    assert said("executing", node=None, prompt_id="p") == m.Executing(None, None, "p")
    assert isinstance(said("executing", prompt_id="p"), m.Garbage)
    assert said("executing", node="3") == m.Executing("3", "3", None)  # as told after a reconnect


def test_ids_that_are_numbers_become_text() -> None:
    assert said("executing", node=3, display_node=3, prompt_id="p") == m.Executing("3", "3", "p")


def test_progress_state_keeps_order_and_skips_what_is_no_node() -> None:
    entry = {"value": 2, "max": 6, "state": "running", "display_node_id": "12"}
    event = said("progress_state", prompt_id="p", nodes={"12.0.0.1": entry, "x": None, "9": {}})
    assert event == m.ProgressState(
        "p", (m.NodeProgress("12.0.0.1", "12", "running", 2, 6), m.NodeProgress("9", "9", "", 0, 0))
    )


def test_an_error_has_its_lines_and_no_escape_sequences() -> None:
    event = said(
        "execution_error", prompt_id="p", node_id="3", exception_message=f"{HOSTILE}\n", exception_type="RuntimeError",
        traceback=["  File x\n    line\n", "  File y\n"], current_inputs={"a\x1b[2J": [HOSTILE]}, executed=["1"],
    )  # fmt: skip
    assert isinstance(event, m.ExecutionError)
    assert event.traceback == ("  File x", "    line", "  File y")
    shown = repr(event)
    assert not any(bad in shown for bad in ("\\x1b", "\\x9b", "\\u202e", "\\u2028"))
    assert "[bold red]tag[/]" in event.message  # markup is text, and stays
    assert not event.blocked


def test_a_blocked_branch_is_told_apart_from_a_failure() -> None:
    event = said(
        "execution_error", prompt_id="p", exception_type="ExecutionBlocked", exception_message="no", traceback=[]
    )
    assert isinstance(event, m.ExecutionError)
    assert event.blocked


def test_outputs_of_every_kind() -> None:
    event = said(
        "executed", prompt_id="p", node="9.0.1", display_node="9",
        output={
            "images": [{"filename": "a.png", "subfolder": "s", "type": "temp"}, None, 5],
            "animated": [True], "text": ["hello"], "result": "alone", "gifs": [{"filename": "b.mp4"}],
        },
    )  # fmt: skip
    assert isinstance(event, m.Executed)
    assert [(o.kind, o.filename, o.type, o.text, o.node_id) for o in event.outputs] == [
        ("images", "a.png", "temp", None, "9"),
        ("text", "", "", "hello", "9"),
        ("result", "", "", "alone", "9"),
        ("gifs", "b.mp4", "output", None, "9"),
    ]
    assert said("executed", prompt_id="p", node="9", output=None) == m.Executed("p", "9", "9", ())


def test_a_hostile_file_name_is_shown_clean_and_fetched_as_it_is() -> None:
    event = said("executed", prompt_id="p", node="9", output={"images": [{"filename": HOSTILE, "type": "output"}]})
    assert isinstance(event, m.Executed)
    (media,) = event.outputs
    assert "\x1b" not in media.filename
    assert media.raw is not None
    assert media.raw.filename == HOSTILE
    assert HOSTILE not in repr(media)
    assert "\\x1b" not in repr(media)


def test_what_json_forbids_and_comfyui_sends() -> None:
    event = text_frame(
        '{"type": "progress", "data": {"value": NaN, "max": Infinity, "node": "\\ud800", "prompt_id": "p"}}'
    )
    assert event == m.Progress(0.0, 0.0, "�", "p")


def test_unknown_types_are_no_trouble() -> None:
    assert said("crystools.monitor", cpu=3) == m.Unknown("crystools.monitor")
    assert said("evil\x1b[31m") == m.Unknown("evil")


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "null", '{"type": 5}', "\ud800", "[" * 100_000, '{"type":"progress_state"}']
)
def test_garbage_says_why(frame: str) -> None:
    event = text_frame(frame)
    assert isinstance(event, m.Garbage)
    assert event.reason


@given(st.sampled_from(TYPES), DATA | JSON)
def test_no_data_of_any_type_raises(kind: str, data: Any) -> None:
    text_frame(json.dumps({"type": kind, "data": data}))


@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, 5), st.binary(max_size=60)).map(lambda p: p[0].to_bytes(4, "big") + p[1])
)
def test_no_bytes_raise(frame: bytes) -> None:
    binary_frame(frame)


def test_previews_with_and_without_metadata() -> None:
    assert binary_frame(preview_frame("p", "3", b"\xff\xd8jpeg")) == m.PreviewImage(
        b"\xff\xd8jpeg", "image/jpeg", "p", "3"
    )
    plain = binary_frame(b"\0\0\0\1\0\0\0\2PNG")
    assert plain == m.PreviewImage(b"PNG", "image/png")
    assert binary_frame(b"\0\0\0\3\0\0\0\2" + b"12" + "möre\x1b[2J".encode()) == m.ProgressText("12", "möre")
    assert binary_frame(b"\0\0\0\x63\0\0\0\0") == m.Unknown("binary 99")


@pytest.mark.parametrize("frame", [b"", b"\0\0\0\4", b"\0\0\0\4\xff\xff\xff\xffx", b"\0\0\0\4\0\0\0\2{xIMG"])
def test_broken_previews_are_garbage(frame: bytes) -> None:
    assert isinstance(binary_frame(frame), m.Garbage)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of a real server are not here")
def test_every_recorded_frame_is_understood() -> None:
    import base64

    for path in sorted(SHARED.glob("ws-*.jsonl")):
        for row in path.read_text().splitlines():
            item = json.loads(row)
            if "text" in item:
                event = text_frame(json.dumps(item["text"]))
            else:
                event = binary_frame(base64.b64decode(item["binary_base64"]))
            assert not isinstance(event, m.Garbage | m.Unknown), (path.name, row[:100])
